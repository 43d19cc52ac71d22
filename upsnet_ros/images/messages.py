# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages of ROS or of a bag, raw, compressed or video, as arrays; no ROS is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.compressed import (
    CompressedMessage,
    decode_compressed,
    decode_compressed_values,
)
from upsnet_ros.images.raw import MAX_IMAGE_PIXELS, PixelLayout, RawMessage, decode_raw, pixel_rows
from upsnet_ros.images.video import VideoDecoder, video_codec

if TYPE_CHECKING:
    from typing_extensions import TypeIs

NANOSECONDS = 1_000_000_000
LABEL_ENCODINGS = ('16UC1', 'mono16')
_LABELS = PixelLayout(channels=1, bytes_per_value=2)


class Stamp(Protocol):
    """builtin_interfaces/Time."""

    sec: int
    nanosec: int


def stamp_ns(stamp: Stamp) -> int:
    """A message stamp in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def message_stamp(message: Any) -> Stamp:
    """The stamp of a message; CompressedVideo has one without a header."""
    header = getattr(message, 'header', None)
    stamp: Stamp = message.timestamp if header is None else header.stamp
    return stamp


def message_frame_id(message: Any) -> str:
    """The coordinate frame of a message, likewise."""
    header = getattr(message, 'header', None)
    return str(message.frame_id if header is None else header.frame_id)


def _is_compressed(message: RawMessage | CompressedMessage) -> TypeIs[CompressedMessage]:
    """Tells the two kinds apart; `isinstance` of a protocol takes as long as decoding does."""
    return hasattr(message, 'format')


def image_to_bgr(
    message: RawMessage | CompressedMessage, *, max_pixels: int = MAX_IMAGE_PIXELS
) -> np.ndarray:
    """The picture of a camera's message.

    Args:
        message: a raw or compressed image.
        max_pixels: greatest allowed product of width and height.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous, read-only where it shares the message's memory.

    Raises:
        ImageError: the message cannot be read; names the field, what it holds and what was
            expected.
    """
    return decode_image(message, max_pixels=max_pixels)[0]


def decode_image(
    message: RawMessage | CompressedMessage,
    *,
    max_pixels: int = MAX_IMAGE_PIXELS,
    shown_in: tuple[int, int] | None = None,
    video: VideoDecoder | None = None,
) -> tuple[np.ndarray, int]:
    """The picture of a camera's message, of a JPEG no larger than it need be.

    Args:
        message: a raw or compressed image, or a packet of video.
        max_pixels: as for `image_to_bgr`.
        shown_in: height and width into which the picture will be scaled [px]; None to have all
            of it.
        video: decodes the camera's video, if it should send any.

    Returns:
        The picture as `image_to_bgr` has it, and how many rows and columns of the message one of
        it stands for: 1, 2, 4 or 8.

    Raises:
        ImageError: as for `image_to_bgr`.
    """
    if video is not None and video_codec(message) is not None:
        return video.decode(message, max_pixels=max_pixels).to_bgr(), 1
    if _is_compressed(message):
        return decode_compressed(message, max_pixels=max_pixels, shown_in=shown_in)
    return decode_raw(message, max_pixels=max_pixels), 1


def label_image(message: RawMessage | CompressedMessage) -> np.ndarray:
    """The label image of a message: 16 bits, raw or as PNG.

    Returns:
        uint16 [H, W], `class_id << 8 | instance`, 65535 where unknown or void.

    Raises:
        ImageError: another encoding or kind of file, or one that cannot be read.
    """
    if _is_compressed(message):
        values = decode_compressed_values(message, max_pixels=MAX_IMAGE_PIXELS)
        return values.astype(np.uint16, copy=False)
    if message.encoding not in LABEL_ENCODINGS:
        raise ImageError(f'label image is {message.encoding!r}; expected 16UC1.')
    rows = pixel_rows(message, _LABELS, max_pixels=MAX_IMAGE_PIXELS)
    order = '>u2' if message.is_bigendian else '<u2'
    return np.ascontiguousarray(rows).view(order).astype(np.uint16, copy=False)


def describe_encoding(message: RawMessage | CompressedMessage) -> str:
    """The encoding of a message in words, for diagnostics."""
    return message.format if _is_compressed(message) else message.encoding
