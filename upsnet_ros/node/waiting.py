# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which messages of a camera become frames, and where those wait for the worker.

One transport, in order, not more than asked for; then the newest alone, or all of them up to a
limit. Nothing here is safe between threads by itself; `CameraState` holds its lock around every
call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from std_msgs.msg import Header

from upsnet_ros.images.messages import message_frame_id, message_stamp, stamp_ns
from upsnet_ros.images.video import video_codec

# Packets of video that may wait to be decoded: of more it takes longer to catch up with the camera
# than until its next key frame.
MOST_PACKETS, MOST_PACKET_BYTES = 64, 32 << 20


@dataclass(frozen=True)
class Frame:
    """One image message as it arrived; nothing of it is decoded yet.

    Attributes:
        message: sensor_msgs Image or CompressedImage, or a packet of video.
        received_at: when it arrived, seconds of the steady clock.
        before: of video: packets that have to be decoded first, whose pictures nobody wants.
        follows_loss: of video: packets before those were lost.
    """

    message: Any
    received_at: float
    before: tuple[Frame, ...] = ()
    follows_loss: bool = False
    is_video: bool = field(init=False)

    def __post_init__(self) -> None:
        """Looks once what the message is."""
        object.__setattr__(self, 'is_video', video_codec(self.message) is not None)

    @property
    def stamp_ns(self) -> int:
        """The stamp in nanoseconds."""
        return stamp_ns(message_stamp(self.message))

    @property
    def header(self) -> Header:
        """The message's header, or one of what it has in place of that."""
        header = getattr(self.message, 'header', None)
        if header is not None:
            return header
        return Header(stamp=message_stamp(self.message), frame_id=message_frame_id(self.message))

    @property
    def size(self) -> int:
        """Bytes of image data."""
        return len(self.message.data)


class WaitingFrames:
    """The frames that wait: the newest alone, or all of them until their memory is full.

    A packet of video is no picture without those before it. So where a newer one takes its place
    it is kept for the newer one's sake, to be decoded and not shown: that is a small part of what
    labelling takes, and waiting for key frames instead would lose seconds each time. Once too many
    wait all are forgotten, and video goes on from the next key frame.

    Args:
        limit_bytes: most bytes of image data that wait, though one frame is always taken; None
            for the newest frame alone.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._passed: tuple[Frame, ...] = ()
        self._is_cut = False

    def put(self, frame: Frame) -> str:
        """Stores a frame; names the counter of the frame that was lost for it, or ''."""
        lost = ''
        if self._limit_bytes is None:
            replaced = self.take()
            lost = 'dropped' if replaced is not None else ''
            if replaced is not None and replaced.is_video:
                self._is_cut = self._is_cut or replaced.follows_loss
                alone = replace(replaced, before=(), follows_loss=False)
                self._keep_passed((*replaced.before, alone, *self._passed))
        elif self._frames and self._bytes + frame.size > self._limit_bytes:
            self._cut()
            return 'overflowed'
        if frame.is_video:
            frame = replace(frame, before=self._passed, follows_loss=self._is_cut)
            self._passed, self._is_cut = (), False
        self._frames.append(frame)
        self._bytes += frame.size
        return lost

    def pass_by(self, frame: Frame) -> None:
        """Keeps a packet of video, whose own picture is not wanted, for the next one's sake."""
        if frame.is_video:
            self._keep_passed((*self._passed, frame))

    def _keep_passed(self, packets: tuple[Frame, ...]) -> None:
        self._passed = packets
        total = sum(packet.size for packet in packets)
        if len(packets) > MOST_PACKETS or total > MOST_PACKET_BYTES:
            self._cut()

    def _cut(self) -> None:
        """Forgets the packets of video that were passed by: those to come follow a loss."""
        self._passed, self._is_cut = (), True

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
        self._cut()
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
