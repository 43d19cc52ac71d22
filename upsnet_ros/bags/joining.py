# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of a bag that belong together: those with exactly the same header stamp.

Each topic is read in a pass of its own, so it does not matter how far apart in the bag two
messages of a stamp lie, whether stamps rise, and where one is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

from upsnet_ros.bags.cameras import CameraTopics
from upsnet_ros.bags.definitions import header_stamp_ns
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.storage import BagMessage
from upsnet_ros.core.errors import BagError, EvaluationError

# Messages that may wait until their stamp is asked for [bytes].
LOOK_AHEAD_BYTES = 48_000_000


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
            ('--start', self.start_s, 0 <= self.start_s < inf),
            ('--duration', self.duration_s, self.duration_s is None or 0 < self.duration_s < inf),
            ('--stride', self.stride, self.stride >= 1),
            ('--limit', self.limit, self.limit is None or self.limit >= 1),
        ):
            if not is_right:
                raise EvaluationError(f'{name} is {value}, expected a number above 0')

    def limits_ns(self, bag: BagReader) -> tuple[int | None, int | None]:
        """First time of recording, and first not wanted any more [ns]; None for all there is."""
        if not self.is_timed:
            return None, None
        start = bag.start_ns + round(self.start_s * 1e9)
        stop = None if self.duration_s is None else start + round(self.duration_s * 1e9)
        return start, stop

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


class StampedMessages:
    """Messages of one topic, taken by header stamp, each once.

    The topic is read on until a stamp is found. What is passed by waits, as long as there is room;
    of the rest the place is remembered, and it is read again from there. So asking in about the
    order recorded reads the topic once, or twice where stamps are asked for that it does not have.

    Args:
        bag: the opened bag.
        topic: one of its topics, of a type that begins with a header.
        look_ahead_bytes: size of the messages that may wait.

    Attributes:
        topic: as given.
        without_stamp: messages so far whose header cannot be read.
    """

    def __init__(
        self, bag: BagReader, topic: str, *, look_ahead_bytes: int = LOOK_AHEAD_BYTES
    ) -> None:
        self._bag = bag
        self.topic = topic
        self._room = look_ahead_bytes
        self._places: dict[int, int] = {}  # time of recording of the first message of each stamp
        self._waiting: dict[int, bytes] = {}
        self._taken: set[int] = set()
        self._first_pass = bag.messages([topic])
        self._next_pass: Iterator[BagMessage] = iter(())
        self._position = -1
        self.without_stamp = 0

    def take(self, stamp_ns: int) -> bytes | None:
        """The serialised message of a stamp [ns]; None where there is none, or it was taken."""
        while stamp_ns not in self._places:
            message = next(self._first_pass, None)
            if message is None:
                return None
            self._note(message, is_new=True)
        if stamp_ns in self._taken:
            return None
        if stamp_ns not in self._waiting:
            self._read_again(stamp_ns)
        self._taken.add(stamp_ns)
        data = self._waiting.pop(stamp_ns, None)
        self._room += len(data or b'')
        return data

    def stamps(self) -> set[int]:
        """All stamps of the topic [ns]; reads what is left of it."""
        for message in self._first_pass:
            self._note(message, is_new=True)
        return set(self._places)

    def stamps_so_far(self) -> set[int]:
        """The stamps that were read [ns]."""
        return set(self._places)

    def _note(self, message: BagMessage, *, is_new: bool = False) -> int | None:
        """Keep a message while there is room, the latest in any case; returns its stamp."""
        try:
            stamp = header_stamp_ns(message.data)
        except BagError:
            self.without_stamp += is_new
            return None
        self._places.setdefault(stamp, message.recorded_ns)
        if stamp not in self._taken and stamp not in self._waiting:
            self._waiting[stamp] = message.data
            self._room -= len(message.data)
            while self._room < 0 and len(self._waiting) > 1:
                self._room += len(self._waiting.pop(next(iter(self._waiting))))
        return stamp

    def _read_again(self, stamp_ns: int) -> None:
        """Read on to a message that did not find room, or from its place if that was passed by."""
        place = self._places[stamp_ns]
        if place > self._position:
            for message in self._next_pass:
                self._position = message.recorded_ns
                if self._note(message) == stamp_ns:
                    return
        self._next_pass = self._bag.messages([self.topic], start_ns=place)
        for message in self._next_pass:
            self._position = message.recorded_ns
            if self._note(message) == stamp_ns:
                return


def has_no_stamps(bag: BagReader, topic: str) -> bool:
    """Whether a driver left all stamps at 0. One alone may be that of a simulation's begin."""
    first = [message.data for message in islice(bag.messages([topic]), 2)]
    try:
        return len(first) == 2 and not any(map(header_stamp_ns, first))
    except BagError:
        return False


class ReplayStream:
    """The images of some cameras of a bag with their ground truth. Iterate over it once.

    Args:
        bag: the opened bag.
        cameras: whose images.
        part: which of them.
        look_ahead_bytes: size of the ground truth of a camera that may wait for its image.
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
        self._camera_of = {camera.images: camera.name for camera in cameras}
        self._truths = {
            camera.name: StampedMessages(bag, camera.truth, look_ahead_bytes=look_ahead_bytes)
            for camera in cameras
            if camera.truth is not None
        }
        self._unstamped = {c.name for c in cameras if has_no_stamps(bag, c.images)}
        for name in sorted(self._unstamped):
            bag.note(
                f'the images of {name} have no stamps (0): they are told apart by their times of '
                'recording, and ground truth cannot be joined with them'
            )
        self._passed: dict[str, int] = dict.fromkeys(self._camera_of.values(), 0)
        self._given: dict[str, int] = dict.fromkeys(self._passed, 0)
        self._stamps: dict[str, set[int]] = {name: set() for name in self._passed}

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
        if not self._is_partial:
            return len(truths.stamps() - stamps) + truths.without_stamp
        lost = truths.stamps_so_far() - stamps
        first, last = min(stamps, default=0), max(stamps, default=-1)
        return sum(first <= stamp <= last for stamp in lost)

    @property
    def _is_partial(self) -> bool:
        return self._part.is_timed or self._part.limit is not None

    def __iter__(self) -> Iterator[StreamedFrame]:
        """The images in the order recorded."""
        part = self._part
        start, stop = part.limits_ns(self._bag)
        for message in self._bag.messages(self._camera_of, start_ns=start, stop_ns=stop):
            frame = self._frame(message)
            if frame is not None:
                yield frame
            if part.limit and all(given >= part.limit for given in self._given.values()):
                return
        # What is left of the ground truth is counted while the bag is open.
        if not self._is_partial:
            for truths in self._truths.values():
                truths.stamps()

    def _frame(self, message: BagMessage) -> StreamedFrame | None:
        """The frame of an image, or None where it is left out on purpose."""
        camera = self._camera_of[message.topic]
        index = self._passed[camera]
        self._passed[camera] += 1
        stamp, problem = self._stamp_of(camera, message)
        limit = self._part.limit
        if index % self._part.stride or (limit is not None and self._given[camera] >= limit):
            return None
        self._given[camera] += 1
        truth = None
        if problem is None and camera in self._truths and camera not in self._unstamped:
            truth = self._truths[camera].take(stamp)
        return StreamedFrame(
            camera, index, stamp, message.recorded_ns, message.data, truth, problem
        )

    def _stamp_of(self, camera: str, message: BagMessage) -> tuple[int, str | None]:
        """What an image is known by, and why it cannot be evaluated or None."""
        stamp = message.recorded_ns
        if camera not in self._unstamped:
            try:
                stamp = header_stamp_ns(message.data)
            except BagError as error:
                return stamp, str(error)
        if stamp in self._stamps[camera]:
            return stamp, 'an image with the same stamp came before'
        self._stamps[camera].add(stamp)
        return stamp, None
