# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that works on frames, so that the executor's thread only ever receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from upsnet_ros.node.batching import BatchLimits, CameraFrame, FrameSelector
from upsnet_ros.node.camera import CameraState

# The longest that the end of a publication is waited for; one that hangs must not hang the node.
PUBLICATION_S = 0.5
ONE_BY_ONE = BatchLimits()


class PublishPermit:
    """Whether one activation may still publish; withdrawn when nobody waits for it any more."""

    def __init__(self) -> None:
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


@dataclass
class _Run:
    """What one thread does now; written by it alone, but for the event and the permit.

    Attributes:
        stopping: set when it has to end.
        permit: whether it may publish.
        busy_since: when it began what it does, seconds of the steady clock; None while it waits
            for a frame.
        in_work: the cameras whose frames it works on.
        death: why it ended unasked; empty when it did not.
    """

    stopping: threading.Event = field(default_factory=threading.Event)
    permit: PublishPermit = field(default_factory=PublishPermit)
    busy_since: float | None = None
    in_work: tuple[CameraState, ...] = ()
    death: str = ''


class FrameWorker:
    """Hands frames to a function in a thread of its own, each camera in turn.

    Args:
        cameras: the cameras whose frames are taken.
        handle: what to do with frames taken together; it must deal with its own errors, and
            publish only while it holds the permit.
        limits: how many frames may be taken together now.
        prepare: called in the thread before each look for a frame.
        after: a thread of an earlier worker that has to end before the first frame is taken.
    """

    def __init__(
        self,
        cameras: Sequence[CameraState],
        handle: Callable[[Sequence[CameraFrame], PublishPermit], None],
        *,
        limits: Callable[[], BatchLimits] = lambda: ONE_BY_ONE,
        prepare: Callable[[], None] = lambda: None,
        after: threading.Thread | None = None,
    ) -> None:
        self._selector = FrameSelector(cameras)
        self._limits = limits
        self._handle = handle
        self._prepare = prepare
        self._wake = threading.Condition()
        self._run = _Run()
        self._thread = after

    @property
    def unfinished(self) -> threading.Thread | None:
        """The thread that outlived `stop`, if it still runs."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    @property
    def death(self) -> str:
        """Why the thread ended unasked; empty when it did not."""
        return self._run.death

    @property
    def in_work(self) -> tuple[CameraState, ...]:
        """The cameras whose frames are in work, or were when the thread died."""
        return self._run.in_work

    @property
    def busy_for_s(self) -> float:
        """Seconds that the thread spent on what it does now; 0 while it waits for a frame."""
        since = self._run.busy_since
        return 0.0 if since is None else time.monotonic() - since

    def start(self) -> None:
        """Starts the thread; it takes its first frame when the one before it has ended."""
        # A new run each time: a thread that outlived stop() ends after its frame, unpublished.
        self._run = _Run()
        self._thread = threading.Thread(
            target=self._work,
            args=(self._run, self.unfinished),
            name='frame_worker',
            daemon=True,
        )
        self._thread.start()

    def notify(self) -> None:
        """Says that a frame waits."""
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
            self._run.stopping.set()
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._run.permit.withdraw()
            return False
        self._thread = None
        return True

    def abandon(self) -> None:
        """Gives the thread up: it never publishes again, and nothing waits for its end.

        What it works with must not be used by the next one.
        """
        self._run.permit.withdraw()
        with self._wake:
            self._run.stopping.set()
            self._wake.notify_all()
        self._thread = None

    def _work(self, run: _Run, previous: threading.Thread | None) -> None:
        """Works until stopped; never beside the thread before it."""
        try:
            if previous is not None:
                run.busy_since = time.monotonic()
                previous.join()
            self._serve(run)
        except BaseException as error:  # a thread that dies must not do so unseen
            run.death = f'{type(error).__name__}: {error}'
            for camera in run.in_work:
                camera.record_failed(run.death)
        finally:
            run.busy_since = None

    def _serve(self, run: _Run) -> None:
        """Takes frames until stopped."""
        while not run.stopping.is_set():
            run.busy_since = time.monotonic()
            self._prepare()
            run.busy_since = None
            taken = self._wait_for_frames(run.stopping)
            run.busy_since = time.monotonic()
            run.in_work = tuple(camera for camera, _ in taken)
            if taken:
                self._handle(taken, run.permit)
            run.in_work = ()

    def _wait_for_frames(self, stopping: threading.Event) -> list[CameraFrame]:
        """The next frames, or none once stopped: a later thread's frame is left alone."""
        with self._wake:
            while not stopping.is_set():
                taken, patience = self._selector.take(self._limits(), time.monotonic())
                if taken:
                    return taken
                self._wake.wait(patience)
        return []
