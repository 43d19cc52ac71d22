# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small hand-made drive as a bag: a car on a road, with ground truth."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

ROAD, SKY, CAR, VOID = 0 << 8, 10 << 8, 13 << 8, 65535
HEIGHT, WIDTH = 96, 192
STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types


def truth_of(index: int) -> np.ndarray:
    """Ground truth label image of one frame, uint16 [96, 192]: a car moves 2 px a frame."""
    label = np.full((HEIGHT, WIDTH), SKY, np.uint16)
    label[48:] = ROAD
    label[60:80, 20 + 2 * index : 60 + 2 * index] = CAR + 1
    label[90:] = VOID
    return label


def image_of(index: int) -> np.ndarray:
    """The camera image that belongs to it, BGR uint8 [96, 192, 3]."""
    colours = {ROAD: (90, 90, 90), SKY: (230, 180, 120), CAR + 1: (160, 40, 20)}
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for label, colour in colours.items():
        image[truth_of(index) == label] = colour
    return image


def header(stamp_ns: int) -> object:
    """A std_msgs/Header of the camera."""
    time = T['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
    return T['std_msgs/msg/Header'](stamp=time, frame_id='camera_optical_frame')


def jpeg_message(image: np.ndarray, stamp_ns: int) -> object:
    """A CompressedImage."""
    data = cv2.imencode('.jpg', image)[1].ravel()
    return T['sensor_msgs/msg/CompressedImage'](header(stamp_ns), 'jpeg', data)


def label_message(label: np.ndarray, stamp_ns: int) -> object:
    """A 16UC1 Image."""
    data = np.ascontiguousarray(label).view(np.uint8).ravel()
    height, width = label.shape
    return T['sensor_msgs/msg/Image'](header(stamp_ns), height, width, '16UC1', 0, 2 * width, data)


@pytest.fixture
def write_bag(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bag from (topic, type, record time in ns, message) rows and returns its folder."""

    def write(rows: list[tuple[str, str, int, object]], *, name: str = 'bag') -> Path:
        path = tmp_path / name
        with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
            connections = {}
            for topic, kind, recorded_ns, message in rows:
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
                writer.write(connections[topic], recorded_ns, STORE.serialize_cdr(message, kind))
        return path

    return write


@pytest.fixture
def write_drive(write_bag: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a drive of `frames` frames at 10 Hz; `truth_every` thins the ground truth out."""

    def write(*, frames: int = 5, truth_every: int | None = 1, name: str = 'drive') -> Path:
        rows = []
        for index in range(frames):
            stamp = 1_000_000_000 * 1000 + index * 100_000_000
            rows.append(
                (
                    '/camera/image_raw/compressed',
                    'sensor_msgs/msg/CompressedImage',
                    stamp,
                    jpeg_message(image_of(index), stamp),
                )
            )
            if truth_every and index % truth_every == 0:
                rows.append(
                    (
                        '/camera/ground_truth/panoptic/image',
                        'sensor_msgs/msg/Image',
                        stamp,
                        label_message(truth_of(index), stamp),
                    )
                )
        return write_bag(rows, name=name)

    return write
