# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 read from front to back, as much of it as can be read.

    with BagReader(path) as bag:
        for message in bag.messages(['/camera/image_raw']):
            image = bag.decode(message.topic, message.data)

It goes on past damage and says what was lost in `problems`: what is damaged, and, whatever the
reason, how many messages are fewer than `metadata.yaml` or the statistics of MCAP count. A topic
that nobody asks for costs nothing, whatever its type, encoding or definition.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rosbags.typesys.store import Typestore

from upsnet_ros.bags.contents import STORAGES, find_files, open_file
from upsnet_ros.bags.definitions import defined_store, refuse_other_fields, standard_store
from upsnet_ros.bags.storage import (
    ZSTD_MAGIC,
    BagMessage,
    StorageFile,
    TopicFacts,
    add_topic,
    in_order,
    unpack,
)
from upsnet_ros.core.errors import BagError, ImageError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BagFacts:
    """The bag that was replayed.

    Attributes:
        path: its folder or file.
        storage: `mcap` or `sqlite3`.
        duration_s: from its first to its last message [s].
        messages: number of its messages.
        problems: what kept parts of it from being read, in words.
        notes: what else is to be known of it, in words.
    """

    path: str
    storage: str
    duration_s: float
    messages: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class BagReader:
    """An opened bag. Use it as a context manager.

    Several iterations may run at once, also in several threads. Reading begins anew with each call
    of `messages`.

    Args:
        path: folder of a rosbag2, or one of its files.
        may_be_empty: whether a bag without a single message is read, too.

    Attributes:
        path: its folder or file.
        topics: message type by topic; what is not serialised as ROS does has its encoding behind
            the type, as in `sensor_msgs/msg/Image (json)`.
        messages_found: messages of all topics that are there.
        start_ns: time of recording of the first message [ns]; 0 in an empty bag.
        end_ns: of the last one, likewise.
        notes: what is to be known of it beside what could not be read, in words.

    Raises:
        BagError: there is nothing that could be a rosbag2.
    """

    def __init__(self, path: Path, *, may_be_empty: bool = False) -> None:
        self.path = path
        self._may_be_empty = may_be_empty
        found = find_files(path)
        self._problems = list(found.problems)
        self._paths = found.files
        self._promised = found.counts
        self._counted: dict[tuple[str, str], int] = {}
        self._found: dict[tuple[str, str], int] = {}
        self._stack = ExitStack()
        self._files: list[StorageFile] = []
        self._stores: dict[str, Typestore] = {}
        self.notes: list[str] = []
        self._not_unpacked: set[tuple[str, int]] = set()
        self._lock = threading.Lock()  # the iterations share the files

    def __enter__(self) -> BagReader:
        """Open the files.

        Raises:
            BagError: none of them can be read, or there is not one message.
        """
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix='upsnet_bag_')))
            for path in self._paths:
                file, problems = open_file(path, folder)
                self._problems += problems
                if file is not None:
                    stack.callback(file.close)
                    self._files.append(file)
            self._files.sort(key=lambda file: file.start_ns or 0)
            self._look_through()
            self._stack = stack.pop_all()
        for problem in self.problems:
            logger.warning('%s: %s', self.path, problem)
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the files."""
        self._stack.close()

    def _look_through(self) -> None:
        told = f' ({"; ".join(self.problems)})' if self.problems else ''
        if not self._files:
            raise BagError(f'nothing of {self.path} can be read{told}.')
        files = self._files
        found: dict[str, TopicFacts] = {}
        for file in files:
            for name, facts in list(file.topics.items()):
                problem = add_topic(found, name, facts)
                if problem is not None:
                    self._problems.append(problem)
                    del file.topics[name]
        self.topics = {name: facts.message_type for name, facts in found.items()}
        self._found = {(name, facts.message_type): facts.count for name, facts in found.items()}
        self._counted = dict(self._promised | Counter(self._found))  # the greater of the two
        self.messages_found = sum(t.count for file in files for t in file.topics.values())
        self.start_ns = min((f.start_ns for f in files if f.start_ns is not None), default=0)
        self.end_ns = max((f.end_ns for f in files if f.end_ns is not None), default=0)
        if not (self.messages_found or self._may_be_empty):
            raise BagError(
                f'{self.path} holds no messages{told}. Was the recorder stopped at once?'
            )

    @property
    def problems(self) -> list[str]:
        """What kept parts of it from being read, in words; grows while it is read."""
        lost = len(self._not_unpacked)
        told = [f'{lost} messages are damaged and cannot be unpacked'] if lost else []
        of_files = [problem for file in self._files for problem in file.problems]
        missing = [
            f'{count - found} of {count} messages of {key[0]} were not found'
            for key, count in self._counted.items()
            if (found := self._found.get(key, 0)) < count
        ]
        return [*self._problems, *of_files, *told, *missing]

    def count(self, topic: str) -> int:
        """Messages of a topic."""
        return sum(file.topics[topic].count for file in self._files if topic in file.topics)

    def fingerprint(self) -> dict[str, Any]:
        """What tells this bag from others, and from itself before it was changed."""
        return {
            'name': self.path.resolve().name,
            'bytes': {path.name: path.stat().st_size for path in self._paths},
            'messages': self.messages_found,
            'start_ns': self.start_ns,
        }

    def facts(self) -> BagFacts:
        """What the report says of the bag."""
        kinds = sorted({STORAGES[file.path.suffix] for file in self._files})
        return BagFacts(
            path=str(self.path),
            storage=' and '.join(kinds),
            duration_s=(self.end_ns - self.start_ns) / 1e9,
            messages=self.messages_found,
            problems=tuple(self.problems),
            notes=tuple(self.notes),
        )

    def note(self, text: str) -> None:
        """Have something told of the bag that is no damage, once."""
        if text not in self.notes:
            self.notes.append(text)

    def messages(
        self,
        topics: Collection[str],
        *,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[BagMessage]:
        """Messages in the order recorded; a file that breaks off is told of, the others read on.

        Args:
            topics: those wanted.
            start_ns: first time of recording wanted [ns]; None for the beginning.
            stop_ns: first time not wanted any more [ns]; None for the end.
        """
        parts = (
            (f.start_ns, self._messages_of(f, set(topics) & set(f.topics), start_ns, stop_ns))
            for f in self._files
            if f.start_ns is not None
        )
        read: Counter[str] = Counter()
        merged = in_order(parts)
        while True:
            with self._lock:
                message = next(merged, None)
            if message is None:
                break
            read[message.topic] += 1
            unpacked = self._unpacked(message)
            if unpacked is not None:
                yield unpacked
        if start_ns is None and stop_ns is None:
            for topic in set(topics) & set(self.topics):
                self._note_count(topic, read[topic])

    def _note_count(self, topic: str, read: int) -> None:
        """What a whole pass found of a topic; the counts of its files may promise more."""
        key = topic, self.topics[topic]
        if read < self._found[key]:
            self._found[key] = read
            missing = self._counted[key] - read
            logger.warning('%s: %d messages of %s were not found', self.path, missing, topic)

    def _messages_of(
        self, file: StorageFile, topics: set[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[BagMessage]:
        """The messages of a file, up to where it breaks off."""
        read = 0
        try:
            for message in file.messages(topics, start_ns, stop_ns):
                read += 1
                yield message
        except Exception as error:  # damaged bytes break the readers in ways they do not tell
            self._note_break(file, read, error)

    def _unpacked(self, message: BagMessage) -> BagMessage | None:
        """The message without its packing; None where it is damaged."""
        # No serialised ROS message begins like that: its first byte is zero.
        if message.data[:4] != ZSTD_MAGIC:
            return message
        try:
            return message._replace(data=unpack(message.data))
        except Exception as error:  # damaged bytes break it in ways they do not tell
            place = message.topic, message.recorded_ns
            logger.debug('a message of %s at %d is damaged: %s', *place, error)
            self._not_unpacked.add(place)
            return None

    def _note_break(self, file: StorageFile, read: int, error: Exception) -> None:
        problem = (
            f'{file.path.name} breaks off after {read} messages of the topics that were asked for '
            f'({type(error).__name__}: {error})'
        )
        if problem not in self._problems:
            self._problems.append(problem)
            logger.warning('%s: %s', self.path, problem)

    def decode(self, topic: str, data: bytes) -> Any:
        """The message object of serialised data, by the definition that the bag brings along.

        Raises:
            ImageError: the data is not what the type says, or the type is no image of ROS.
        """
        message_type = self.topics[topic]
        store = self._store(message_type)
        try:
            return store.deserialize_cdr(data, message_type)
        except Exception as error:  # damaged bytes break deserialisation in many ways
            raise ImageError(
                f'{len(data)} bytes of {topic} are no {message_type} '
                f'({type(error).__name__}: {error})'
            ) from error

    def _store(self, message_type: str) -> Typestore:
        if message_type not in self._stores:
            store = self._store_of_bag(message_type)
            refuse_other_fields(store, message_type)
            self._stores[message_type] = store
        return self._stores[message_type]

    def _store_of_bag(self, message_type: str) -> Typestore:
        """The definition that the bag has of a type, else that of ROS 2 Jazzy."""
        for file in self._files:
            for facts in file.topics.values():
                if facts.message_type == message_type and facts.definition:
                    store = defined_store(facts.definition, facts.definition_format, message_type)
                    if store is not None:
                        return store
        return standard_store()
