# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that works on frames, so that the executor's thread only ever receives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.frame_store import Frame


class PublishPermit:
    """Whether one activation may still publish; withdrawn when nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._withdrawn = False

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Gives whether to publish; until the block ends, the answer stays true."""
        with self._lock:
            yield not self._withdrawn

    def withdraw(self) -> None:
        """Forbids publishing for good, after what is being published now."""
        with self._lock:
            self._withdrawn = True


class FrameWorker:
    """Hands frames to a function in a thread of its own, the newest of each camera in turn.

    Args:
        cameras: the cameras whose slots are emptied, in a fixed circle, so that a fast one cannot
            starve the others.
        handle: what to do with a frame; it must deal with its own errors, and publish only while
            it holds the permit.
        after: a thread of an earlier worker that has to end before the first frame is taken.
    """

    def __init__(
        self,
        cameras: Sequence[CameraState],
        handle: Callable[[CameraState, Frame, PublishPermit], None],
        *,
        after: threading.Thread | None = None,
    ) -> None:
        self._cameras = tuple(cameras)
        self._handle = handle
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._next = 0
        self._permit = PublishPermit()
        self._thread = after

    @property
    def unfinished(self) -> threading.Thread | None:
        """The thread that outlived `stop`, if it still runs."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    def start(self) -> None:
        """Starts the thread; it takes its first frame when the one before it has ended."""
        # New ones each time: a thread that outlived stop() ends after its frame, unpublished.
        self._stopping = threading.Event()
        self._permit = PublishPermit()
        self._thread = threading.Thread(
            target=self._run,
            args=(self._stopping, self._permit, self.unfinished),
            name='frame_worker',
            daemon=True,
        )
        self._thread.start()

    def notify(self) -> None:
        """Says that a slot was filled."""
        with self._wake:
            self._wake.notify()

    def stop(self, *, timeout_s: float) -> bool:
        """Ends the thread after the frame it works on; may be called again.

        Returns:
            False when the frame took longer than the timeout: the thread still runs, but its
            result is not published any more.
        """
        if self._thread is None:
            return True
        with self._wake:
            self._stopping.set()
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._permit.withdraw()
            return False
        self._thread = None
        return True

    def _run(
        self,
        stopping: threading.Event,
        permit: PublishPermit,
        previous: threading.Thread | None,
    ) -> None:
        """Works until stopped; never beside the thread before it."""
        if previous is not None:
            previous.join()
        while (taken := self._wait_for_frame(stopping)) is not None:
            self._handle(*taken, permit)

    def _wait_for_frame(self, stopping: threading.Event) -> tuple[CameraState, Frame] | None:
        """The next frame, or None once stopped: a later thread's frame is left alone."""
        with self._wake:
            while not stopping.is_set():
                taken = self._take()
                if taken is not None:
                    return taken
                self._wake.wait()
        return None

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
