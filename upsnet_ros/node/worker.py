# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that works on frames, so that the executor's thread only ever receives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from upsnet_ros.node.camera import CameraState, Frame


class FrameWorker:
    """Hands frames to a function in a thread of its own, the newest of each camera in turn.

    Args:
        cameras: the cameras whose slots are emptied, in a fixed circle, so that a fast one cannot
            starve the others.
        handle: what to do with a frame; it must deal with its own errors.
    """

    def __init__(
        self,
        cameras: Sequence[CameraState],
        handle: Callable[[CameraState, Frame], None],
    ) -> None:
        self._cameras = tuple(cameras)
        self._handle = handle
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._next = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        # A new event each time: a thread that outlived stop() still ends after its frame.
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopping,), name='frame_worker', daemon=True
        )
        self._thread.start()

    def notify(self) -> None:
        """Says that a slot was filled."""
        with self._wake:
            self._wake.notify()

    def stop(self, *, timeout_s: float) -> bool:
        """Ends the thread after the frame it works on; may be called again.

        Returns:
            False when the frame took longer than the timeout and the thread still runs.
        """
        if self._thread is None:
            return True
        with self._wake:
            self._stopping.set()
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._thread = None
        return True

    def _run(self, stopping: threading.Event) -> None:
        """Works until stopped."""
        while True:
            with self._wake:
                taken = self._take()
                while taken is None and not stopping.is_set():
                    self._wake.wait()
                    taken = self._take()
                if stopping.is_set():
                    return
            self._handle(*taken)

    def _take(self) -> tuple[CameraState, Frame] | None:
        """The newest frame of the next camera that has one."""
        count = len(self._cameras)
        for step in range(count):
            index = (self._next + step) % count
            frame = self._cameras[index].take()
            if frame is not None:
                self._next = (index + 1) % count
                return self._cameras[index], frame
        return None
