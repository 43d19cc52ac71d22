# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Topics of a rosbag2, read by header stamp, with memory that does not grow with the bag."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

from upsnet_ros.core.errors import BagError

NANOSECONDS = 1_000_000_000
STAMP_OFFSET = 4  # after CDR's encapsulation header; the types read here begin with a Header
IMAGE_TYPES = ('sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/Image')


def header_stamp_ns(data: bytes | memoryview) -> int:
    """The header's stamp [ns] of a serialised message, without decoding the rest of it."""
    order = '<' if data[1] & 1 else '>'
    seconds, nanoseconds = struct.unpack_from(f'{order}iI', data, STAMP_OFFSET)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


class Bag:
    """An opened rosbag2 (sqlite3 or MCAP). Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise BagError(f'there is no bag at {path}. Give the folder of a rosbag2.')

    def __enter__(self) -> Bag:
        store = get_typestore(Stores.ROS2_JAZZY)
        try:
            self._reader = AnyReader([self.path], default_typestore=store)
            self._reader.open()
        except (AnyReaderError, OSError) as error:
            raise BagError(
                f'{self.path} cannot be read as a rosbag2 (sqlite3 or MCAP): {error}'
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    @property
    def topics(self) -> dict[str, str]:
        """Message type by topic."""
        return {c.topic: c.msgtype for c in self._reader.connections}

    @property
    def duration_s(self) -> float:
        """From the first message to the last [s]; 0 without any."""
        return max(self._reader.duration, 0) / 1e9 if self._reader.message_count else 0.0

    def connections(self, topic: str) -> list[Connection]:
        """Connections of a topic; more than one where several nodes wrote it.

        Raises:
            BagError: the bag has no such topic.
        """
        found = [c for c in self._reader.connections if c.topic == topic]
        if not found:
            raise BagError(
                f'{self.path} has no topic {topic}; its topics are: '
                f'{", ".join(sorted(self.topics)) or "none"}.'
            )
        return found

    def stamps(self, topic: str) -> list[tuple[int, int]]:
        """(header stamp, record time) of each message of a topic [ns], in the order recorded."""
        return [
            (header_stamp_ns(data), recorded_ns)
            for _, recorded_ns, data in self._reader.messages(self.connections(topic))
        ]

    def messages(self, topic: str) -> Iterator[tuple[int, bytes, str]]:
        """(header stamp [ns], serialised message, type) of a topic, in the order recorded."""
        for connection, _, data in self._reader.messages(self.connections(topic)):
            yield header_stamp_ns(data), data, connection.msgtype

    def decode(self, data: bytes, message_type: str) -> Any:
        """The message object of serialised data, by the definitions the bag brings along."""
        return self._reader.deserialize(data, message_type)


class StampedTopic:
    """Messages of one topic taken by stamp, in about the order in which they were recorded.

    What was read while looking for a stamp waits until it is asked for, so asking in order keeps
    little in memory, and a stamp that is not in the bag reads nothing at all.
    """

    def __init__(self, bag: Bag, topic: str, *, wanted: Collection[int] | None = None) -> None:
        self.topic = topic
        self._bag = bag
        self._left = {stamp for stamp, _ in bag.stamps(topic)}
        if wanted is not None:
            self._left &= set(wanted)
        self._messages = bag.messages(topic)
        self._waiting: dict[int, tuple[bytes, str]] = {}

    def __contains__(self, stamp_ns: int) -> bool:
        return stamp_ns in self._left

    def take(self, stamp_ns: int) -> tuple[Any, str] | None:
        """The message of a stamp and its type, or None where there is none; each only once."""
        if stamp_ns not in self._left:
            return None
        while stamp_ns not in self._waiting:
            stamp, data, message_type = next(self._messages)
            if stamp in self._left:
                self._waiting.setdefault(stamp, (data, message_type))
        self._left.discard(stamp_ns)
        data, message_type = self._waiting.pop(stamp_ns)
        return self._bag.decode(data, message_type), message_type


def image_topic_of(bag: Bag, camera: str) -> str:
    """The image topic of a camera: raw where there is one, else compressed.

    Raises:
        BagError: the bag has no images of this camera.
    """
    prefix = f'/{camera.strip("/")}/image_raw'
    candidates = (prefix, f'{prefix}/compressed')
    for topic in candidates:
        if bag.topics.get(topic) in IMAGE_TYPES:
            return topic
    images = [topic for topic, kind in bag.topics.items() if kind in IMAGE_TYPES]
    raise BagError(
        f'{bag.path} has no images of camera {camera!r} (looked for {" and ".join(candidates)}); '
        f'its image topics are: {", ".join(sorted(images)) or "none"}.'
    )


def ground_truth_topic_of(bag: Bag, camera: str) -> str | None:
    """The topic of the ground-truth label images of a camera, or None where there are none."""
    topic = f'/{camera.strip("/")}/ground_truth/panoptic/image'
    return topic if topic in bag.topics else None
