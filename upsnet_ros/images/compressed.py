# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed image messages to BGR arrays; no file reaches a decoder unchecked."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.jpeg_guard import JPEG_START, checked_jpeg
from upsnet_ros.images.png_guard import PNG_START, checked_png

# The label image must lie on the pixels of the sensor, so a rotation that the file suggests to
# viewers is not applied.
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
# Four values of 16 bits, unpacked, and room for what is said of the picture beside it.
_MOST_BYTES_PER_PIXEL, _NOTES_BYTES = 8, 1 << 20
_SHOWN_BYTES = 8
_SHOWN_FORMAT = 60


def decode_compressed(message: Any, *, max_pixels: int) -> np.ndarray:
    """The picture of a JPEG or PNG file.

    16 bits become their more significant 8, grey and palettes BGR; transparency is left out.

    Args:
        message: the file; what it is, is told by its first bytes, not by the format's name.
        max_pixels: greatest allowed product of width and height.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous.

    Raises:
        ImageError: the file cannot be read or should not be; says why.
    """
    shown = f"compressed image of format '{message.format[:_SHOWN_FORMAT]}'"
    try:
        _check_length(len(message.data), max_pixels)
        data = bytes(message.data)
        if data.startswith(JPEG_START):
            checked = checked_jpeg(data, max_pixels=max_pixels)
        elif data.startswith(PNG_START):
            checked = checked_png(data, max_pixels=max_pixels)
        else:
            raise ImageError(_foreign(data))
    except ImageError as error:
        raise ImageError(f'{shown}: {error}') from error
    try:
        image = cv2.imdecode(np.frombuffer(checked, dtype=np.uint8), _FLAGS)
    except cv2.error as error:
        raise ImageError(f'{shown} cannot be decoded: {error.err}') from error
    if image is None:
        raise ImageError(
            f'{shown} with {len(data)} bytes cannot be decoded, expected a sound JPEG or PNG file'
        )
    return image


def _check_length(length: int, max_pixels: int) -> None:
    """Refuses a file that no allowed picture needs, before it is copied."""
    limit = max_pixels * _MOST_BYTES_PER_PIXEL + _NOTES_BYTES
    if length > limit:
        raise ImageError(
            f'it has {length} bytes, limit {limit} for {max_pixels} pixels; let the camera send '
            "smaller images or raise the parameter 'max_image_pixels'"
        )


def _foreign(data: bytes) -> str:
    """What to say of a file that is neither JPEG nor PNG."""
    if not data:
        return 'it has no data, expected a JPEG or PNG file'
    return (
        f'it begins with bytes {data[:_SHOWN_BYTES].hex(" ")}, expected a JPEG or PNG file; set '
        'the image transport of the camera to one of them'
    )
