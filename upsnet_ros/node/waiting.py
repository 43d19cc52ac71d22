# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which messages of a camera become frames, and where those wait for the worker.

One transport, in order, not more than asked for; then the newest alone, or all of them up to a
limit. Nothing here is safe between threads by itself; `CameraState` holds its lock around every
call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any


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

    @property
    def size(self) -> int:
        """Bytes of image data."""
        return len(self.message.data)


class WaitingFrames:
    """The frames that wait: the newest alone, or all of them until their memory is full.

    Args:
        limit_bytes: most bytes of image data that wait, though one frame is always taken; None
            for the newest frame alone.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0

    def put(self, frame: Frame) -> str:
        """Stores a frame; names the counter of the frame that was lost for it, or ''."""
        lost = ''
        if self._limit_bytes is None:
            lost = 'dropped' if self.clear() else ''
        elif self._frames and self._bytes + frame.size > self._limit_bytes:
            return 'overflowed'
        self._frames.append(frame)
        self._bytes += frame.size
        return lost

    def take(self) -> Frame | None:
        """Removes and returns the oldest frame."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= frame.size
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
        """Forgets what is of another time, where only the newest counts; returns how many.

        Where every frame is to be answered, it is, whatever the clock does.
        """
        return self.clear() if self._limit_bytes is None else 0

    def __len__(self) -> int:
        """How many frames wait."""
        return len(self._frames)


SWITCH_AFTER_S = 2.0
# A stamp that is older than the last by more than this, or that is refused for longer than this,
# is no late message: the camera's clock was set back, or a recording began anew.
RESTART_AFTER_S = 1.0
# A camera's messages never come at exact intervals; half of those of a camera at the very rate
# that is allowed would else be refused.
RATE_TOLERANCE = 0.1


@dataclass(frozen=True)
class AdmissionRules:
    """What may become a frame; may change between two messages.

    Attributes:
        switch_after_s: seconds without a message after which the other transport is taken.
        drop_out_of_order: refuse stamps that are not later than the last.
        max_rate_hz: most frames per second, 0 for all.
    """

    switch_after_s: float = SWITCH_AFTER_S
    drop_out_of_order: bool = True
    max_rate_hz: float = 0.0


EVERY_IN_ORDER = AdmissionRules()


class Refusal(Enum):
    """Why a message is no frame; the value is the counter it goes to, '' for none."""

    OTHER_TRANSPORT = ''
    OUT_OF_ORDER = 'out_of_order'
    RATE = 'rate_limited'


class Admission:
    """Remembers what decides about the next message of one camera."""

    def __init__(self) -> None:
        self._transport: type | None = None
        self._last_message_at = 0.0
        self._last_stamp_ns: int | None = None
        self._last_admitted_at = 0.0
        self._due_at = 0.0

    def refusal(self, frame: Frame, rules: AdmissionRules) -> Refusal | None:
        """Why a frame that just arrived is refused, or None; remembers it either way.

        The first transport that delivers is kept: the other one brings the same frames, early or
        late by any number of them.
        """
        kind, now = type(frame.message), frame.received_at
        if self._transport not in (None, kind):
            if now - self._last_message_at <= rules.switch_after_s:
                return Refusal.OTHER_TRANSPORT
            self._last_stamp_ns = None
        self._transport = kind
        self._last_message_at = now
        if rules.drop_out_of_order and self._is_out_of_order(frame):
            return Refusal.OUT_OF_ORDER
        if not self._is_due(now, rules.max_rate_hz):
            return Refusal.RATE
        self._last_stamp_ns, self._last_admitted_at = frame.stamp_ns, now
        return None

    def _is_out_of_order(self, frame: Frame) -> bool:
        """True for a stamp that is equal to the last one or a little earlier.

        A camera that gives no stamps has no order.
        """
        if self._last_stamp_ns is None or frame.stamp_ns == 0:
            return False
        late_s = (self._last_stamp_ns - frame.stamp_ns) * 1e-9
        is_recent = frame.received_at - self._last_admitted_at < RESTART_AFTER_S
        return is_recent and 0 <= late_s < RESTART_AFTER_S

    def _is_due(self, now: float, max_rate_hz: float) -> bool:
        """False for a frame that comes before its time; keeps the average at the rate."""
        if not max_rate_hz:
            self._due_at = 0.0
            return True
        interval = 1 / max_rate_hz
        self._due_at = min(self._due_at, now + interval)  # the rate was raised
        if now < self._due_at - RATE_TOLERANCE * interval:
            return False
        kept_up = now - self._due_at < interval
        self._due_at = (self._due_at if kept_up else now) + interval
        return True

    def release_transport(self) -> None:
        """Lets the next message decide about the transport, whatever its stamp."""
        self._transport = None
        self._last_stamp_ns = None

    def forget_stamps(self) -> None:
        """Admits the next message of the same transport, whatever its stamp."""
        self._last_stamp_ns = None
        self._due_at = 0.0

    def forget(self) -> None:
        """Begins anew."""
        self._transport = None
        self.forget_stamps()
