# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages without ROS: the same fields, the data as ROS has it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Raw:
    """Like sensor_msgs/Image."""

    height: int = 0
    width: int = 0
    encoding: str = ''
    is_bigendian: int = 0
    step: int = 0
    data: array[int] | np.ndarray = field(default_factory=lambda: array('B'))


@dataclass
class Compressed:
    """Like sensor_msgs/CompressedImage."""

    format: str = ''
    data: array[int] | np.ndarray = field(default_factory=lambda: array('B'))


def raw(values: np.ndarray, encoding: str, *, padding: int = 0, big_endian: bool = False) -> Raw:
    """A message of values [H, W] or [H, W, C], with bytes of rubbish at the end of each row."""
    height, width = values.shape[:2]
    order = '>' if big_endian else '<'
    rows = np.ascontiguousarray(values.astype(values.dtype.newbyteorder(order)))
    rows = rows.view(np.uint8).reshape(height, -1)
    rows = np.hstack([rows, np.full((height, padding), 77, np.uint8)])
    data = array('B', rows.tobytes())
    return Raw(height, width, encoding, int(big_endian), rows.shape[1], data)


def compressed(data: bytes, image_format: str = 'jpeg') -> Compressed:
    """A message with a file."""
    return Compressed(image_format, array('B', data))
