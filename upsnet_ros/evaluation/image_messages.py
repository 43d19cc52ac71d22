# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages as they lie in a bag, turned into arrays; no ROS is needed for it.

The messages are those of `rosbags`: the same fields as ROS's own, `data` as a NumPy array.
"""

from typing import Protocol

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError

NANOSECONDS = 1_000_000_000
# encoding -> conversion to BGR; None: is BGR already
COLOUR_ENCODINGS: dict[str, int | None] = {
    'bgr8': None,
    '8UC3': None,
    'rgb8': cv2.COLOR_RGB2BGR,
    'bgra8': cv2.COLOR_BGRA2BGR,
    'rgba8': cv2.COLOR_RGBA2BGR,
    'mono8': cv2.COLOR_GRAY2BGR,
    '8UC1': cv2.COLOR_GRAY2BGR,
}
CHANNELS = {'bgr8': 3, '8UC3': 3, 'rgb8': 3, 'bgra8': 4, 'rgba8': 4, 'mono8': 1, '8UC1': 1}
LABEL_ENCODINGS = ('16UC1', 'mono16')


class Stamp(Protocol):
    """builtin_interfaces/Time."""

    sec: int
    nanosec: int


def stamp_ns(stamp: Stamp) -> int:
    """A message stamp in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def _rows(message: object, *, bytes_per_pixel: int) -> np.ndarray:
    """The pixel bytes without the padding of `step`, uint8 [H, W * bytes_per_pixel]."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    needed = width * bytes_per_pixel
    data = np.asarray(message.data, np.uint8)
    if height < 1 or width < 1 or step < needed or data.size < height * step:
        raise ImageError(
            f'image of {width}x{height} {message.encoding} has step {step} and {data.size} bytes; '
            f'expected a size above 0, step >= {needed} and at least height * step bytes. '
            'The recording or its writer is faulty.'
        )
    return data[: height * step].reshape(height, step)[:, :needed]


def camera_image(message: object, message_type: str) -> np.ndarray:
    """The picture of an Image or CompressedImage message.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous.

    Raises:
        ImageError: unknown encoding, or data that is no such picture.
    """
    if message_type == 'sensor_msgs/msg/CompressedImage':
        image = cv2.imdecode(np.asarray(message.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ImageError(
                f'{len(message.data)} bytes of format {message.format!r} are no readable picture; '
                'expected JPEG or PNG.'
            )
        return image
    if message.encoding not in COLOUR_ENCODINGS:
        raise ImageError(
            f'encoding {message.encoding!r} is not read here; known are '
            f'{", ".join(COLOUR_ENCODINGS)}.'
        )
    channels = CHANNELS[message.encoding]
    rows = _rows(message, bytes_per_pixel=channels)
    pixels = np.ascontiguousarray(rows).reshape(message.height, message.width, channels)
    conversion = COLOUR_ENCODINGS[message.encoding]
    return pixels if conversion is None else cv2.cvtColor(pixels, conversion)


def label_image(message: object) -> np.ndarray:
    """The label image of an Image message.

    Returns:
        uint16 [H, W], `class_id << 8 | instance`, 65535 where unknown or void.

    Raises:
        ImageError: another encoding than 16UC1, or a wrong size.
    """
    if message.encoding not in LABEL_ENCODINGS:
        raise ImageError(f'label image is {message.encoding!r}; expected 16UC1.')
    rows = np.ascontiguousarray(_rows(message, bytes_per_pixel=2))
    order = '>u2' if message.is_bigendian else '<u2'
    return rows.view(order).astype(np.uint16, copy=False)
