# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a rosbag2, opened one by one, so that a damaged one does not spoil the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from upsnet_ros.bags.mcap_recovery import CutMcap
from upsnet_ros.bags.zstandard import ZSTD_MAGIC, decompress_zstd, unpack_zstd
from upsnet_ros.core.errors import BagError

METADATA = 'metadata.yaml'
STORAGES = {'.mcap': 'mcap', '.db3': 'sqlite3'}
PACKED = '.zstd'
# What `rosbags` calls the formats of definitions, as MCAP names them.
ENCODINGS = {MessageDefinitionFormat.MSG: 'ros2msg', MessageDefinitionFormat.IDL: 'ros2idl'}


@dataclass(frozen=True)
class TopicFacts:
    """A topic: message type, definition of the type (or empty), its format, messages."""

    message_type: str
    definition: str
    encoding: str
    count: int


class StorageFile(Protocol):
    """One file of a bag, opened."""

    path: Path
    topics: dict[str, TopicFacts]
    start_ns: int | None
    end_ns: int | None

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[str, int, bytes]]:
        """(topic, time of recording [ns], serialised message) in the order recorded."""

    def close(self) -> None:
        """Let go of the file."""


class WholeFile:
    """A file that `rosbags` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = Reader(path)
        self._reader.open()
        self.topics: dict[str, TopicFacts] = {}
        for connection in self._reader.connections:
            before = self.topics.get(connection.topic)
            definition = connection.msgdef
            self.topics[connection.topic] = TopicFacts(
                connection.msgtype,
                definition.data,
                ENCODINGS.get(definition.format, ''),
                connection.msgcount + (before.count if before else 0),
            )
        has_messages = self._reader.message_count > 0
        self.start_ns = self._reader.start_time if has_messages else None
        self.end_ns = self._reader.end_time - 1 if has_messages else None

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[str, int, bytes]]:
        """(topic, time of recording [ns], serialised message) in the order recorded."""
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:
            return
        for connection, recorded_ns, data in self._reader.messages(wanted, start_ns, stop_ns):
            # No serialised ROS message begins like that: its first byte is zero.
            if data[:4] == ZSTD_MAGIC:
                data = decompress_zstd(data)
            yield connection.topic, recorded_ns, data

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


class CutFile:
    """An MCAP file whose end is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cut = CutMcap(path)
        self.damaged_chunks = self._cut.damaged_chunks
        self.topics = {
            topic: TopicFacts(*facts, count=self._cut.counts.get(topic, 0))
            for topic, facts in self._cut.topics.items()
        }
        self.start_ns, self.end_ns = self._cut.start_ns, self._cut.end_ns

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[str, int, bytes]]:
        """(topic, time of recording [ns], serialised message) in the order recorded."""
        for topic, recorded_ns, data in self._cut.messages(topics, start_ns, stop_ns):
            is_packed = data[:4] == ZSTD_MAGIC
            yield topic, recorded_ns, decompress_zstd(data) if is_packed else data

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True)
class BagFiles:
    """What lies in a bag.

    Attributes:
        files: its storage files; they may be packed.
        messages: number of messages that its metadata promises; None where it has none.
        problems: what is missing, in words.
    """

    files: tuple[Path, ...]
    messages: int | None
    problems: tuple[str, ...]


def find_files(path: Path) -> BagFiles:
    """The storage files of a bag, given its folder or one of its files.

    Raises:
        BagError: there is nothing, or nothing of a rosbag2.
    """
    if not path.exists():
        raise BagError(f'there is no bag at {path}. Give the folder of a rosbag2.')
    if path.is_file():
        if _storage_suffix(path) is None:
            raise BagError(f'{path} is no file of a rosbag2; expected .mcap or .db3')
        return BagFiles((path,), None, _journal_problem(path))
    found = sorted((p for p in path.iterdir() if _storage_suffix(p)), key=_natural_order)
    metadata, problems = _read_metadata(path)
    named = [Path(str(name)).name for name in metadata.get('relative_file_paths') or ()]
    names = {p.name for p in found}
    problems += [
        f'{name}, which {METADATA} names, is missing' for name in named if name not in names
    ]
    if not found:
        raise BagError(
            f'{path} holds no file of a rosbag2 (.mcap, .db3, also {PACKED}): '
            f'{"; ".join(problems) or "it is another folder"}.'
        )
    # A file beside those that the metadata names is no part of the bag, such as a backup.
    files = tuple(p for p in found if not named or p.name in named)
    count = metadata.get('message_count')
    problems += [problem for p in files for problem in _journal_problem(p)]
    return BagFiles(files, count if isinstance(count, int) else None, tuple(problems))


def _storage_suffix(path: Path) -> str | None:
    name = path.name.removesuffix(PACKED)
    return next((suffix for suffix in STORAGES if name.endswith(suffix)), None)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Numbers in names by their value, so that part 10 comes behind part 9."""
    return [(int(p or 0), '') if p.isdigit() else (0, p) for p in re.split(r'(\d+)', path.name)]


def _read_metadata(folder: Path) -> tuple[dict[str, Any], list[str]]:
    path = folder / METADATA
    if not path.is_file():
        return {}, [f'{METADATA} is missing; `ros2 bag reindex` makes it anew']
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        return dict(content['rosbag2_bagfile_information']), []
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        text = ' '.join(str(error).split())
        return {}, [f'{METADATA} cannot be read ({type(error).__name__}: {text})']


def _journal_problem(path: Path) -> tuple[str, ...]:
    journal = path.with_name(f'{path.name}-wal')
    if not journal.is_file() or not journal.stat().st_size:
        return ()
    return (
        f'{journal.name} holds messages that were not yet put into {path.name} when recording '
        'broke off; they are left out. Open the file once with sqlite3 to put them in',
    )


def open_file(path: Path, unpack_folder: Path) -> tuple[StorageFile | None, list[str]]:
    """Open one file.

    Args:
        path: the file, packed or not.
        unpack_folder: where a packed one is unpacked.

    Returns:
        The file, or None where nothing of it can be read, and what is wrong with it.
    """
    problems = []
    name = path.name
    if name.endswith(PACKED):
        unpacked = unpack_folder / name.removesuffix(PACKED)
        broken = unpack_zstd(path, unpacked)
        problems += [f'{name} cannot be unpacked to its end ({broken})'] if broken else []
        path = unpacked
    try:
        return WholeFile(path), problems
    except Exception as error:  # damaged bytes break the readers in ways they do not tell
        reason = f'{type(error).__name__}: {error}'
    if path.suffix != '.mcap':
        advice = f'`sqlite3 {name} .recover` may save some of it'
        return None, [*problems, f'{name} cannot be read ({reason}); {advice}']
    try:
        cut = CutFile(path)
    except (BagError, OSError) as error:
        return None, [*problems, f'{name} cannot be read ({reason}; {error})']
    lost = f', {cut.damaged_chunks} chunks are damaged' if cut.damaged_chunks else ''
    saved = sum(topic.count for topic in cut.topics.values())
    return cut, [*problems, f'{name} has no end ({reason}); {saved} messages were found{lost}']
