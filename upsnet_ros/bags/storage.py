# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every storage file of a bag has in common, packed content, and the files of sqlite3."""

from __future__ import annotations

import heapq
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import zstandard

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
# No message and no chunk is larger; damaged or ill-meant bytes may claim any size.
LARGEST_CONTENT = 1 << 30
PIECE_BYTES = 1 << 20
LATEST_NS = (1 << 63) - 1
TIMED = "typeof(timestamp) = 'integer'"  # damaged bytes may be of any type


class BagMessage(NamedTuple):
    """A message as it lies in the bag; the time of its recording [ns]."""

    topic: str
    recorded_ns: int
    data: bytes


@dataclass(frozen=True)
class TopicFacts:
    """A topic: message type, definition of the type (or empty), its format, messages."""

    message_type: str
    definition: str = ''
    definition_format: str = ''
    count: int = 0


class StorageFile(Protocol):
    """One file of a bag, opened.

    Attributes:
        path: the file.
        topics: by name.
        start_ns: time of recording of its first message [ns]; None where it has none.
        end_ns: of its last one, likewise.
    """

    path: Path
    topics: dict[str, TopicFacts]
    start_ns: int | None
    end_ns: int | None

    @property
    def problems(self) -> list[str]:
        """What of it could not be read, in words; grows while it is read."""

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[BagMessage]:
        """Those of some topics, in the order recorded."""

    def close(self) -> None:
        """Let go of the file."""


# How others than ROS 2 write the name of a type: ROS 1 and converters, and what names it in DDS.
OTHER_NAMES = re.compile(r'(\w+)(?:/|::)(?:msg(?:/|::))?(?:dds_(?:/|::)(\w+)_|(\w+))')


def type_name(message_type: str, encoding: str) -> str:
    """The type as it is told; what is not serialised as ROS does is no message of that type.

    `sensor_msgs/Image` and `sensor_msgs::msg::dds_::Image_` are `sensor_msgs/msg/Image`.
    """
    if encoding not in ('cdr', ''):
        return f'{message_type} ({encoding})'
    found = OTHER_NAMES.fullmatch(message_type)
    return f'{found[1]}/msg/{found[2] or found[3]}' if found else message_type


def add_topic(topics: dict[str, TopicFacts], name: str, facts: TopicFacts) -> str | None:
    """Add what one publisher wrote to a topic.

    Returns:
        What is wrong where it is of another type than before, and thus left out.
    """
    known = topics.setdefault(name, replace(facts, count=0))
    if known.message_type != facts.message_type:
        return (
            f'{name} has messages of {known.message_type} and of {facts.message_type}; the latter '
            'are left out'
        )
    topics[name] = replace(known, count=known.count + facts.count)
    return None


def in_order(parts: Iterable[tuple[int, Iterator[BagMessage]]]) -> Iterator[BagMessage]:
    """The messages of parts that may overlap in time, in the order of time.

    Args:
        parts: a time before which a part has nothing [ns], and its messages in order. A part is
            not read before its time has come, so few are held at once.
    """
    waiting: list[tuple[int, int, BagMessage, Iterator[BagMessage]]] = []
    for number, (begin, messages) in enumerate(parts):
        while waiting and waiting[0][0] <= begin:
            yield _earliest(waiting)
        first = next(messages, None)
        if first is not None:
            heapq.heappush(waiting, (first.recorded_ns, number, first, messages))
    while waiting:
        yield _earliest(waiting)


def _earliest(waiting: list[tuple[int, int, BagMessage, Iterator[BagMessage]]]) -> BagMessage:
    """Take the earliest message, and let the next one of its part wait instead."""
    _, number, message, others = waiting[0]
    following = next(others, None)
    if following is None:
        heapq.heappop(waiting)
    else:
        heapq.heapreplace(waiting, (following.recorded_ns, number, following, others))
    return message


def unpack(data: bytes, *, largest: int = LARGEST_CONTENT) -> bytes:
    """The content of a packed message or chunk.

    Raises:
        ValueError: it would be larger than allowed.
        zstandard.ZstdError: the data are damaged or cut off.
    """
    size = zstandard.frame_content_size(data)
    if size > largest:
        raise ValueError(f'the content is larger than {largest} bytes')
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=largest)


def unpack_file(packed: Path, unpacked: Path) -> str | None:
    """Write the content of a packed file, as far as it can be read.

    Returns:
        What kept the rest from being read; None where all was.
    """
    is_whole = False
    with packed.open('rb') as source, unpacked.open('wb') as target:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            while piece := source.read(PIECE_BYTES):
                while piece:
                    if frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    target.write(frame.decompress(piece))
                    is_whole, piece = frame.eof, frame.unused_data
        except zstandard.ZstdError as error:
            return str(error)
    return None if is_whole else 'it is cut off'


class SqliteFile:
    """A file of sqlite3, see `StorageFile`.

    Raises:
        sqlite3.Error: it is damaged, or no bag.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.topics: dict[str, TopicFacts] = {}
        # A path may hold what has a meaning in a URI. Another thread may read than opened it.
        uri = f'{path.absolute().as_uri()}?mode=ro&immutable=1'
        self._base = sqlite3.connect(uri, uri=True, check_same_thread=False)
        self._base.text_factory = lambda text: text.decode(errors='replace')
        try:
            self._topic_of = self._read_topics()
        except BaseException:
            self._base.close()
            raise

    def _read_topics(self) -> dict[int, str]:
        definitions: dict[str, tuple[str, str]] = {}
        with suppress(sqlite3.OperationalError):  # recordings before ROS 2 Iron have none
            definitions = {
                kind: (str(text), form)
                for kind, form, text in self._base.execute(
                    'SELECT topic_type, encoding, encoded_message_definition '
                    'FROM message_definitions'
                )
            }
        found = {
            number: facts
            for number, *facts in self._base.execute(
                'SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages '
                f'WHERE {TIMED} GROUP BY topic_id'
            )
        }
        self.start_ns = min((first for _, first, _ in found.values()), default=None)
        self.end_ns = max((last for _, _, last in found.values()), default=None)
        topic_of = {}
        for number, name, kind, encoding in self._base.execute(
            'SELECT id, name, type, serialization_format FROM topics ORDER BY id'
        ):
            count, *_ = found.get(number, (0,))
            told = type_name(kind, encoding)
            facts = TopicFacts(told, *definitions.get(kind, ('', '')), count=count)
            problem = add_topic(self.topics, name, facts)
            if problem is None:
                topic_of[number] = name
            else:
                self.problems.append(problem)
        return topic_of

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[BagMessage]:
        """See `StorageFile.messages`."""
        wanted = [number for number, name in self._topic_of.items() if name in topics]
        limits = (-LATEST_NS if start_ns is None else start_ns, stop_ns or LATEST_NS)
        rows = self._base.execute(
            'SELECT topic_id, timestamp, data FROM messages '
            f'WHERE topic_id IN ({",".join("?" * len(wanted))}) AND {TIMED} '
            'AND timestamp >= ? AND timestamp < ? ORDER BY timestamp',
            [*wanted, *(max(-LATEST_NS, min(limit, LATEST_NS)) for limit in limits)],
        )
        for number, recorded_ns, data in rows:
            content = data if isinstance(data, bytes) else b''
            yield BagMessage(self._topic_of[number], recorded_ns, content)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()
