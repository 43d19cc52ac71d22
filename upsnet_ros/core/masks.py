# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask logits in the image: which instances enter the panoptic logits, and pasted masks.

`prune_masks` is the panoptic head's way, `paste_mask` that of Mask R-CNN's detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from upsnet_ros.core.compiled import pixel_loops
from upsnet_ros.core.labels import MAX_INSTANCE
from upsnet_ros.core.structures import MASK_SIZE
from upsnet_ros.core.window import EMPTY, Window, mask_window, semantic_window


@dataclass(frozen=True, eq=False)
class PlacedInstances:
    """The k instance channels of the panoptic logits.

    Attributes:
        rows: int64 [k], their rows in the network's output.
        classes: int64 [k], train ids.
        semantic_windows: int64 [k, 4], `Window`s where the semantic logits of their class count.
        mask_windows: int64 [k, 4], the whole masks, also outside the canvas; `EMPTY` for one whose
            mask counts nowhere.
        mask_lines: float32 [28, all columns], the rows of their mask logits, enlarged to those
            columns of their windows that lie on the canvas.
        mask_starts: int64 [k], first column of each of them there.
    """

    rows: np.ndarray
    classes: np.ndarray
    semantic_windows: np.ndarray
    mask_windows: np.ndarray
    mask_lines: np.ndarray
    mask_starts: np.ndarray


_NONE = np.zeros(0, dtype=np.int64)
NO_INSTANCES = PlacedInstances(
    rows=_NONE,
    classes=_NONE,
    semantic_windows=np.zeros((0, 4), dtype=np.int64),
    mask_windows=np.zeros((0, 4), dtype=np.int64),
    mask_lines=np.zeros((MASK_SIZE, 0), dtype=np.float32),
    mask_starts=_NONE,
)


def prune_masks(
    boxes: np.ndarray,
    classes: np.ndarray,
    mask_logits: np.ndarray,
    *,
    canvas: Window,
    overlap_threshold: float,
) -> PlacedInstances:
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
        canvas: the pixels there are, from pixel (0, 0).
        overlap_threshold: 0 to 1.

    Returns:
        The kept ones in the same order; none only if n is 0.

    Source: UPSNet section 3.2, with the conventions of the published models.
    """
    if not len(boxes):
        return NO_INSTANCES
    corners = boxes.tolist()
    classes = classes.astype(np.int64)
    masks = np.array([mask_window(box) for box in corners], dtype=np.int64)  # [n, 4]
    columns = np.minimum(masks[:, 3], canvas.width) - np.maximum(masks[:, 1], 0)
    ends = np.cumsum(np.maximum(columns, 0))
    lines = np.empty((MASK_SIZE, ends[-1]), dtype=np.float32)
    starts = np.append(0, ends[:-1])
    kept = np.empty(len(boxes), dtype=bool)
    pixel_loops().claim_masks(
        np.require(mask_logits, np.float32, ['C', 'ALIGNED']),
        np.argsort(classes, kind='stable'),
        classes,
        masks,
        starts,
        overlap_threshold,
        MAX_INSTANCE,
        lines,
        np.empty((canvas.height, canvas.width), dtype=np.uint8),
        kept,
    )
    if not kept.any():
        kept[0], masks[0] = True, EMPTY
    rows = np.flatnonzero(kept)
    semantic = np.array([semantic_window(corners[row]) for row in rows], dtype=np.int64)  # [k, 4]
    return PlacedInstances(rows, classes[rows], semantic, masks[rows], lines, starts[rows])


_PADDED = MASK_SIZE + 2


def paste_mask(
    box: Sequence[float], logits: np.ndarray, canvas: Window
) -> tuple[Window, np.ndarray]:
    """Resize mask probabilities to their box, and cut off what lies outside the canvas.

    The mask gets a border of zeros, one cell wide, and the box grows by as much, so that the mask
    can end inside the box.

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
