# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCAP files, whole and damaged: a chunk that cannot be read is left out and counted.

Chunks are found through the index at the end of a file. Where that is missing, as after a power
cut, or does not tell what is needed, the records are read one after another.
"""

from __future__ import annotations

import logging
import struct
import zlib
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
    PIECE_BYTES,
    BagMessage,
    TopicFacts,
    add_topic,
    in_order,
    type_name,
    unpack,
)

logger = logging.getLogger(__name__)

OPCODE_AND_LENGTH = 9  # bytes before the content of a record
MAGIC = b'\x89MCAP0\r\n'
# The end of a file: where its summary and the offsets in it begin, and a checksum of all of that.
SUMMARY_PLACES = struct.Struct('<QQI')
CHECKSUM_BYTES = 4
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
        self._left_out: list[str] = []
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
            self._check_summary()
            summary = reader.get_summary()
            facts = summary.statistics if summary else None
            if (
                summary is None
                or facts is None
                or facts.chunk_count != len(summary.chunk_indexes)
                or facts.channel_count != len(summary.channels)
                or facts.message_count != sum(facts.channel_message_counts.values())
                or not facts.channel_message_counts.keys() <= summary.channels.keys()
                or (facts.message_count and not facts.chunk_count)
                or any(c.schema_id not in {0, *summary.schemas} for c in summary.channels.values())
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

    def _check_summary(self) -> None:
        """Refuse a summary that is not what its checksum says, if it has one.

        Raises:
            ValueError: as described.
        """
        self._file.seek(self._size - SUMMARY_PLACES.size - len(MAGIC))
        start, _, checksum = SUMMARY_PLACES.unpack(self._file.read(SUMMARY_PLACES.size))
        self._file.seek(start)
        left, found = self._size - CHECKSUM_BYTES - len(MAGIC) - start, 0
        while checksum and left > 0 and (piece := self._file.read(min(left, PIECE_BYTES))):
            found, left = zlib.crc32(piece, found), left - len(piece)
        if found != checksum:
            raise ValueError('the summary is damaged')

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
        problem = add_topic(self.topics, channel.topic, facts)
        if problem is None:
            self._topic_of[channel.id] = channel.topic
        elif problem not in self._left_out:
            self._left_out.append(problem)

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
        lost = [f'{name} has damaged chunks, left out: {damaged}'] if damaged else []
        return [*cut, *lost, *self._left_out]

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[BagMessage]:
        """See `StorageFile.messages`."""
        first = 0 if start_ns is None else start_ns
        stop = 1 << 64 if stop_ns is None else stop_ns
        for message in in_order(self._parts(topics, first, stop)):
            if first <= message.recorded_ns < stop:
                yield message

    def _parts(
        self, topics: Collection[str], first: int, stop: int
    ) -> Iterator[tuple[int, Iterator[BagMessage]]]:
        """Each chunk that may have messages of some topics in a time, see `in_order`."""
        if self._index is None:
            for place, record in self._stream():
                begin = record.message_start_time if isinstance(record, Chunk) else 0
                begin = record.log_time if isinstance(record, Message) else begin
                yield begin, self._messages_of(topics, place, record)
            return
        for entry in self._index:
            channels = entry.message_index_offsets
            is_wanted = not channels or any(self._topic_of.get(c) in topics for c in channels)
            if is_wanted and entry.message_start_time < stop and entry.message_end_time >= first:
                yield entry.message_start_time, self._messages_at(topics, entry)

    def _messages_at(self, topics: Collection[str], entry: ChunkIndex) -> Iterator[BagMessage]:
        place = entry.chunk_start_offset
        try:
            self._file.seek(place + OPCODE_AND_LENGTH)
            data = self._file.read(min(entry.chunk_length, self._size) - OPCODE_AND_LENGTH)
            chunk = Chunk.read(ReadDataStream(BytesIO(data)))
        except Exception as error:  # as above
            self._note_damage(place, error)
            return
        yield from self._messages_of(topics, place, chunk)

    def _messages_of(
        self, topics: Collection[str], place: int, record: McapRecord
    ) -> Iterator[BagMessage]:
        """The messages of some topics in a chunk, or of a record beside the chunks."""
        messages = [each for each in self._records_of(place, record) if isinstance(each, Message)]
        for message in sorted(messages, key=lambda message: message.log_time):
            topic = self._topic_of.get(message.channel_id)
            if topic is not None and topic in topics:
                yield BagMessage(topic, message.log_time, message.data)

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
