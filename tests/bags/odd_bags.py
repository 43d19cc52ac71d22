# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings as people bring them: the small drive, each time with another oddity."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from mcap.writer import Writer

from tests.bags.small_drive import STORE, Row, image_row, storage_file, truth_row, write_rows

FRAMES = 6
# Topic, type, encoding of messages, format of the definition, definition, a message.
Channel = tuple[str, str, str, str, bytes, bytes]
PROTOBUF = ('/video', 'foxglove.CompressedVideo', 'protobuf', 'protobuf', b'\n\4x\xff', b'\n\0')
JSON = ('/text', 'foxglove.Log', 'json', 'jsonschema', b'{}', b'{}')
JSON_IMAGE = ('/web/image_raw', 'sensor_msgs/msg/Image', 'json', 'jsonschema', b'{}', b'{}')
BROKEN = ('/limits', 'my_interfaces/msg/Limits', 'cdr', 'ros2msg', b'float32[ low\n', bytes(8))
UNKNOWN = ('/state', 'my_interfaces/msg/State', 'cdr', 'unknown', b'', bytes(8))
BARE = ('/bare', '', 'raw', '', b'', b'x')
ROS1 = ('/old', 'sensor_msgs/Image', 'ros1', 'ros1msg', b'Header header\n', bytes(20))


def drive_rows(frames: int = FRAMES) -> list[Row]:
    """Images with their ground truth."""
    return [row for index in range(frames) for row in (image_row(index), truth_row(index))]


def write_mcap(
    path: Path, rows: list[Row], *others: Channel, profile: str = 'ros2', **options: Any
) -> Path:
    """One MCAP file by another library, the other channels before those of the rows."""
    with path.open('wb') as file:
        writer = Writer(file, **options)
        writer.start(profile=profile, library='test')
        numbers = {}
        for topic, kind, encoding, form, definition, data in others:
            schema = writer.register_schema(kind, form, definition) if kind else 0
            number = writer.register_channel(topic, encoding, schema)
            writer.add_message(number, log_time=rows[0][2], publish_time=0, data=data)
        for topic, kind, recorded_ns, message in rows:
            if topic not in numbers:
                definition, _ = STORE.generate_msgdef(kind, ros_version=2)
                schema = writer.register_schema(kind, 'ros2msg', definition.encode())
                numbers[topic] = writer.register_channel(topic, 'cdr', schema)
            data = bytes(STORE.serialize_cdr(message, kind))
            writer.add_message(numbers[topic], recorded_ns, data, publish_time=recorded_ns)
        writer.finish()
    return path


def write_sqlite(path: Path, *statements: str) -> Path:
    """The drive as sqlite3, and what some statements make of it."""
    write_rows(path, drive_rows(), storage='sqlite3')
    with sqlite3.connect(storage_file(path)) as base:
        for statement in statements:
            base.execute(statement)
    base.close()
    return path
