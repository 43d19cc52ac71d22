# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How large a picture may be, asked before any memory is given to it."""

from __future__ import annotations

from upsnet_ros.core.errors import ImageError

MAX_IMAGE_PIXELS = 7680 * 4320
"""Default of the parameter `max_image_pixels`: 8K, whose BGR picture has 100 MB."""


def check_image_size(width: int, height: int, max_pixels: int) -> None:
    """Refuses a picture without pixels or with too many.

    Args:
        width: columns that a message or the header of a file claims.
        height: rows that it claims.
        max_pixels: greatest allowed product of the two.

    Raises:
        ImageError: names size and limit, and what to do.
    """
    if width == 0 or height == 0:
        raise ImageError(f'image size is {width}x{height}, expected at least one pixel')
    if width * height > max_pixels:
        raise ImageError(
            f'image size is {width}x{height}, {width * height} pixels, limit {max_pixels}; let '
            "the camera send smaller images or raise the parameter 'max_image_pixels'"
        )
