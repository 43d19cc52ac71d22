# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask logits as a mask in the image, the way Mask R-CNN's detections are measured."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from upsnet_ros.core.structures import MASK_SIZE
from upsnet_ros.core.window import EMPTY, Window, mask_window

_PADDED = MASK_SIZE + 2


def paste_mask(
    box: Sequence[float], logits: np.ndarray, canvas: Window
) -> tuple[Window, np.ndarray]:
    """Resize mask probabilities to their box, and cut off what lies outside the canvas.

    The mask gets a border of zeros, one cell wide, and the box grows by as much, so that the mask
    can end inside the box. `upsnet_ros.core.mask_pruning.place_mask` is the panoptic head's way,
    which has no border.

    Args:
        box: x1, y1, x2, y2 in canvas pixels.
        logits: float32 [28, 28].
        canvas: the pixels there are.

    Returns:
        Where the answer lies, and bool [height, width], True where the probability is above one
        half.

    Source: conventions of Mask R-CNN's published code, on integer pixels.
    """
    window = mask_window(_grown(box))
    visible = window.intersect(canvas)
    if visible.is_empty:
        return EMPTY, np.zeros((0, 0), dtype=bool)
    padded = np.zeros((_PADDED, _PADDED), dtype=np.float32)
    padded[1:-1, 1:-1] = 0.5 + 0.5 * np.tanh(0.5 * logits)  # the sigmoid, without overflow
    resized = cv2.resize(
        padded, (window.width, window.height), interpolation=cv2.INTER_LINEAR
    )  # [window height, window width]
    return visible, resized[visible.relative_to(window).slices] > 0.5


def _grown(box: Sequence[float]) -> tuple[float, float, float, float]:
    """Return a box enlarged about its centre by the share of the border."""
    left, top, right, bottom = box
    centre_x, centre_y = (left + right) * 0.5, (top + bottom) * 0.5
    half_width = (right - left) * 0.5 * _PADDED / MASK_SIZE
    half_height = (bottom - top) * 0.5 * _PADDED / MASK_SIZE
    return (
        centre_x - half_width,
        centre_y - half_height,
        centre_x + half_width,
        centre_y + half_height,
    )
