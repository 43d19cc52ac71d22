# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times of the last frames, and their percentiles."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

import numpy as np

WINDOW_FRAMES = 200


class TimingWindow:
    """Durations by stage over the last frames; may be written and read by different threads.

    Args:
        frames: how many frames are kept.
    """

    def __init__(self, *, frames: int = WINDOW_FRAMES) -> None:
        self._frames = frames
        self._lock = threading.Lock()
        self._durations: dict[str, deque[float]] = {}

    def add(self, durations_ms: Mapping[str, float]) -> None:
        """Adds the durations of one frame, in milliseconds by stage."""
        with self._lock:
            for stage, duration in durations_ms.items():
                window = self._durations.setdefault(stage, deque(maxlen=self._frames))
                window.append(duration)

    def percentile(self, stage: str, share: float) -> float | None:
        """A percentile (0 to 100) of a stage in milliseconds, None before its first frame."""
        with self._lock:
            window = list(self._durations.get(stage, ()))
        return float(np.percentile(window, share)) if window else None

    def stages(self) -> list[str]:
        """Names of the stages seen so far, in the order they were first seen."""
        with self._lock:
            return list(self._durations)

    def clear(self) -> None:
        """Forgets all frames."""
        with self._lock:
            self._durations.clear()
