# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCAP files, whole and damaged: a chunk that cannot be read is left out and counted.

Chunks are found through the index at the end of a file. Where that is missing, as after a power
cut, or does not tell what is needed, the records are read one after another.
"""

from __future__ import annotations

import heapq
import logging
import struct
from collections.abc import Collection, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from lz4.frame import LZ4FrameDecompressor
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, ChunkIndex, Footer, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

from upsnet_ros.bags.storage import (
    LARGEST_CONTENT,
    Recorded,
    TopicFacts,
    add_topic,
    type_name,
    unpack,
)

logger = logging.getLogger(__name__)

OPCODE_AND_LENGTH = 9  # bytes before the content of a record
DECOMPRESSORS = {
    '': lambda data, size: data,
    'lz4': lambda data, size: LZ4FrameDecompressor().decompress(data, max_length=size),
    'zstd': lambda data, size: unpack(data, largest=size),
}


class McapFile:
    """A file of MCAP, see `storage.StorageFile`.

    Raises:
        McapError, OSError: it does not begin as such a file does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, TopicFacts] = {}
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self._topic_of: dict[int, str] = {}
        self._damaged: set[int] = set()
        self._has_end = True
        self._size = path.stat().st_size
        self._file = path.open('rb')
        try:
            self._index = self._read_index()
            if self._index is None:
                self._read_everything()
        except BaseException:
            self._file.close()
            raise

    @property
    def _record_limit(self) -> int:
        return min(LARGEST_CONTENT, self._size)

    def _read_index(self) -> list[ChunkIndex] | None:
        """The places of all chunks, the earliest first; None where the file does not say them."""
        reader = SeekingReader(self._file, record_size_limit=self._record_limit)
        try:
            summary = reader.get_summary()
            facts = summary.statistics if summary else None
            if (
                summary is None
                or facts is None
                or facts.chunk_count != len(summary.chunk_indexes)
                or facts.channel_count != len(summary.channels)
                or (facts.message_count and not facts.chunk_count)
            ):
                return None
        except Exception as error:  # damaged bytes break the reader in ways it does not tell
            logger.debug('%s has no readable index: %s', self.path, error)
            return None
        for channel in summary.channels.values():
            count = facts.channel_message_counts.get(channel.id, 0)
            self._add(channel, summary.schemas.get(channel.schema_id), count)
        if facts.message_count:
            self.start_ns, self.end_ns = facts.message_start_time, facts.message_end_time
        return sorted(summary.chunk_indexes, key=lambda chunk: chunk.message_start_time)

    def _read_everything(self) -> None:
        """Find the topics, their messages and times, and whether the file has an end."""
        schemas: dict[int, Schema] = {}
        counts: dict[str, int] = {}
        self._has_end = False
        for place, record in self._stream():
            self._has_end = self._has_end or isinstance(record, Footer)
            for each in self._records_of(place, record):
                if isinstance(each, Schema):
                    schemas[each.id] = each
                elif isinstance(each, Channel):
                    self._add(each, schemas.get(each.schema_id), 0)
                elif isinstance(each, Message) and each.channel_id in self._topic_of:
                    topic = self._topic_of[each.channel_id]
                    counts[topic] = counts.get(topic, 0) + 1
                    first, last = (self.start_ns, self.end_ns)
                    self.start_ns = each.log_time if first is None else min(first, each.log_time)
                    self.end_ns = each.log_time if last is None else max(last, each.log_time)
        self.topics = {
            name: replace(facts, count=counts.get(name, 0)) for name, facts in self.topics.items()
        }

    def _add(self, channel: Channel, schema: Schema | None, count: int) -> None:
        if channel.id in self._topic_of:
            return
        kind = type_name(schema.name if schema else '', channel.message_encoding)
        text = schema.data.decode(errors='replace') if schema else ''
        facts = TopicFacts(kind, text, schema.encoding if schema else '', count)
        if add_topic(self.topics, channel.topic, facts):
            self._topic_of[channel.id] = channel.topic

    def _stream(self) -> Iterator[tuple[int, McapRecord]]:
        """Each record and its place, chunks as they are, up to where the file breaks off."""
        self._file.seek(0)
        reader = StreamReader(self._file, emit_chunks=True, record_size_limit=self._record_limit)
        records = reader.records
        while True:
            try:
                record = next(records)
            except (StopIteration, EndOfFile):
                return
            except Exception as error:  # a false length is followed by anything
                logger.debug('%s breaks off: %s', self.path, error)
                return
            place = self._file.tell()
            yield place, record
            self._file.seek(place)  # others may have read meanwhile

    def _records_of(self, place: int, record: McapRecord) -> list[McapRecord]:
        """A record, or those within a chunk; none of a damaged one."""
        if not isinstance(record, Chunk):
            return [record]
        try:
            size = record.uncompressed_size
            if size > LARGEST_CONTENT:
                raise ValueError('the chunk claims a size that no recorder writes')
            data = DECOMPRESSORS[record.compression](record.data, size)
            if len(data) != size:
                raise ValueError(f'{len(data)} bytes are left of {size}')
            _check_lengths(data)
            return breakup_chunk(replace(record, compression='', data=data), validate_crc=True)
        except Exception as error:  # damaged bytes break decompressors in ways they do not tell
            self._note_damage(place, error)
            return []

    def _note_damage(self, place: int, error: Exception) -> None:
        logger.debug('%s: the chunk at %d is damaged: %s', self.path, place, error)
        self._damaged.add(place)

    @property
    def problems(self) -> list[str]:
        """What of it could not be read, in words; grows while it is read."""
        name, damaged = self.path.name, len(self._damaged)
        found = sum(facts.count for facts in self.topics.values())
        cut = [] if self._has_end else [f'{name} has no end; {found} messages were found']
        return cut + ([f'{name} has damaged chunks, left out: {damaged}'] if damaged else [])

    def _chunks(
        self, topics: Collection[str], start_ns: int, stop_ns: int
    ) -> Iterator[tuple[int, list[McapRecord]]]:
        """(earliest time [ns], records) of each chunk that may have messages of some topics."""
        if self._index is None:
            for place, record in self._stream():
                begin = record.message_start_time if isinstance(record, Chunk) else 0
                begin = record.log_time if isinstance(record, Message) else begin
                yield begin, self._records_of(place, record)
            return
        for entry in self._index:
            channels = entry.message_index_offsets
            is_wanted = not channels or any(self._topic_of.get(c) in topics for c in channels)
            if entry.message_start_time >= stop_ns or entry.message_end_time < start_ns:
                continue
            if is_wanted:
                yield entry.message_start_time, self._chunk_at(entry)

    def _chunk_at(self, entry: ChunkIndex) -> list[McapRecord]:
        place = entry.chunk_start_offset
        try:
            self._file.seek(place + OPCODE_AND_LENGTH)
            data = self._file.read(min(entry.chunk_length, self._size) - OPCODE_AND_LENGTH)
            chunk = Chunk.read(ReadDataStream(BytesIO(data)))
        except Exception as error:  # as above
            self._note_damage(place, error)
            return []
        return self._records_of(place, chunk)

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[Recorded]:
        """See `StorageFile.messages`. Chunks may overlap in time; their messages are merged."""
        first = 0 if start_ns is None else start_ns
        stop = 1 << 64 if stop_ns is None else stop_ns
        waiting: list[tuple[int, int, Recorded]] = []
        number = 0
        for begin, records in self._chunks(topics, first, stop):
            while waiting and waiting[0][0] <= begin:
                yield heapq.heappop(waiting)[2]
            for record in records:
                if not isinstance(record, Message) or not first <= record.log_time < stop:
                    continue
                topic = self._topic_of.get(record.channel_id)
                if topic is not None and topic in topics:
                    number += 1
                    message = (topic, record.log_time, record.data)
                    heapq.heappush(waiting, (record.log_time, number, message))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _check_lengths(data: bytes) -> None:
    """Refuse the content of a chunk that its records do not fill; many chunks have no checksum.

    Raises:
        ValueError, struct.error: as described.
    """
    position = 0
    while position < len(data):
        (length,) = struct.unpack_from('<Q', data, position + 1)
        position += OPCODE_AND_LENGTH + length
    if position != len(data):
        raise ValueError('a record goes beyond its chunk')
