# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages without ROS: the same fields, the data as ROS has it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
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


ENCODERS = {'h264': ('libx264', 'x264-params'), 'h265': ('libx265', 'x265-params')}


def moving_square(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture of video, BGR uint8: a blue square that moves, so that each is its own."""
    picture = np.full((height, width, 3), (30, 160, 60), np.uint8)
    left = 4 * index % (width - 12)
    picture[8:24, left : left + 12] = (200, 60, 40)
    return picture


def encoded(
    pictures: Sequence[np.ndarray],
    codec: str = 'h264',
    *,
    every: int = 8,
    b_frames: int = 0,
    parameters: str = '',
) -> list[bytes]:
    """Packets of video in the order in which they are sent, without delay but for B-frames.

    Args:
        pictures: BGR uint8, all of one size.
        codec: h264 or h265.
        every: pictures from one key frame to the next.
        b_frames: most of them in a row.
        parameters: more of the encoder's.
    """
    encoder, key = ENCODERS[codec]
    context = av.CodecContext.create(encoder, 'w')
    context.pix_fmt, context.time_base = 'yuv420p', Fraction(1, 10)
    told = f'keyint={every}:min-keyint={every}:scenecut=0:bframes={b_frames}:repeat-headers=1'
    told += ':log-level=none' if codec == 'h265' else ''
    context.options = {'preset': 'ultrafast', 'crf': '8', key: told + parameters}
    if not b_frames:
        context.options = {**context.options, 'tune': 'zerolatency'}
    context.height, context.width = pictures[0].shape[:2]
    packets = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, 'bgr24')
        frame.pts = index
        packets += context.encode(frame)
    return [bytes(packet) for packet in (*packets, *context.encode(None))]
