# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the frames of one camera wait: the newest alone, or all of them up to a limit.

Not safe between threads by itself; `CameraState` holds its lock around every call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Frame:
    """One image message as it arrived; nothing of it is decoded yet.

    Attributes:
        message: sensor_msgs Image or CompressedImage.
        received_at: when it arrived, seconds of the steady clock.
    """

    message: Any
    received_at: float

    @property
    def stamp_ns(self) -> int:
        """The header's stamp in nanoseconds."""
        stamp = self.message.header.stamp
        return stamp.sec * 1_000_000_000 + stamp.nanosec


class FrameStore(Protocol):
    """Holds frames between the executor's thread and the worker's."""

    def put(self, frame: Frame) -> str:
        """Stores a frame; names the counter of the frame that was lost for it, or ''."""

    def take(self) -> Frame | None:
        """Removes and returns the next frame."""

    def peek(self) -> Frame | None:
        """The next frame, which stays."""

    def clear(self) -> int:
        """Forgets all frames; returns how many."""

    def begin_anew(self) -> int:
        """Forgets frames whose stamps mean nothing any more; returns how many."""

    def __len__(self) -> int:
        """How many frames wait."""


class NewestFrame:
    """A slot: a new frame takes the place of one that nobody took."""

    def __init__(self) -> None:
        self._frame: Frame | None = None

    def put(self, frame: Frame) -> str:
        """Stores a frame; 'dropped' when an older one was lost for it."""
        lost, self._frame = self._frame, frame
        return 'dropped' if lost is not None else ''

    def take(self) -> Frame | None:
        """Empties the slot and returns what was in it."""
        frame, self._frame = self._frame, None
        return frame

    def peek(self) -> Frame | None:
        """The frame in the slot, which stays."""
        return self._frame

    def clear(self) -> int:
        """Empties the slot; returns how many frames were in it."""
        lost, self._frame = len(self), None
        return lost

    def begin_anew(self) -> int:
        """Empties the slot, too: only the newest counts, and that is of another time."""
        return self.clear()

    def __len__(self) -> int:
        """1 or 0."""
        return int(self._frame is not None)


class AllFrames:
    """A queue that loses nothing until its memory is full.

    Args:
        limit_bytes: most bytes of image data that wait; one frame is always taken.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0

    def put(self, frame: Frame) -> str:
        """Stores a frame; 'overflowed' when it did not fit and was lost."""
        size = len(frame.message.data)
        if self._frames and self._bytes + size > self._limit_bytes:
            return 'overflowed'
        self._frames.append(frame)
        self._bytes += size
        return ''

    def take(self) -> Frame | None:
        """Removes and returns the oldest frame."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame.message.data)
        return frame

    def peek(self) -> Frame | None:
        """The oldest frame, which stays."""
        return self._frames[0] if self._frames else None

    def clear(self) -> int:
        """Forgets all frames; returns how many."""
        lost = len(self._frames)
        self._frames.clear()
        self._bytes = 0
        return lost

    def begin_anew(self) -> int:
        """Keeps all frames: every one is to be answered, whatever the clock does."""
        return 0

    def __len__(self) -> int:
        """How many frames wait."""
        return len(self._frames)
