# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages as they lie in a bag, turned into arrays; no ROS is needed for it.

The messages are those of `rosbags`: the same fields as ROS's own, `data` as a NumPy array.
"""

from typing import Protocol

import numpy as np

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.compressed import decode_compressed
from upsnet_ros.images.limits import MAX_IMAGE_PIXELS
from upsnet_ros.images.raw import decode_raw

NANOSECONDS = 1_000_000_000
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
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
    """The picture of an Image or CompressedImage message, as the node sees it.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous, read-only where it shares the message's memory.

    Raises:
        ImageError: unknown encoding, or data that is no such picture.
    """
    decode = decode_compressed if message_type == COMPRESSED_TYPE else decode_raw
    return decode(message, max_pixels=MAX_IMAGE_PIXELS)


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
