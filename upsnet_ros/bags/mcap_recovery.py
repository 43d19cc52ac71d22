# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what is left of an MCAP file whose end is missing, as after a power cut.

Readers find messages through the index at a file's end. Without it the records are read one after
another; a chunk that is cut off or damaged is left out.

Source: MCAP specification, version 0, records and their fields.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zlib import crc32

from lz4.frame import LZ4FrameDecompressor

from upsnet_ros.bags.zstandard import LARGEST_CONTENT, decompress_zstd
from upsnet_ros.core.errors import BagError

MAGIC = b'\x89MCAP0\r\n'
SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
DECOMPRESSORS = {
    '': lambda data, size: data,
    'lz4': lambda data, size: LZ4FrameDecompressor().decompress(data, max_length=size),
    'zstd': lambda data, size: decompress_zstd(data, largest=size),
}


class McapTopic(NamedTuple):
    """A topic of the file: type of its messages, the type's definition and its format."""

    message_type: str
    definition: str
    encoding: str


class CutMcap:
    """A file without its end.

    Args:
        path: the file.

    Raises:
        BagError: it does not begin as an MCAP file does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged_chunks = 0
        self.topics: dict[str, McapTopic] = {}
        self.counts: dict[str, int] = {}
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self._schemas: dict[int, tuple[str, str, str]] = {}
        self._channels: dict[int, str] = {}
        with path.open('rb') as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise BagError(f'{path} does not begin as an MCAP file; expected {MAGIC!r}')
        self._survey()

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[tuple[str, int, bytes]]:
        """(topic, time of recording [ns], serialised message), in order within each chunk.

        Args:
            topics: those wanted.
            start_ns: first time wanted; None for the beginning.
            stop_ns: first time not wanted any more; None for the end.
        """
        for topic, recorded_ns, data in self._all_messages():
            if (
                topic in topics
                and (start_ns is None or recorded_ns >= start_ns)
                and (stop_ns is None or recorded_ns < stop_ns)
            ):
                yield topic, recorded_ns, data

    def _survey(self) -> None:
        """Read everything once: topics, how many messages they have, first and last time."""
        for topic, recorded_ns, _ in self._all_messages():
            self.counts[topic] = self.counts.get(topic, 0) + 1
            self.start_ns = min(recorded_ns, self.start_ns or recorded_ns)
            self.end_ns = max(recorded_ns, self.end_ns or recorded_ns)

    def _all_messages(self) -> Iterator[tuple[str, int, bytes]]:
        self.damaged_chunks = 0
        with self.path.open('rb') as file:
            file.seek(len(MAGIC))
            for kind, body in _records(file):
                if kind == DATA_END:
                    return
                yield from self._of_record(kind, body)

    def _of_record(self, kind: int, body: bytes) -> Iterator[tuple[str, int, bytes]]:
        if kind == CHUNK:
            try:
                yield from sorted(self._of_chunk(body), key=lambda message: message[1])
            except Exception:  # damaged bytes break decompressors in ways they do not tell
                self.damaged_chunks += 1
        elif kind == MESSAGE:
            channel, recorded_ns = struct.unpack_from('<HxxxxQ', body)
            if channel in self._channels:
                yield self._channels[channel], recorded_ns, body[22:]
        else:
            self._note(kind, body)

    def _of_chunk(self, body: bytes) -> list[tuple[str, int, bytes]]:
        size, checksum = struct.unpack_from('<QI', body, 16)
        compression, position = _text(body, 28)
        (length,) = struct.unpack_from('<Q', body, position)
        if size > LARGEST_CONTENT:
            raise ValueError('a chunk claims a size that no recorder writes')
        raw = DECOMPRESSORS[compression](body[position + 8 : position + 8 + length], size)
        if len(raw) != size or (checksum and crc32(raw) != checksum):
            raise ValueError('size or checksum of a chunk is wrong')
        found: list[tuple[str, int, bytes]] = []
        position = 0
        while position < len(raw):
            kind, length = struct.unpack_from('<BQ', raw, position)
            begin, position = position + 9, position + 9 + length
            if position > len(raw):
                raise ValueError('a record goes beyond its chunk')
            found += self._of_record(kind, raw[begin:position])
        return found

    def _note(self, kind: int, body: bytes) -> None:
        """Remember a type or a topic."""
        if kind == SCHEMA:
            (number,) = struct.unpack_from('<H', body)
            name, position = _text(body, 2)
            encoding, position = _text(body, position)
            self._schemas[number] = (name, *_text(body, position)[:1], encoding)
        elif kind == CHANNEL:
            number, schema = struct.unpack_from('<HH', body)
            topic, _ = _text(body, 4)
            self._channels[number] = topic
            self.topics.setdefault(topic, McapTopic(*self._schemas.get(schema, ('', '', ''))))


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of each whole record from here on."""
    end = os.fstat(file.fileno()).st_size
    while len(head := file.read(9)) == 9:
        kind, length = struct.unpack('<BQ', head)
        # Reading makes room for all that it is asked for, and a damaged length may be anything.
        if length > end - file.tell():
            return
        yield kind, file.read(length)


def _text(body: bytes, position: int) -> tuple[str, int]:
    """A text with its length before it, and the position behind it."""
    (length,) = struct.unpack_from('<I', body, position)
    end = position + 4 + length
    return body[position + 4 : end].decode(), end
