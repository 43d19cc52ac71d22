# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one run of the worker may still do with its frames: publish them, and count them once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from upsnet_ros.node.camera import CameraState

# The longest that the end of a publication is waited for; one that hangs must not hang the node.
PUBLICATION_S = 0.3


class FramesInWork:
    """The frames that were taken and are in no counter yet, one a camera; safe between threads.

    The worker's thread counts a frame when it is done with it, and the thread that gives the
    worker up counts what is left then. Whoever settles a frame counts it, so each is counted once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cameras: list[CameraState] = []

    def begin(self, cameras: Iterable[CameraState]) -> None:
        """Work on a frame of each of the cameras begins."""
        with self._lock:
            self._cameras.extend(cameras)

    def settle(self, camera: CameraState) -> bool:
        """Whether the frame of a camera is still to be counted; from now on it is not."""
        with self._lock:
            is_open = camera in self._cameras
            if is_open:
                self._cameras.remove(camera)
        return is_open

    def fail_all(self, reason: str) -> None:
        """Counts the frames that are left as failed."""
        with self._lock:
            left, self._cameras = self._cameras, []
        for camera in left:
            camera.record_failed(reason)


class PublishPermit:
    """Whether one activation may still publish; withdrawn when nobody waits for it any more.

    Attributes:
        in_work: the frames of this activation that are in no counter yet.
    """

    def __init__(self) -> None:
        self.in_work = FramesInWork()
        self._lock = threading.Lock()
        self._withdrawn = False

    @property
    def is_withdrawn(self) -> bool:
        """True once it was withdrawn."""
        return self._withdrawn

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Gives whether to publish; until the block ends, the answer stays true."""
        with self._lock:
            yield not self._withdrawn

    def withdraw(self) -> None:
        """Forbids publishing for good, and waits for what is being published now."""
        self._withdrawn = True
        if self._lock.acquire(timeout=PUBLICATION_S):
            self._lock.release()
