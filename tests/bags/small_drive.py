# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A drive of a few small frames made by hand: a car on a road under a sky, labels known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

ROAD, SKY, CAR, VOID = 0 << 8, 10 << 8, (13 << 8) + 1, 65535
HEIGHT, WIDTH = 96, 192
FIRST_STAMP, PERIOD = 1_000_000_000_000, 100_000_000
IMAGE_TOPIC = '/camera/image_raw/compressed'
TRUTH_TOPIC = '/camera/ground_truth/panoptic/image'
COLOURS = {ROAD: (90, 90, 90), SKY: (230, 180, 120), CAR: (160, 40, 20)}

STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types
Row = tuple[str, str, int, object]


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
    """One camera image for `write_bag`."""
    data = cv2.imencode('.jpg', image_of(index), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].ravel()
    message = T['sensor_msgs/msg/CompressedImage'](header(stamp_of(index)), 'jpeg', data)
    return IMAGE_TOPIC, 'sensor_msgs/msg/CompressedImage', stamp_of(index), message


def label_row(topic: str, label: np.ndarray, *, stamp_ns: int, recorded_ns: int) -> Row:
    """One label image for `write_bag`."""
    height, width = label.shape
    data = np.ascontiguousarray(label).view(np.uint8).ravel()
    message = T['sensor_msgs/msg/Image'](
        header(stamp_ns), height, width, '16UC1', 0, 2 * width, data
    )
    return topic, 'sensor_msgs/msg/Image', recorded_ns, message


def write_bag(path: Path, rows: list[Row]) -> Path:
    """Write (topic, type, record time [ns], message) rows as a rosbag2 and return its folder."""
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, kind, recorded_ns, message in rows:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = STORE.serialize_cdr(message, kind)
            writer.write(connections[topic], recorded_ns, data)
    return path


def write_drive(path: Path, *, frames: int, truth_every: int | None = 1) -> Path:
    """Write a drive; every so many frames have ground truth, none where `truth_every` is None."""
    rows = []
    for index in range(frames):
        rows.append(image_row(index))
        if truth_every and index % truth_every == 0:
            stamp = stamp_of(index)
            rows.append(label_row(TRUTH_TOPIC, truth_of(index), stamp_ns=stamp, recorded_ns=stamp))
    return write_bag(path, rows)


def raw_image(data: np.ndarray, *, encoding: str, width: int, step: int, **other: int) -> object:
    """A message with the fields of sensor_msgs/Image."""
    flat = np.ascontiguousarray(data).view(np.uint8).ravel()
    values = {'height': len(data), 'is_bigendian': 0, **other}
    return SimpleNamespace(encoding=encoding, width=width, step=step, data=flat, **values)
