# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a running process costs: CPU time and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from upsnet_ros.evaluation.live.processes import peak_memory_bytes


@dataclass(frozen=True)
class NodeCost:
    """CPU and memory of the node.

    Attributes:
        cpu_s: Seconds that its threads worked between the first and the last look; None where it
            was looked at once only.
        wall_s: Seconds between the two.
        peak_bytes: Largest resident memory since the start of the process.
    """

    cpu_s: float | None
    wall_s: float
    peak_bytes: int | None

    @property
    def cpu_percent(self) -> float | None:
        """Of one core: 200 is two cores at work all the time; None within no time at all."""
        if self.cpu_s is None or self.wall_s <= 0:
            return None
        return 100.0 * self.cpu_s / self.wall_s


class NodeWatch:
    """Looks at a process again and again.

    Args:
        pid: Of the process on this computer; None watches nothing.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._looks: list[tuple[float, float]] = []
        self._peak = 0

    def begin(self) -> None:
        """Make this the first look."""
        self._looks = []
        self.look()

    def look(self) -> None:
        """Note what it has taken by now; a process that is gone leaves things as they were."""
        if self._pid is None:
            return
        try:
            times = psutil.Process(self._pid).cpu_times()
        except psutil.Error:
            return
        self._looks = [*self._looks[:1], (time.monotonic(), times.user + times.system)]
        self._peak = max(self._peak, peak_memory_bytes(self._pid) or 0)

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended."""
        if self._pid is None:
            return False
        try:
            return psutil.Process(self._pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def cost(self) -> NodeCost | None:
        """What it took from the first look to the last; None where there was none."""
        if not self._looks:
            return None
        if len(self._looks) < 2:
            return NodeCost(None, 0.0, self._peak or None)
        (begin, first), (end, last) = self._looks
        return NodeCost(last - first, end - begin, self._peak or None)
