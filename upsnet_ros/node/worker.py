# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that works on frames, so that the executor's thread only ever receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from upsnet_ros.node.batching import BatchLimits, CameraFrame, FrameSelector
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.publish_permit import PublishPermit

ACTIVATION_ENDED = 'its activation ended before it was done'
ONE_BY_ONE = BatchLimits()


@dataclass
class _Run:
    """What one thread does now; written by it alone, but for the event and the permit.

    Attributes:
        stopping: set when it has to end.
        permit: whether it may publish, and the frames that it works on.
        busy_since: when it began what it does, seconds of the steady clock; None while it waits
            for a frame.
        death: why it ended unasked; empty when it did not.
    """

    stopping: threading.Event = field(default_factory=threading.Event)
    permit: PublishPermit = field(default_factory=PublishPermit)
    busy_since: float | None = None
    death: str = ''


class FrameWorker:
    """Hands frames to a function in a thread of its own, each camera in turn.

    Args:
        cameras: the cameras whose frames are taken.
        handle: what to do with frames taken together; it must deal with its own errors, publish
            only while it holds the permit, and count only the frames that it settles there.
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
    def is_given_up(self) -> bool:
        """Whether the thread was forbidden to publish, as it did not end when it had to."""
        return self._run.permit.is_withdrawn

    @property
    def death(self) -> str:
        """Why the thread ended unasked; empty when it did not."""
        return self._run.death

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

        A thread that outlives the timeout is given up: it does not publish any more, and a frame
        that it has not published yet counts as failed. It is not waited for a second time.

        Returns:
            False when it still runs.
        """
        if self._thread is None:
            return True
        with self._wake:
            self._run.stopping.set()
            self._wake.notify_all()
        self._thread.join(0.0 if self.is_given_up else timeout_s)
        if self._thread.is_alive():
            if not self.is_given_up:
                self._give_up(ACTIVATION_ENDED)
            return False
        self._thread = None
        return True

    def abandon(self, reason: str) -> None:
        """Gives the thread up: it never publishes again, and nothing waits for its end.

        What it works with must not be used by the next one. Its frames count as failed.
        """
        with self._wake:
            self._run.stopping.set()
            self._wake.notify_all()
        self._give_up(reason)
        self._thread = None

    def _give_up(self, reason: str) -> None:
        """Forbids the thread to publish, and counts the frames that it still works on."""
        self._run.permit.withdraw()
        self._run.permit.in_work.fail_all(reason)

    def _work(self, run: _Run, previous: threading.Thread | None) -> None:
        """Works until stopped; never beside the thread before it."""
        try:
            if previous is not None:
                run.busy_since = time.monotonic()
                previous.join()
            self._serve(run)
        except BaseException as error:  # a thread that dies must not do so unseen
            run.death = f'{type(error).__name__}: {error}'
            run.permit.in_work.fail_all(run.death)
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
            in_work = run.permit.in_work
            in_work.begin(camera for camera, _ in taken)
            if taken:
                self._handle(taken, run.permit)
            # Taken at the very moment when the run was given up, or not counted by the handler.
            in_work.fail_all(ACTIVATION_ENDED)

    def _wait_for_frames(self, stopping: threading.Event) -> list[CameraFrame]:
        """The next frames, or none once stopped: a later thread's frame is left alone."""
        with self._wake:
            while not stopping.is_set():
                taken, patience = self._selector.take(self._limits(), time.monotonic())
                if taken:
                    return taken
                self._wake.wait(patience)
        return []
