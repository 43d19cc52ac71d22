# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times of the last frames, their percentiles, and frames that took too long."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WINDOW_FRAMES = 200
DEADLINE_STAGE = 'total'


@dataclass(frozen=True)
class Delays:
    """Frames over the deadline.

    Attributes:
        total: all since the node was configured.
        in_a_row: those up to the last frame; 0 when that one was in time.
    """

    total: int = 0
    in_a_row: int = 0


class TimingWindow:
    """Durations by stage over the last frames; may be written and read by different threads.

    Attributes:
        delays: frames over the deadline; replaced as a whole.

    Args:
        frames: how many frames are kept.
    """

    def __init__(self, *, frames: int = WINDOW_FRAMES) -> None:
        self._frames = frames
        self._lock = threading.Lock()
        self._durations: dict[str, deque[float]] = {}
        self.delays = Delays()

    def add(self, durations_ms: Mapping[str, float], *, is_late: bool = False) -> None:
        """Adds the durations of one frame, in milliseconds by stage."""
        with self._lock:
            before = self.delays
            self.delays = Delays(before.total + is_late, before.in_a_row + 1 if is_late else 0)
            for stage, duration in durations_ms.items():
                window = self._durations.setdefault(stage, deque(maxlen=self._frames))
                window.append(duration)

    def percentiles(self, stage: str, shares: Sequence[float]) -> list[float | None]:
        """Percentiles (0 to 100) of a stage in milliseconds, None before its first frame."""
        with self._lock:
            window = list(self._durations.get(stage, ()))
        if not window:
            return [None] * len(shares)
        return [float(value) for value in np.percentile(window, shares)]

    def last(self, stage: str) -> float | None:
        """A stage of the last frame in milliseconds, None before its first frame."""
        with self._lock:
            window = self._durations.get(stage)
            return window[-1] if window else None

    def stages(self) -> list[str]:
        """Names of the stages seen so far, in the order they were first seen."""
        with self._lock:
            return list(self._durations)

    def clear(self) -> None:
        """Forgets all frames."""
        with self._lock:
            self._durations.clear()
            self.delays = Delays()


class NodeTiming:
    """The times of all frames together and of each camera; safe between threads.

    Attributes:
        limit_ms: longest processing of a frame that is in time, 0 for no limit. May change at any
            time; a frame is judged by the limit that holds when it ends.
        together: the window of all frames.
        cameras: the window of each camera, by its name.

    Args:
        cameras: names of the cameras.
    """

    def __init__(self, cameras: Sequence[str] = (), *, limit_ms: float = 0.0) -> None:
        self.limit_ms = limit_ms
        self.together = TimingWindow()
        self.cameras = {camera: TimingWindow() for camera in cameras}
        self._cleared_at = -math.inf

    def add(
        self, camera: str, durations_ms: Mapping[str, float], *, since: float = math.inf
    ) -> None:
        """Adds the durations of one frame of a camera.

        Args:
            camera: its name.
            durations_ms: milliseconds by stage.
            since: when the frame arrived, seconds of the steady clock; one that arrived before
                everything was forgotten is left out.
        """
        if since < self._cleared_at:
            return
        is_late = bool(self.limit_ms) and durations_ms[DEADLINE_STAGE] > self.limit_ms
        self.together.add(durations_ms)
        self.cameras[camera].add(durations_ms, is_late=is_late)

    @property
    def delays(self) -> Delays:
        """The late frames of all cameras; in a row, the longest row of one."""
        found = [window.delays for window in self.cameras.values()]
        return Delays(
            sum(delays.total for delays in found),
            max((delays.in_a_row for delays in found), default=0),
        )

    def clear(self) -> None:
        """Forgets all frames."""
        self._cleared_at = time.monotonic()
        for window in (self.together, *self.cameras.values()):
            window.clear()
