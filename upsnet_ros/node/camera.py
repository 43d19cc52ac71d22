# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node knows of one camera: its newest frame, and what became of the earlier ones."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from upsnet_ros.node.waiting import (
    EVERY_IN_ORDER,
    Admission,
    AdmissionRules,
    Frame,
    Refusal,
    WaitingFrames,
)

RATE_WINDOW_S = 5.0
WARNING_INTERVAL_S = 5.0
ALIVE_S = 1.0
COUNTERS = (
    'received',
    'processed',
    'dropped',
    'overflowed',
    'out_of_order',
    'rate_limited',
    'rejected',
    'failed',
    'discarded',
)


@dataclass
class CameraSnapshot:
    """A camera's counters and last values at one moment.

    Attributes:
        name: prefix of its topics.
        received: messages that arrived while intake was open.
        processed: frames whose results were published.
        dropped: frames a newer one replaced before they were taken.
        overflowed: frames that found the queue full, where all frames are to be processed.
        out_of_order: frames refused for a stamp that was not later than the last.
        rate_limited: frames refused for coming faster than asked for.
        rejected: frames that could not be read.
        failed: frames whose processing broke down, or whose result came too late to be published.
        discarded: frames that waited when intake closed or the clock was set back.
        last_reason: why the last frame gave no result; empty when it gave one.
        last_loss: the counter of the last frame that was 'rejected' or 'failed'; empty before.
        last_age_s: seconds since the last message arrived, None before the first since intake
            opened.
        open_for_s: seconds since intake opened.
        rate_hz: messages per second over the last seconds.
        processed_hz: results per second over the last seconds.
        encoding: of the last processed frame, empty before the first.
        image_size: height and width in pixels of the last processed frame.
        qos_problem: the policy a publisher offers and the node cannot accept, or empty.
        waiting: frames that nobody took yet.
        order_is_broken: a frame was refused for its stamp within the last seconds.
        is_overflowing: a frame found the queue full within the last seconds.
    """

    name: str
    received: int = 0
    processed: int = 0
    dropped: int = 0
    overflowed: int = 0
    out_of_order: int = 0
    rate_limited: int = 0
    rejected: int = 0
    failed: int = 0
    discarded: int = 0
    last_reason: str = ''
    last_loss: str = ''
    last_age_s: float | None = None
    open_for_s: float = 0.0
    rate_hz: float = 0.0
    processed_hz: float = 0.0
    encoding: str = ''
    image_size: tuple[int, int] | None = None
    qos_problem: str = ''
    waiting: int = 0
    order_is_broken: bool = False
    is_overflowing: bool = False


class CameraState:
    """The waiting frames of one camera, and its counters; safe between threads.

    Args:
        name: prefix of the camera's topics.
        clock: steady clock in seconds.
        store: where frames wait; by default the newest alone.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        store: WaitingFrames | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._store = store if store is not None else WaitingFrames()
        self._admission = Admission()
        self._arrivals: deque[float] = deque()
        self._results: deque[float] = deque()
        self._stamps_ns: deque[int] = deque(maxlen=2)
        self._last_arrival: float | None = None
        self._known = CameraSnapshot(name)
        self._last_warning: float | None = None
        self._last_disorder = self._last_overflow = -math.inf
        self._opened_at = clock()

    def _count(self, counter: str, number: int = 1) -> None:
        """Counts messages; the lock is held."""
        setattr(self._known, counter, getattr(self._known, counter) + number)

    def offer(self, message: Any, *, rules: AdmissionRules = EVERY_IN_ORDER) -> bool:
        """Lets a message wait for the worker, if the rules admit it.

        Args:
            message: sensor_msgs Image or CompressedImage, or a packet of video.
            rules: which messages are admitted now.

        Returns:
            False when it is not going to be taken.
        """
        frame = Frame(message, self._clock())
        with self._lock:
            refusal = self._admission.refusal(frame, rules)
            if refusal is Refusal.OTHER_TRANSPORT:
                return False
            self._count('received')
            self._last_arrival = frame.received_at
            self._arrivals.append(frame.received_at)
            forget_old(self._arrivals, frame.received_at)
            self._known.qos_problem = ''
            if refusal is Refusal.OUT_OF_ORDER:
                self._last_disorder = frame.received_at
            elif refusal is None:
                self._stamps_ns.append(frame.stamp_ns)
            if refusal is None:
                lost = self._store.put(frame)
            else:
                lost = refusal.value
                self._store.pass_by(frame)
            if lost == 'overflowed':
                self._last_overflow = frame.received_at
            if lost:
                self._count(lost)
        return refusal is None and lost != 'overflowed'

    def take(self) -> Frame | None:
        """Removes and returns the next frame."""
        with self._lock:
            return self._store.take()

    def peek(self) -> Frame | None:
        """The next frame, which stays; a newer one may take its place at any moment."""
        with self._lock:
            return self._store.peek()

    def take_if(self, condition: Callable[[Frame], bool]) -> Frame | None:
        """Removes and returns the next frame if a condition on it holds."""
        with self._lock:
            frame = self._store.peek()
            return self._store.take() if frame is not None and condition(frame) else None

    def expects(self, stamp_ns: int, *, tolerance_ns: int) -> bool:
        """Whether a frame of about this stamp is to come soon, by the last two.

        A camera out of step with the others would else hold them up each time for nothing.
        """
        with self._lock:
            if self._last_arrival is None or self._clock() - self._last_arrival >= ALIVE_S:
                return False
            if len(self._stamps_ns) < 2:
                return True
            before, last = self._stamps_ns
        return abs(2 * last - before - stamp_ns) <= tolerance_ns

    def discard(self) -> None:
        """Discards the waiting frames, and forgets when the last ones arrived.

        Intake closes or opens: the time in between says nothing of the camera.
        """
        with self._lock:
            self._count('discarded', self._store.clear())
            self._admission.forget()
            self._forget_rates()
            self._last_arrival = None
            self._opened_at = self._clock()

    def begin_anew(self) -> None:
        """Forgets the stamps and rates, and the waiting frame where only the newest counts.

        The clock was set back. When the last frame arrived is known by another clock, and stays.
        So does the transport: the other one's first frame may come before the last of this one.
        """
        with self._lock:
            self._count('discarded', self._store.begin_anew())
            self._admission.forget_stamps()
            self._forget_rates()

    def _forget_rates(self) -> None:
        """Forgets the rhythm of the frames; the lock is held."""
        self._arrivals.clear()
        self._results.clear()
        self._stamps_ns.clear()

    def record_processed(self, *, encoding: str, image_size: tuple[int, int]) -> None:
        """Counts a frame whose results were published."""
        now = self._clock()
        with self._lock:
            self._results.append(now)
            forget_old(self._results, now)
            self._count('processed')
            self._known.last_reason = ''
            self._known.encoding, self._known.image_size = encoding, image_size

    def record_rejected(self, reason: str) -> bool:
        """Counts a frame that could not be read; returns whether a warning is due.

        Its transport is let go, so that a broken one does not shut out one that works.
        """
        with self._lock:
            self._admission.release_transport()
        return self._record_loss('rejected', reason)

    def record_failed(self, reason: str) -> bool:
        """Counts a frame whose processing broke down; returns whether a warning is due."""
        return self._record_loss('failed', reason)

    def _record_loss(self, counter: str, reason: str) -> bool:
        """Counts a lost frame; a warning is due at once, then at most every few seconds."""
        now = self._clock()
        with self._lock:
            self._count(counter)
            self._known.last_reason, self._known.last_loss = reason, counter
            due = self._last_warning is None or now - self._last_warning >= WARNING_INTERVAL_S
            if due:
                self._last_warning = now
        return due

    def record_qos_problem(self, policy: str) -> None:
        """Remembers that a publisher was refused for a policy; cleared by '' or a frame."""
        with self._lock:
            self._known.qos_problem = policy

    def snapshot(self) -> CameraSnapshot:
        """All counters and last values at this moment."""
        now = self._clock()
        with self._lock:
            forget_old(self._arrivals, now)
            forget_old(self._results, now)
            return replace(
                self._known,
                last_age_s=None if self._last_arrival is None else now - self._last_arrival,
                open_for_s=now - self._opened_at,
                rate_hz=rate_of(self._arrivals),
                processed_hz=rate_of(self._results),
                waiting=len(self._store),
                order_is_broken=now - self._last_disorder < RATE_WINDOW_S,
                is_overflowing=now - self._last_overflow < RATE_WINDOW_S,
            )


def forget_old(times: deque[float], now: float) -> None:
    """Keeps the times of the rate window only."""
    while times and times[0] < now - RATE_WINDOW_S:
        times.popleft()


def rate_of(times: Sequence[float]) -> float:
    """Events per second between the first and the last."""
    if len(times) < 2:
        return 0.0
    seconds = times[-1] - times[0]
    return (len(times) - 1) / seconds if seconds > 0 else 0.0
