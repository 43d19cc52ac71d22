# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node knows of one camera: its newest frame, and what became of the earlier ones."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RATE_WINDOW_S = 5.0
WARNING_INTERVAL_S = 5.0
SWITCH_AFTER_S = 2.0


@dataclass(frozen=True)
class Frame:
    """One image message as it arrived; nothing of it is decoded yet.

    Attributes:
        message: sensor_msgs Image or CompressedImage.
        received_at: when it arrived, seconds of the steady clock.
    """

    message: Any
    received_at: float


@dataclass(frozen=True)
class CameraSnapshot:
    """A camera's counters and last values at one moment.

    Attributes:
        name: prefix of its topics.
        received: messages that arrived while intake was open.
        processed: frames whose results were published.
        dropped: frames a newer one replaced before they were taken.
        rejected: frames that could not be read.
        failed: frames whose processing broke down.
        last_reason: why the last frame gave no result; empty when it gave one.
        last_reason_is_failure: True when that frame failed, False when it was rejected.
        last_age_s: seconds since the last message arrived, None before the first since intake
            opened.
        rate_hz: messages per second over the last seconds.
        encoding: of the last processed frame, empty before the first.
        image_size: height and width in pixels of the last processed frame.
        qos_problem: the policy a publisher offers and the node cannot accept, or empty.
    """

    name: str
    received: int
    processed: int
    dropped: int
    rejected: int
    failed: int
    last_reason: str
    last_reason_is_failure: bool
    last_age_s: float | None
    rate_hz: float
    encoding: str
    image_size: tuple[int, int] | None
    qos_problem: str


class CameraState:
    """The slot for the newest frame of one camera, and its counters; safe between threads.

    Args:
        name: prefix of the camera's topics.
        clock: steady clock in seconds.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._slot: Frame | None = None
        self._arrivals: deque[float] = deque()
        self._last_arrival: float | None = None
        self._transport: type | None = None
        self._counts = dict.fromkeys(('received', 'processed', 'dropped', 'rejected', 'failed'), 0)
        self._last_reason = ''
        self._last_loss = ''
        self._last_warning: float | None = None
        self._encoding = ''
        self._image_size: tuple[int, int] | None = None
        self._qos_problem = ''

    def offer(self, message: Any, *, switch_after_s: float = SWITCH_AFTER_S) -> bool:
        """Puts a message into the slot, in place of an older one that nobody took.

        The first transport that delivers is kept: the other one brings the same frames, early or
        late by any number of them. Stamps are not compared, so they may start anew at any time.

        Args:
            message: sensor_msgs Image or CompressedImage.
            switch_after_s: seconds without a message after which the other transport is taken.

        Returns:
            False when the message came over the transport that is not in use.
        """
        now = self._clock()
        with self._lock:
            if self._is_other_transport(type(message), now, switch_after_s):
                return False
            self._transport = type(message)
            self._counts['received'] += 1
            self._counts['dropped'] += self._slot is not None
            self._slot = Frame(message, now)
            self._last_arrival = now
            self._arrivals.append(now)
            self._forget_old_arrivals(now)
            self._qos_problem = ''
        return True

    def _is_other_transport(self, kind: type, now: float, switch_after_s: float) -> bool:
        """True for another kind of message while those of the one in use still arrive."""
        if self._transport in (None, kind):
            return False
        return now - self._last_arrival <= switch_after_s

    def _forget_old_arrivals(self, now: float) -> None:
        """Keeps the arrivals of the rate window only."""
        while self._arrivals and self._arrivals[0] < now - RATE_WINDOW_S:
            self._arrivals.popleft()

    def take(self) -> Frame | None:
        """Empties the slot and returns what was in it."""
        with self._lock:
            frame, self._slot = self._slot, None
        return frame

    def discard(self) -> None:
        """Forgets the waiting frame, not counted as dropped, and when the last ones arrived.

        Intake closes or opens: the time in between says nothing of the camera.
        """
        with self._lock:
            self._slot = None
            self._transport = None
            self._last_arrival = None
            self._arrivals.clear()

    def record_processed(self, *, encoding: str, image_size: tuple[int, int]) -> None:
        """Counts a frame whose results were published."""
        with self._lock:
            self._counts['processed'] += 1
            self._last_reason = ''
            self._encoding = encoding
            self._image_size = image_size

    def record_rejected(self, reason: str) -> bool:
        """Counts a frame that could not be read; returns whether a warning is due.

        Its transport is let go, so that a broken one does not shut out one that works.
        """
        with self._lock:
            self._transport = None
        return self._record_loss('rejected', reason)

    def record_failed(self, reason: str) -> bool:
        """Counts a frame whose processing broke down; returns whether a warning is due."""
        return self._record_loss('failed', reason)

    def _record_loss(self, counter: str, reason: str) -> bool:
        """Counts a lost frame; a warning is due at once, then at most every few seconds."""
        now = self._clock()
        with self._lock:
            self._counts[counter] += 1
            self._last_reason = reason
            self._last_loss = counter
            due = self._last_warning is None or now - self._last_warning >= WARNING_INTERVAL_S
            if due:
                self._last_warning = now
        return due

    def record_qos_problem(self, policy: str) -> None:
        """Remembers that a publisher was refused for a policy; cleared by '' or a frame."""
        with self._lock:
            self._qos_problem = policy

    def snapshot(self) -> CameraSnapshot:
        """All counters and last values at this moment."""
        now = self._clock()
        with self._lock:
            self._forget_old_arrivals(now)
            age = None if self._last_arrival is None else now - self._last_arrival
            return CameraSnapshot(
                name=self.name,
                **self._counts,
                last_reason=self._last_reason,
                last_reason_is_failure=self._last_loss == 'failed',
                last_age_s=age,
                rate_hz=self._rate(),
                encoding=self._encoding,
                image_size=self._image_size,
                qos_problem=self._qos_problem,
            )

    def _rate(self) -> float:
        """Messages per second between the first and the last arrival of the window."""
        if len(self._arrivals) < 2:
            return 0.0
        seconds = self._arrivals[-1] - self._arrivals[0]
        return (len(self._arrivals) - 1) / seconds if seconds > 0 else 0.0
