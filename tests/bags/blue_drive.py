# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A drive for the tiny model, whose answer is known: a pixel's class is its blue value.

The tiny model also sees one car with a score of 0.9 in a fixed box of every image; there the
images have the blue of a car.
"""

from __future__ import annotations

import cv2
import numpy as np

from tests.bags.small_drive import (
    FFMPEG_TYPE,
    FOXGLOVE_TYPE,
    PERIOD,
    Row,
    T,
    header,
    label_row,
    stamp_of,
)

SIZE = (64, 96)  # the input of the tiny model
ROAD, SKY, CAR = 0, 10, 13
IMAGE_TYPE = 'sensor_msgs/msg/CompressedImage'
RAW_TYPE = 'sensor_msgs/msg/Image'


def blue_image(index: int) -> np.ndarray:
    """Sky above road, and a car; the horizon sinks by 4 rows a frame. BGR uint8 [64, 96, 3]."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[: horizon(index), :, 0] = SKY
    image[12:44, 8:40, 0] = CAR
    return image


def horizon(index: int) -> int:
    """The first row of the road."""
    return 4 * (4 + index % 6)


def png_row(index: int, *, camera: str = 'camera', image: np.ndarray | None = None) -> Row:
    """The image of a frame as PNG, which loses nothing."""
    picture = blue_image(index) if image is None else image
    data = cv2.imencode('.png', picture)[1].ravel()
    message = T[IMAGE_TYPE](header(stamp_of(index)), 'png', data)
    return f'/{camera}/image_raw/compressed', IMAGE_TYPE, stamp_of(index), message


def raw_row(index: int, *, camera: str = 'camera') -> Row:
    """The image of a frame as bgr8."""
    height, width = SIZE
    data = blue_image(index).reshape(-1)
    message = T[RAW_TYPE](header(stamp_of(index)), height, width, 'bgr8', 0, 3 * width, data)
    return f'/{camera}/image_raw', RAW_TYPE, stamp_of(index), message


def broken_row(index: int, *, camera: str = 'camera') -> Row:
    """An image message with a good header whose picture is none."""
    data = np.arange(50, dtype=np.uint8)
    message = T[IMAGE_TYPE](header(stamp_of(index)), 'jpeg', data)
    return f'/{camera}/image_raw/compressed', IMAGE_TYPE, stamp_of(index), message


def video_row(index: int, data: bytes, kind: str, *, camera: str = 'camera') -> Row:
    """A packet of H.264 in a message of a type, on the topic that its drivers use."""
    packet = np.frombuffer(data, np.uint8)
    head = header(stamp_of(index))
    if kind == FFMPEG_TYPE:
        height, width = SIZE
        message = T[kind](head, width, height, 'libx264;yuv420p', index, 0, False, packet)
    elif kind == FOXGLOVE_TYPE:
        message = T[kind](head.stamp, head.frame_id, packet, 'h264')
    else:
        message = T[kind](head, 'h264', packet)
    transport = {FFMPEG_TYPE: 'ffmpeg', FOXGLOVE_TYPE: 'foxglove', IMAGE_TYPE: 'compressed'}[kind]
    return f'/{camera}/image_raw/{transport}', kind, stamp_of(index), message


def truth_row(index: int, labels: np.ndarray, *, camera: str = 'camera') -> Row:
    """The ground truth of a frame, recorded a little later."""
    stamp = stamp_of(index)
    topic = f'/{camera}/ground_truth/panoptic/image'
    return label_row(topic, labels, stamp_ns=stamp, recorded_ns=stamp + PERIOD // 4)


def blue_rows(frames: int, *, first: int = 0, camera: str = 'camera') -> list[Row]:
    """Images alone."""
    return [png_row(index, camera=camera) for index in range(first, first + frames)]
