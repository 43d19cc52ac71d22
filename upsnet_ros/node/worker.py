# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that works on frames, so that the executor's thread only ever receives.

It takes one frame of each camera in turn, or those of one moment together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.waiting import Frame

CameraFrame = tuple[CameraState, Frame]
NANOSECONDS = 1_000_000_000
ACTIVATION_ENDED = 'its activation ended before it was done'
# The longest that the end of a publication is waited for; one that hangs must not hang the node.
PUBLICATION_S = 0.3


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

    def are_near(self, one: Frame, other: Frame) -> bool:
        """True for frames whose stamps lie within the tolerance."""
        return abs(one.stamp_ns - other.stamp_ns) <= self.tolerance_ns


ONE_BY_ONE = BatchLimits()


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
        circle = [*self._cameras[self._next :], *self._cameras[: self._next]]
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
        for camera in circle if limits.allow_batches else ():
            if camera is not first and len(taken) < limits.size:
                other = camera.take_if(lambda other: limits.are_near(other, frame))
                if other is not None:
                    taken.append((camera, other))
        return taken, None

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
            elif limits.are_near(other, frame):
                near, expected = near + 1, expected + 1
        if near >= min(limits.size, expected):
            return 0.0
        if self._waiting_since is None:
            # The first may be replaced by its camera's next, which must not begin the wait anew.
            self._waiting_since = frame.received_at
        return max(0.0, self._waiting_since + limits.tolerance_s - now)


class FramesInWork:
    """The frames that one activation has taken and not counted yet; safe between threads.

    Whoever claims a frame counts it, so that each is in one counter: the worker's thread, as it
    publishes or loses it, or the thread that gives the work up. From then on no frame can be
    claimed, so nothing is published any more.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._cameras: list[CameraState] = []
        self._is_claimed = False
        self.is_given_up = False

    def begin(self, cameras: Sequence[CameraState]) -> None:
        """Work on a frame of each of the cameras begins."""
        with self._changed:
            self._cameras = list(cameras)

    @contextmanager
    def claim(self, camera: CameraState) -> Iterator[bool]:
        """Gives whether the frame of a camera is to be counted, and published, within the block.

        A block that dies counts as a failure of the frame.
        """
        with self._changed:
            is_ours = camera in self._cameras
            if is_ours:
                self._cameras.remove(camera)
                self._is_claimed = True
        try:
            yield is_ours
        except BaseException as error:
            if is_ours:
                camera.record_failed(f'{type(error).__name__}: {error}')
            raise
        finally:
            if is_ours:
                with self._changed:
                    self._is_claimed = False
                    self._changed.notify_all()

    def fail(self, reason: str) -> None:
        """Counts the frames that nobody has claimed as failed."""
        with self._changed:
            left, self._cameras = self._cameras, []
        for camera in left:
            camera.record_failed(reason)

    def give_up(self, reason: str) -> None:
        """Lets no frame be claimed any more, and waits for one that is being published now."""
        self.is_given_up = True
        self.fail(reason)
        with self._changed:
            self._changed.wait_for(lambda: not self._is_claimed, PUBLICATION_S)


@dataclass
class _Run:
    """What one thread does now; written by it alone, but for the event.

    Attributes:
        stopping: set when it has to end.
        in_work: the frames that it works on.
        busy_since: when it began what it does, seconds of the steady clock; None while it waits
            for a frame.
        death: why it ended unasked; empty when it did not.
    """

    stopping: threading.Event = field(default_factory=threading.Event)
    in_work: FramesInWork = field(default_factory=FramesInWork)
    busy_since: float | None = None
    death: str = ''


class FrameWorker:
    """Hands frames to a function in a thread of its own, each camera in turn.

    Args:
        cameras: the cameras whose frames are taken.
        handle: what to do with frames taken together; it must deal with its own errors, and
            publish and count only what it claims.
        limits: how many frames may be taken together now.
        after: a thread of an earlier worker that has to end before the first frame is taken.
    """

    def __init__(
        self,
        cameras: Sequence[CameraState],
        handle: Callable[[Sequence[CameraFrame], FramesInWork], None],
        *,
        limits: Callable[[], BatchLimits] = lambda: ONE_BY_ONE,
        after: threading.Thread | None = None,
    ) -> None:
        self._selector = FrameSelector(cameras)
        self._limits = limits
        self._handle = handle
        self._wake = threading.Condition()
        self._run = _Run()
        self._thread = after

    @property
    def unfinished(self) -> threading.Thread | None:
        """The thread that outlived `stop`, if it still runs."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    @property
    def is_given_up(self) -> bool:
        """Whether the thread did not end when it had to, and may not publish any more."""
        return self._run.in_work.is_given_up

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

    def stop(self, *, timeout_s: float, reason: str = ACTIVATION_ENDED) -> bool:
        """Ends the thread after the frame it works on; may be called again.

        A thread that outlives the timeout is given up: it does not publish any more, and a frame
        that it has not published yet counts as failed, for the reason given. It is not waited for
        a second time.

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
                self._run.in_work.give_up(reason)
            return False
        self._thread = None
        return True

    def _work(self, run: _Run, previous: threading.Thread | None) -> None:
        """Works until stopped; never beside the thread before it."""
        try:
            if previous is not None:
                run.busy_since = time.monotonic()
                previous.join()
                run.busy_since = None
            while taken := self._wait_for_frames(run):
                self._handle(taken, run.in_work)
                run.busy_since = None
        except BaseException as error:  # a thread that dies must not do so unseen
            run.death = f'{type(error).__name__}: {error}'
            run.in_work.fail(run.death)
        finally:
            run.busy_since = None

    def _wait_for_frames(self, run: _Run) -> list[CameraFrame]:
        """The next frames, none once stopped: a later thread's frame is left alone.

        They are in work before `stop` could give the run up without them.
        """
        with self._wake:
            while not run.stopping.is_set():
                taken, patience = self._selector.take(self._limits(), time.monotonic())
                if taken:
                    run.busy_since = time.monotonic()
                    run.in_work.begin([camera for camera, _ in taken])
                    return taken
                self._wake.wait(patience)
        return []
