# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an array has to be to be taken for a picture."""

from __future__ import annotations

import numpy as np

from upsnet_ros.core.errors import ImageError


def check_image(image_bgr: np.ndarray) -> None:
    """Raise ImageError unless this is a uint8 [H, W, 3] array with at least one pixel."""
    if not isinstance(image_bgr, np.ndarray):
        raise ImageError(
            f'image is {type(image_bgr).__name__}, expected a NumPy array; decode it first'
        )
    if image_bgr.dtype != np.uint8:
        raise ImageError(
            f'image has type {image_bgr.dtype}, expected uint8; scale it to 0 to 255 and convert'
        )
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3:
        raise ImageError(
            f'image has shape {image_bgr.shape}, expected [height, width, 3] in BGR; convert grey '
            'or alpha images first'
        )
    if image_bgr.size == 0:
        raise ImageError(
            f'image has shape {image_bgr.shape}, expected at least one pixel; check the camera'
        )
