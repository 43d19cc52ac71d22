# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask logits in the image: which instances enter the panoptic logits, and pasted masks.

`place_mask` is the panoptic head's way, `paste_mask` that of Mask R-CNN's detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from upsnet_ros.core.labels import MAX_INSTANCE
from upsnet_ros.core.structures import MASK_SIZE
from upsnet_ros.core.window import EMPTY, Window, mask_window, semantic_window


@dataclass(frozen=True, eq=False)
class PlacedInstance:
    """One instance channel of the panoptic logits.

    Attributes:
        row: its row in the network's output.
        class_id: train id of its class.
        semantic: pixels where the semantic logits of its class count.
        mask: pixels where its mask logits count; inside the canvas, `EMPTY` if nowhere.
        mask_logits: float32 [mask height, mask width], negative ones included.
    """

    row: int
    class_id: int
    semantic: Window
    mask: Window
    mask_logits: np.ndarray

    @property
    def extent(self) -> Window:
        """The window outside of which its channel is zero."""
        return self.semantic.enclose(self.mask)


def place_mask(
    box: Sequence[float], logits: np.ndarray, canvas: Window
) -> tuple[Window, np.ndarray]:
    """Resize mask logits to their box and cut off what lies outside the canvas.

    Args:
        box: x1, y1, x2, y2 in canvas pixels.
        logits: float32 [28, 28].
        canvas: the pixels there are.

    Returns:
        Where the result lies, and the bilinear float32 [height, width] logits there.
    """
    window = mask_window(box)
    visible = window.intersect(canvas)
    if visible.is_empty:
        return EMPTY, np.zeros((0, 0), dtype=np.float32)
    resized = cv2.resize(
        logits, (window.width, window.height), interpolation=cv2.INTER_LINEAR
    )  # [window height, window width]
    return visible, resized[visible.relative_to(window).slices]


def prune_masks(
    boxes: np.ndarray,
    classes: np.ndarray,
    mask_logits: np.ndarray,
    *,
    canvas: Window,
    overlap_threshold: float,
) -> list[PlacedInstance]:
    """Keep the instances whose masks are not already covered by better ones of their class.

    An instance is dropped if no pixel of its mask (logit above 0) lies on the canvas, or if the
    share of its mask that kept masks of the same class already cover is above the threshold. The
    overlapping pixels of a kept one are not removed: the logits decide them. If every instance
    is dropped, the best one stays, without mask logits. A class has at most 255 instances, what
    a label image can hold; those with the lowest scores are dropped.

    Args:
        boxes: float [n, 4], x1, y1, x2, y2 in canvas pixels, by descending score.
        classes: int32 [n], train ids.
        mask_logits: float32 [n, 28, 28].
        canvas: the pixels there are.
        overlap_threshold: 0 to 1.

    Returns:
        The kept ones in the same order; empty only if n is 0.

    Source: UPSNet section 3.2, with the conventions of the published models.
    """
    covered: dict[int, np.ndarray] = {}
    number: dict[int, int] = {}
    kept = []
    for row, (box, class_id) in enumerate(zip(boxes.tolist(), classes.tolist(), strict=True)):
        window, logits = place_mask(box, mask_logits[row], canvas)
        if class_id not in covered:
            covered[class_id] = np.zeros((canvas.height, canvas.width), dtype=bool)
        if number.get(class_id, 0) == MAX_INSTANCE:
            continue
        if _claim(covered[class_id][window.slices], logits > 0.0, overlap_threshold):
            number[class_id] = number.get(class_id, 0) + 1
            kept.append(PlacedInstance(row, class_id, semantic_window(box), window, logits))
    if not kept and len(boxes):
        nothing = np.zeros((0, 0), dtype=np.float32)
        best_box, best_class = boxes[0].tolist(), int(classes[0])
        kept = [PlacedInstance(0, best_class, semantic_window(best_box), EMPTY, nothing)]
    return kept


def _claim(covered: np.ndarray, mask: np.ndarray, overlap_threshold: float) -> bool:
    """Mark a mask as covered, in place, and return True, unless it is empty or mostly covered."""
    area = np.count_nonzero(mask)
    if area == 0 or np.count_nonzero(covered & mask) / area > overlap_threshold:
        return False
    np.logical_or(covered, mask, out=covered)
    return True


_PADDED = MASK_SIZE + 2


def paste_mask(
    box: Sequence[float], logits: np.ndarray, canvas: Window
) -> tuple[Window, np.ndarray]:
    """Resize mask probabilities to their box, and cut off what lies outside the canvas.

    The mask gets a border of zeros, one cell wide, and the box grows by as much, so that the mask
    can end inside the box. `place_mask` is the panoptic head's way,
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
