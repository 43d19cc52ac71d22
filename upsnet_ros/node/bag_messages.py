# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera messages of a rosbag2, or of a part of it, once or round after round."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.restamping import NANOSECONDS

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
# Every type here begins with std_msgs/Header.
PLAYABLE_TYPES = (*IMAGE_TYPES, 'sensor_msgs/msg/CameraInfo')
# The reading thread stays at most this many messages ahead: two seconds of a camera at 30 Hz.
READ_AHEAD = 64
# How often the reading thread looks whether it is still wanted.
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class RecordedMessage:
    """One message as it lies in the bag; `data` are its CDR bytes."""

    topic: str
    message_type: str
    recorded_ns: int
    data: bytes
    round: int = 1


@dataclass(frozen=True)
class BagPart:
    """What of a bag is played, and how often.

    Attributes:
        start_offset: Seconds to leave out at the beginning of the bag.
        duration: Seconds of the bag to play from there; None plays to its end.
        rounds: How often; 0 begins again for ever.
    """

    start_offset: float = 0.0
    duration: float | None = None
    rounds: int = 1

    def __post_init__(self) -> None:
        """Refuse times and counts that name no part."""
        if not (math.isfinite(self.start_offset) and self.start_offset >= 0):
            raise BagPlayError(
                f'the start offset must be 0 s or more, received {self.start_offset}. It counts '
                'from the beginning of the bag.'
            )
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            raise BagPlayError(
                f'the duration must be above 0 s, received {self.duration}. Leave it out to play '
                'to the end.'
            )
        if self.rounds < 0:
            raise BagPlayError(
                f'the number of rounds must be 0 or more, received {self.rounds}. 0 plays until '
                'the player is stopped.'
            )

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the bag is left out."""
        return self.start_offset == 0 and self.duration is None

    def round_numbers(self) -> Iterable[int]:
        """1, 2, ... up to the last round."""
        return itertools.islice(itertools.count(1), self.rounds or None)


class BagMessages:
    """The chosen topics of a bag in the order of recording, read ahead in a thread.

    Close it when it is no longer needed; then its thread has ended.

    Raises:
        BagPlayError: the bag cannot be read, lacks a topic, has one of another type, or has no
            image in the chosen part.
    """

    def __init__(self, bag: Path, *, topics: list[str], part: BagPart | None = None) -> None:
        self._bag = bag
        self._part = part or BagPart()
        self._queue: Queue[RecordedMessage | Exception | None] = Queue(maxsize=READ_AHEAD)
        self._is_closed = Event()
        self._thread: Thread | None = None
        try:
            self._reader = AnyReader([bag], default_typestore=get_typestore(Stores.ROS2_JAZZY))
            self._reader.open()
        except (AnyReaderError, OSError) as error:
            raise BagPlayError(f'{bag} cannot be read as a rosbag2: {error}') from error
        try:
            self._connections = [c for c in self._reader.connections if c.topic in topics]
            self.type_of = {c.topic: c.msgtype for c in self._connections}
            self._check(topics)
            self.first_ns, self._count_of = self._survey()
        except BaseException:
            self.close()
            raise

    def _check(self, topics: list[str]) -> None:
        missing = sorted(set(topics) - set(self.type_of))
        if missing:
            present = ', '.join(sorted({c.topic for c in self._reader.connections})) or 'none'
            raise BagPlayError(
                f'{self._bag} has no topic {", ".join(missing)}; its topics are: {present}. '
                'Name the topics of one or more cameras.'
            )
        for topic, message_type in self.type_of.items():
            if message_type not in PLAYABLE_TYPES:
                raise BagPlayError(
                    f'{topic} is a {message_type}; this player plays {", ".join(PLAYABLE_TYPES)}.'
                )

    def _round(self) -> Iterator[tuple[Connection, int, bytes]]:
        """Connection, time of recording [ns] and CDR bytes of each message of the part."""
        start = stop = None
        if not self._part.is_whole:
            start = self._reader.start_time + round(self._part.start_offset * NANOSECONDS)
        if self._part.duration is not None:
            stop = start + round(self._part.duration * NANOSECONDS)
        return self._reader.messages(self._connections, start=start, stop=stop)

    def _survey(self) -> tuple[int, Counter[str]]:
        """Time of the part's first message [ns], and the messages by topic.

        A bag knows how many messages it has, but not how many lie between two times: these are
        read once, without decoding.
        """
        counts: Counter[str] = Counter()
        first_ns = None
        try:
            for connection, recorded_ns, _ in self._round():
                first_ns = recorded_ns if first_ns is None else first_ns
                if self._part.is_whole:
                    break
                counts[connection.topic] += 1
        except Exception as error:  # a damaged file fails in any way
            raise BagPlayError(f'{self._bag} cannot be read: {error}') from error
        if self._part.is_whole:
            for connection in self._connections:
                counts[connection.topic] += connection.msgcount
        if first_ns is None or not sum(counts[topic] for topic in self.image_topics):
            seconds = max(0, self._reader.end_time - self._reader.start_time) / NANOSECONDS
            raise BagPlayError(
                f'{self._bag} has no image of {", ".join(sorted(self.type_of))} in the part that '
                f'was asked for; it lasts {seconds:.3f} s. Choose an image topic, an earlier '
                'start offset or a longer duration.'
            )
        return first_ns, counts

    @property
    def image_topics(self) -> list[str]:
        """The chosen topics that carry pictures."""
        return [topic for topic, name in self.type_of.items() if name in IMAGE_TYPES]

    @property
    def frames(self) -> int | None:
        """Images of all rounds; None where there is no last round."""
        if not self._part.rounds:
            return None
        return self._part.rounds * sum(self._count_of[topic] for topic in self.image_topics)

    def __iter__(self) -> Iterator[RecordedMessage]:
        self._thread = Thread(target=self._read_ahead, name='bag_reader', daemon=True)
        self._thread.start()
        while (message := self._queue.get()) is not None:
            if isinstance(message, Exception):
                raise BagPlayError(f'the bag broke off while playing: {message}') from message
            yield message

    def _put(self, item: RecordedMessage | Exception | None) -> bool:
        """Hand one thing on; False when nobody wants it any more."""
        while not self._is_closed.is_set():
            try:
                self._queue.put(item, timeout=LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def _read_ahead(self) -> None:
        try:
            for number in self._part.round_numbers():
                for connection, recorded_ns, data in self._round():
                    message = RecordedMessage(
                        connection.topic, connection.msgtype, recorded_ns, bytes(data), number
                    )
                    if not self._put(message):
                        return
        except Exception as error:  # any fault of a damaged file must reach the playing thread
            self._put(error)
        self._put(None)

    def close(self) -> None:
        """End the reading thread and close the bag."""
        self._is_closed.set()
        if self._thread is not None:
            self._thread.join()
        if self._reader.stack is not None:
            self._reader.close()
