# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames are worked on next: one of each camera in turn, or those of one moment together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.waiting import Frame

CameraFrame = tuple[CameraState, Frame]
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class BatchLimits:
    """How many frames may be worked on together.

    Attributes:
        size: most frames, at least 1.
        tolerance_s: most seconds between the stamps of two of them, and between the arrival of
            the first and the begin of work; 0 for one frame at a time.
    """

    size: int = 1
    tolerance_s: float = 0.0

    @property
    def tolerance_ns(self) -> int:
        """The tolerance in nanoseconds."""
        return round(self.tolerance_s * NANOSECONDS)

    @property
    def allow_batches(self) -> bool:
        """True where two frames may be taken together."""
        return self.size > 1 and self.tolerance_s > 0


class FrameSelector:
    """Takes frames from the cameras; used by one thread.

    Args:
        cameras: served in a fixed circle, so that a fast one cannot starve the others.
    """

    def __init__(self, cameras: Sequence[CameraState]) -> None:
        self._cameras = tuple(cameras)
        self._next = 0
        self._waiting_since: float | None = None

    def take(self, limits: BatchLimits, now: float) -> tuple[list[CameraFrame], float | None]:
        """The next frames.

        Args:
            limits: how many may be taken together.
            now: seconds of the steady clock.

        Returns:
            Frames of different cameras, and None; or no frames, and the seconds after which to
            ask again at the latest, None where only a new frame makes a difference.
        """
        circle = self._circle()
        first = next((camera for camera in circle if camera.peek() is not None), None)
        if first is None:
            self._waiting_since = None
            return [], None
        if limits.allow_batches:
            patience = self._patience(first, limits, now)
            if patience > 0:
                return [], patience
        self._waiting_since = None
        frame = first.take()
        if frame is None:  # intake was closed in between
            return [], None
        self._next = (self._cameras.index(first) + 1) % len(self._cameras)
        taken = [(first, frame)]
        if limits.allow_batches:
            taken += self._companions(first, frame, circle, limits)
        return taken, None

    def _circle(self) -> list[CameraState]:
        """All cameras, the one whose turn it is first."""
        return [*self._cameras[self._next :], *self._cameras[: self._next]]

    def _patience(self, first: CameraState, limits: BatchLimits, now: float) -> float:
        """Seconds to wait for frames that belong to the first; 0 when none is to be expected."""
        frame = first.peek()
        if frame is None:
            return 0.0
        near, expected = 1, 1
        for camera in self._cameras:
            other = camera.peek()
            if camera is first:
                continue
            if other is None:
                expected += camera.expects(frame.stamp_ns, tolerance_ns=limits.tolerance_ns)
            elif is_near(other, frame, limits):
                near, expected = near + 1, expected + 1
        if near >= min(limits.size, expected):
            return 0.0
        if self._waiting_since is None:
            # The first may be replaced by its camera's next, which must not begin the wait anew.
            self._waiting_since = frame.received_at
        return max(0.0, self._waiting_since + limits.tolerance_s - now)

    def _companions(
        self,
        first: CameraState,
        frame: Frame,
        circle: Sequence[CameraState],
        limits: BatchLimits,
    ) -> list[CameraFrame]:
        """Frames of the other cameras that belong to one, in turn, as many as there is room."""
        taken: list[CameraFrame] = []
        for camera in circle:
            if camera is first:
                continue
            if len(taken) + 1 >= limits.size:
                break
            other = camera.take_if(lambda other: is_near(other, frame, limits))
            if other is not None:
                taken.append((camera, other))
        return taken


def is_near(one: Frame, other: Frame, limits: BatchLimits) -> bool:
    """True for frames whose stamps lie within the tolerance."""
    return abs(one.stamp_ns - other.stamp_ns) <= limits.tolerance_ns
