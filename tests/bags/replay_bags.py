# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags of every kind a recorder leaves, whole and damaged, of the small drive."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from tests.bags.small_drive import STORE, Row

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
SUFFIXES = {'mcap': '.mcap', 'sqlite3': '.db3'}


def write_rows(
    path: Path,
    rows: list[Row],
    *,
    storage: str = 'mcap',
    compression: str = 'none',
    distribution: Stores = Stores.ROS2_JAZZY,
) -> Path:
    """Write (topic, type, record time [ns], message or raw bytes) rows as a bag.

    `compression` is `none`, `message`, `file` or, of MCAP, `storage`; `distribution` says whose
    definitions are written.
    """
    store = get_typestore(distribution)
    writer = Writer(path, version=8, storage_plugin=STORAGES[storage])
    if compression != 'none':
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, kind, recorded_ns, message in rows:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            raw = message if isinstance(message, bytes) else STORE.serialize_cdr(message, kind)
            writer.write(connections[topic], recorded_ns, raw)
    return path


def storage_file(bag: Path) -> Path:
    """The one storage file of a bag."""
    (path,) = (p for p in bag.iterdir() if p.suffix in ('.mcap', '.db3', '.zstd'))
    return path


def write_split(path: Path, parts: list[list[Row]], *, storage: str, first: int = 0) -> Path:
    """Write a bag of several files, numbered from `first`, with one metadata file."""
    path.mkdir()
    names, total = [], 0
    information = {}
    for number, rows in enumerate(parts, first):
        single = write_rows(path.parent / f'part{number}', rows, storage=storage)
        names.append(f'{path.name}_{number}{SUFFIXES[storage]}')
        shutil.move(storage_file(single), path / names[-1])
        content = yaml.safe_load((single / 'metadata.yaml').read_text())
        information = content['rosbag2_bagfile_information']
        total += information['message_count']
        shutil.rmtree(single)
    information |= {'relative_file_paths': names, 'message_count': total}
    text = yaml.safe_dump({'rosbag2_bagfile_information': information})
    (path / 'metadata.yaml').write_text(text)
    return path


def write_old_sqlite(path: Path, rows: list[Row]) -> Path:
    """A bag as ROS 2 Foxy writes it: no schema table and no definitions of types."""
    path.mkdir()
    database = sqlite3.connect(path / f'{path.name}.db3')
    database.executescript(
        'CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, '
        'serialization_format TEXT, offered_qos_profiles TEXT);'
        'CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, '
        'data BLOB);'
    )
    numbers: dict[str, int] = {}
    for topic, kind, recorded_ns, message in rows:
        if topic not in numbers:
            numbers[topic] = len(numbers) + 1
            database.execute(
                'INSERT INTO topics VALUES (?, ?, ?, ?, ?)',
                (numbers[topic], topic, kind, 'cdr', ''),
            )
        database.execute(
            'INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)',
            (numbers[topic], recorded_ns, bytes(STORE.serialize_cdr(message, kind))),
        )
    database.commit()
    database.close()
    return path


def cut(path: Path, share: float) -> Path:
    """Leave the first part of a file, as a power cut does."""
    with path.open('r+b') as file:
        file.truncate(int(path.stat().st_size * share))
    return path
