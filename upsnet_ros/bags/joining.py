# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The images of a bag with the ground truth of exactly their stamp, in one pass.

An image waits until the ground truth read so far is as late as itself. In most bags that is at
once, and the bag is read once. Where the two lie far apart, as after labels were added to a drive,
ground truth is read in a pass of its own, so that memory stays what it is.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from upsnet_ros.bags.cameras import CameraTopics
from upsnet_ros.bags.reader import BagMessage, BagReader
from upsnet_ros.bags.topics import header_stamp_ns
from upsnet_ros.core.errors import EvaluationError

# Messages that may wait for their partner [bytes].
LOOK_AHEAD_BYTES = 48_000_000
# Ground truth that is so much older than the newest image has lost its own [ns].
FORGET_NS = 1_000_000_000


@dataclass(frozen=True)
class BagPart:
    """Which images of a bag are evaluated.

    Attributes:
        start_s: seconds from the beginning of the bag.
        duration_s: seconds from there; None to the end.
        stride: every so many images of each camera.
        limit: at most so many images of each camera; None for all.
    """

    start_s: float = 0.0
    duration_s: float | None = None
    stride: int = 1
    limit: int | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not exist."""
        for name, value, is_right in (
            ('--start', self.start_s, self.start_s >= 0),
            ('--duration', self.duration_s, self.duration_s is None or self.duration_s > 0),
            ('--stride', self.stride, self.stride >= 1),
            ('--limit', self.limit, self.limit is None or self.limit >= 1),
        ):
            if not is_right:
                raise EvaluationError(f'{name} is {value}, expected a number above 0')

    @property
    def is_timed(self) -> bool:
        """Whether it is a part of the time."""
        return self.start_s > 0 or self.duration_s is not None


@dataclass(frozen=True)
class StreamedFrame:
    """An image as it lies in the bag.

    Attributes:
        camera: name of the camera.
        index: number of the image in the part of the time that is evaluated, from 0.
        stamp_ns: header stamp [ns]; time of recording where the header cannot be read.
        recorded_ns: time of recording [ns].
        data: serialised message.
        truth: serialised ground truth, or None.
        problem: why it cannot be evaluated; None for a good one.
    """

    camera: str
    index: int
    stamp_ns: int
    recorded_ns: int
    data: bytes
    truth: bytes | None = None
    problem: str | None = None


@dataclass
class _Truths:
    """Ground truth of one camera that was read and waits for its image."""

    topic: str
    waiting: dict[int, bytes] = field(default_factory=dict)
    newest: int = -1
    oldest: int = -1
    bytes_waiting: int = 0
    own_pass: Iterator[BagMessage] | None = None
    is_read: bool = False
    matched: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)

    def add(self, data: bytes) -> None:
        try:
            stamp = header_stamp_ns(data)
        except (IndexError, struct.error):
            stamp = -1 - len(self.seen)  # no image has it: counted as unmatched
        self.seen.add(stamp)
        if stamp >= self.oldest and stamp not in self.matched and stamp not in self.waiting:
            self.waiting[stamp] = data
            self.bytes_waiting += len(data)
        self.newest = max(self.newest, stamp)

    def take(self, stamp_ns: int) -> bytes | None:
        data = self.waiting.pop(stamp_ns, None)
        if data is not None:
            self.matched.add(stamp_ns)
            self.bytes_waiting -= len(data)
        return data

    def forget(self, before_ns: int) -> None:
        self.oldest = before_ns
        for old in [stamp for stamp in self.waiting if stamp < before_ns]:
            self.bytes_waiting -= len(self.waiting.pop(old))

    def read_alone(self, messages: Iterator[BagMessage]) -> None:
        self.own_pass = messages
        self.waiting.clear()
        self.bytes_waiting, self.newest = 0, -1


class ReplayStream:
    """The images of some cameras of a bag. Iterate over it once.

    Args:
        bag: the opened bag.
        cameras: whose images.
        part: which of them.
        look_ahead_bytes: size of the messages that may wait for their partner.
    """

    def __init__(
        self,
        bag: BagReader,
        cameras: Sequence[CameraTopics],
        *,
        part: BagPart,
        look_ahead_bytes: int = LOOK_AHEAD_BYTES,
    ) -> None:
        self._bag = bag
        self._part = part
        self._look_ahead_bytes = look_ahead_bytes
        self._camera_of = {camera.images: camera.name for camera in cameras}
        self._truths = {c.name: _Truths(c.truth) for c in cameras if c.truth is not None}
        self._owner_of_truth = {t.topic: t for t in self._truths.values()}
        self._images: deque[BagMessage] = deque()
        self._image_bytes = 0
        self._passed: dict[str, int] = dict.fromkeys(self._camera_of.values(), 0)
        self._given: dict[str, int] = dict.fromkeys(self._passed, 0)
        self._stamps: dict[str, set[int]] = {name: set() for name in self._passed}
        self._messages: Iterator[BagMessage] = iter(())

    def expected_frames(self) -> int:
        """About how many images come, by the counts of the bag."""
        whole = max(self._bag.end_ns - self._bag.start_ns, 1) / 1e9
        seconds = max(whole - self._part.start_s, 0.0)
        if self._part.duration_s is not None:
            seconds = min(seconds, self._part.duration_s)
        total = 0
        for topic in self._camera_of:
            images = self._bag.count(topic)
            if self._part.is_timed:
                images = round(images * min(seconds / whole, 1.0))
            images = -(-images // self._part.stride)
            total += images if self._part.limit is None else min(images, self._part.limit)
        return total

    def truth_unmatched(self, camera: str) -> int:
        """Ground truth of a camera whose stamp no image has, among the images that came."""
        if camera not in self._truths:
            return 0
        truths, stamps = self._truths[camera], self._stamps[camera]
        lost = truths.seen - stamps
        if self._is_partial and stamps:
            first, last = min(stamps), max(stamps)
            lost = {stamp for stamp in lost if first <= stamp <= last}
        return len(lost)

    @property
    def _is_partial(self) -> bool:
        return self._part.is_timed or self._part.limit is not None

    def __iter__(self) -> Iterator[StreamedFrame]:
        """The images in the order recorded."""
        self._begin()
        while not self._is_full() and (message := self._next_image()) is not None:
            frame = self._frame(message)
            if frame is not None:
                yield frame
        if not self._is_partial:
            self._drain()

    def _begin(self) -> None:
        part, start, stop = self._part, None, None
        topics = list(self._camera_of)
        if part.is_timed:
            start = self._bag.start_ns + round(part.start_s * 1e9)
            stop = None if part.duration_s is None else start + round(part.duration_s * 1e9)
            for truths in self._truths.values():  # its times of recording may be others
                truths.read_alone(self._bag.messages([truths.topic]))
        else:
            topics += list(self._owner_of_truth)
        self._messages = self._bag.messages(topics, start_ns=start, stop_ns=stop)

    def _is_full(self) -> bool:
        limit = self._part.limit
        return limit is not None and all(given >= limit for given in self._given.values())

    def _next_image(self) -> BagMessage | None:
        while not self._images and self._read_on():
            pass
        if not self._images:
            return None
        message = self._images.popleft()
        self._image_bytes -= len(message.data)
        return message

    def _read_on(self) -> bool:
        """Read one message; False at the end."""
        message = next(self._messages, None)
        if message is None:
            return False
        truths = self._owner_of_truth.get(message.topic)
        if truths is None:
            self._images.append(message)
            self._image_bytes += len(message.data)
        elif truths.own_pass is None:
            truths.add(message.data)
        return True

    def _frame(self, message: BagMessage) -> StreamedFrame | None:
        """The frame of an image, or None where it is left out on purpose."""
        camera = self._camera_of[message.topic]
        index = self._passed[camera]
        self._passed[camera] += 1
        try:
            stamp = header_stamp_ns(message.data)
        except (IndexError, struct.error):
            stamp, problem = message.recorded_ns, f'{len(message.data)} bytes hold no header'
        else:
            is_repeated = stamp in self._stamps[camera]
            problem = 'an image with the same stamp came before' if is_repeated else None
            self._stamps[camera].add(stamp)
        truth = None if problem else self._truth_of(camera, stamp)
        limit = self._part.limit
        if index % self._part.stride or (limit is not None and self._given[camera] >= limit):
            return None
        self._given[camera] += 1
        return StreamedFrame(
            camera, index, stamp, message.recorded_ns, message.data, truth, problem
        )

    def _truth_of(self, camera: str, stamp_ns: int) -> bytes | None:
        truths = self._truths.get(camera)
        if truths is None:
            return None
        truths.forget(stamp_ns - FORGET_NS)
        while truths.newest < stamp_ns and not truths.is_read:
            if truths.own_pass is not None:
                self._read_alone(truths)
            elif max(self._image_bytes, truths.bytes_waiting) > self._look_ahead_bytes:
                truths.read_alone(self._bag.messages([truths.topic]))
            elif not self._read_on():
                truths.is_read = True
        if truths.bytes_waiting > self._look_ahead_bytes and truths.own_pass is None:
            truths.read_alone(self._bag.messages([truths.topic]))
            return self._truth_of(camera, stamp_ns)
        return truths.take(stamp_ns)

    @staticmethod
    def _read_alone(truths: _Truths) -> None:
        message = next(truths.own_pass or iter(()), None)
        if message is None:
            truths.is_read = True
        else:
            truths.add(message.data)

    def _drain(self) -> None:
        """Read the ground truth that is left, to count it."""
        for truths in self._truths.values():
            while truths.own_pass is not None and not truths.is_read:
                self._read_alone(truths)
                truths.waiting.clear()
