# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A drive of a few small frames made by hand: a car on a road under a sky, labels known.

And bags of every kind that a recorder leaves, whole and cut off.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

ROAD, SKY, CAR, VOID = 0 << 8, 10 << 8, (13 << 8) + 1, 65535
HEIGHT, WIDTH = 96, 192
FIRST_STAMP, PERIOD = 1_000_000_000_000, 100_000_000
IMAGE_TOPIC = '/camera/image_raw/compressed'
TRUTH_TOPIC = '/camera/ground_truth/panoptic/image'
COLOURS = {ROAD: (90, 90, 90), SKY: (230, 180, 120), CAR: (160, 40, 20)}

FFMPEG_TYPE = 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket'
FOXGLOVE_TYPE = 'foxglove_msgs/msg/CompressedVideo'
VIDEO_FIELDS = {
    FFMPEG_TYPE: 'std_msgs/Header header\nint32 width\nint32 height\nstring encoding\n'
    'uint64 pts\nuint8 flags\nbool is_bigendian\nuint8[] data\n',
    FOXGLOVE_TYPE: 'builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\n'
    'string format\n',
}


def typestore(distribution: Stores) -> Typestore:
    """The types of a distribution, and those of video that people install beside it."""
    store = get_typestore(distribution)
    for name, fields in VIDEO_FIELDS.items():
        store.register(get_types_from_msg(fields, name))
    return store


STORE = typestore(Stores.ROS2_JAZZY)
T = STORE.types
Row = tuple[str, str, int, object]
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
SUFFIXES = {'mcap': '.mcap', 'sqlite3': '.db3'}


def truth_of(index: int) -> np.ndarray:
    """Ground truth label image of one frame, uint16 [96, 192]: a car moves 2 px a frame."""
    label = np.full((HEIGHT, WIDTH), SKY, np.uint16)
    label[48:] = ROAD
    label[60:80, 20 + 2 * index : 60 + 2 * index] = CAR
    label[92:] = VOID
    return label


def image_of(index: int) -> np.ndarray:
    """The camera image that belongs to it, BGR uint8 [96, 192, 3]."""
    image = np.full((HEIGHT, WIDTH, 3), COLOURS[ROAD], np.uint8)
    for label, colour in COLOURS.items():
        image[truth_of(index) == label] = colour
    return image


def labels_by_colour(image: np.ndarray) -> np.ndarray:
    """The labels of an image of this drive, found by colour alone, uint16 [H, W]."""
    blue, red = image[..., 0].astype(int), image[..., 2].astype(int)
    label = np.full(image.shape[:2], ROAD, np.uint16)
    label[blue > 195] = SKY
    label[(blue - red > 70) & (blue <= 195)] = CAR
    return label


def stamp_of(index: int) -> int:
    """Header stamp of a frame [ns]: 10 Hz."""
    return FIRST_STAMP + index * PERIOD


def header(stamp_ns: int) -> object:
    """A std_msgs/Header of the camera."""
    time = T['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
    return T['std_msgs/msg/Header'](stamp=time, frame_id='camera_optical_frame')


def image_row(index: int) -> Row:
    """One camera image for `write_rows`."""
    data = cv2.imencode('.jpg', image_of(index), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].ravel()
    message = T['sensor_msgs/msg/CompressedImage'](header(stamp_of(index)), 'jpeg', data)
    return IMAGE_TOPIC, 'sensor_msgs/msg/CompressedImage', stamp_of(index), message


def label_row(topic: str, label: np.ndarray, *, stamp_ns: int, recorded_ns: int) -> Row:
    """One label image for `write_rows`."""
    height, width = label.shape
    data = np.ascontiguousarray(label).view(np.uint8).ravel()
    message = T['sensor_msgs/msg/Image'](
        header(stamp_ns), height, width, '16UC1', 0, 2 * width, data
    )
    return topic, 'sensor_msgs/msg/Image', recorded_ns, message


def truth_row(index: int, *, recorded_ns: int | None = None, topic: str = TRUTH_TOPIC) -> Row:
    """The ground truth of one image, recorded with it unless said otherwise."""
    stamp = stamp_of(index)
    recorded = stamp if recorded_ns is None else recorded_ns
    return label_row(topic, truth_of(index), stamp_ns=stamp, recorded_ns=recorded)


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
    store = typestore(distribution)
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


def write_drive(path: Path, *, frames: int, truth_every: int | None = 1) -> Path:
    """Write a drive; every so many frames have ground truth, none where `truth_every` is None."""
    rows = []
    for index in range(frames):
        rows.append(image_row(index))
        if truth_every and index % truth_every == 0:
            rows.append(truth_row(index))
    return write_rows(path, rows)


def storage_file(bag: Path) -> Path:
    """The one storage file of a bag."""
    (path,) = (p for p in bag.iterdir() if p.suffix in ('.mcap', '.db3', '.zstd'))
    return path


def write_split(path: Path, parts: list[list[Row]], *, storage: str, first: int = 0) -> Path:
    """Write a bag of several files, numbered from `first`, with one metadata file."""
    path.mkdir()
    names: list[str] = []
    topics: dict[str, dict[str, Any]] = {}
    information: dict[str, Any] = {}
    for number, rows in enumerate(parts, first):
        single = write_rows(path.parent / f'part{number}', rows, storage=storage)
        names.append(f'{path.name}_{number}{SUFFIXES[storage]}')
        shutil.move(storage_file(single), path / names[-1])
        content = yaml.safe_load((single / 'metadata.yaml').read_text())
        information = content['rosbag2_bagfile_information']
        for entry in information['topics_with_message_count']:
            known = topics.setdefault(
                entry['topic_metadata']['name'], {**entry, 'message_count': 0}
            )
            known['message_count'] += entry['message_count']
        shutil.rmtree(single)
    total = sum(entry['message_count'] for entry in topics.values())
    information |= {'relative_file_paths': names, 'message_count': total}
    information['topics_with_message_count'] = list(topics.values())
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


def raw_image(data: np.ndarray, *, encoding: str, width: int, step: int, **other: int) -> object:
    """A message with the fields of sensor_msgs/Image."""
    flat = np.ascontiguousarray(data).view(np.uint8).ravel()
    values = {'height': len(data), 'is_bigendian': 0, **other}
    return SimpleNamespace(encoding=encoding, width=width, step=step, data=flat, **values)
