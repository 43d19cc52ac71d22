# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages of any kind to BGR arrays."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from upsnet_ros.images.compressed import decode_compressed
from upsnet_ros.images.limits import MAX_IMAGE_PIXELS
from upsnet_ros.images.raw import decode_raw


def image_to_bgr(
    message: Image | CompressedImage, *, max_pixels: int = MAX_IMAGE_PIXELS
) -> np.ndarray:
    """The picture of a message.

    Args:
        message: a raw or compressed image.
        max_pixels: greatest allowed product of width and height.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous, read-only where it shares the message's memory.

    Raises:
        ImageError: the message cannot be read; names the field, what it holds and what was
            expected.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message, max_pixels=max_pixels)
    return decode_raw(message, max_pixels=max_pixels)


def describe_encoding(message: Image | CompressedImage) -> str:
    """The encoding of a message in words, for diagnostics."""
    return message.format if isinstance(message, CompressedImage) else message.encoding
