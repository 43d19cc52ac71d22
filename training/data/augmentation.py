# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an image and its label image to a training sample: scale, flip, pad."""

import cv2
import numpy as np
import torch

from training.data.sample import IGNORE, PAD_MULTIPLE, Sample
from upsnet_ros.core.geometry import PAD_VALUE


def scale_factor(size: tuple[int, int], *, short_side: int, max_long_side: int) -> float:
    """Factor that brings the short side to its target unless the long side would be too long.

    Args:
        size: Height and width in pixels.
        short_side: Wanted short side in pixels.
        max_long_side: Longest allowed long side in pixels.
    """
    scale = short_side / min(size)
    if round(scale * max(size)) > max_long_side:
        scale = max_long_side / max(size)
    return scale


def make_sample(
    name: str,
    image: np.ndarray,
    labels: np.ndarray,
    *,
    scale: float,
    flip: bool,
    num_stuff: int,
) -> Sample:
    """Build a sample.

    Args:
        name: For messages.
        image: uint8 ``[H, W, 3]`` BGR.
        labels: uint16 ``[H, W]`` label image of the same size.
        scale: Resize factor; image bilinear, labels nearest (``floor(dst / scale)``).
        flip: Mirror left and right.
        num_stuff: Number of stuff classes.

    Returns:
        The sample; boxes come from the masks at full size, times ``scale``. An object whose mask
        vanishes when resized is left out altogether (published models keep its box).
    """
    if flip:
        image, labels = image[:, ::-1], labels[:, ::-1]
    boxes, values = true_boxes(labels, num_stuff=num_stuff)
    resized = cv2.resize(
        np.ascontiguousarray(image), None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR
    )
    height, width = resized.shape[:2]
    small = nearest_resize(labels, scale=scale, size=(height, width))
    padded_h, padded_w = (-(-side // PAD_MULTIPLE) * PAD_MULTIPLE for side in (height, width))
    canvas = np.empty((padded_h, padded_w, 3), np.uint8)
    canvas[:] = PAD_VALUE
    canvas[:height, :width] = resized
    padded = np.full((padded_h, padded_w), 65535, np.uint16)
    padded[:height, :width] = small
    semantic = (padded >> 8).astype(np.uint8)  # void is 65535, so it becomes 255
    masks = padded[None] == values[:, None, None]
    visible = masks.any(axis=(1, 2))
    return Sample(
        name=name,
        image=torch.from_numpy(canvas.transpose(2, 0, 1).copy()),
        semantic=torch.from_numpy(semantic),
        boxes=torch.from_numpy(boxes[visible] * np.float32(scale)),
        classes=torch.from_numpy((values[visible] >> 8).astype(np.int64) - num_stuff + 1),
        masks=torch.from_numpy(masks[visible]),
        size=(height, width),
        scale=scale,
    )


def true_boxes(labels: np.ndarray, *, num_stuff: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and label values of the single objects in a label image.

    Args:
        labels: uint16 ``[H, W]``.
        num_stuff: Number of stuff classes.

    Returns:
        float32 ``[n, 4]`` inclusive boxes in pixels and uint16 ``[n]`` label values.
    """
    values = np.unique(labels)
    things = (values >> 8 >= num_stuff) & (values >> 8 != IGNORE) & (values & 255 > 0)
    values = values[things]
    boxes = np.zeros((len(values), 4), np.float32)
    for index, value in enumerate(values):
        mask = labels == value
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        boxes[index] = columns[0], rows[0], columns[-1], rows[-1]
    return boxes, values


def nearest_resize(labels: np.ndarray, *, scale: float, size: tuple[int, int]) -> np.ndarray:
    """Nearest resize by a factor: source position ``floor(destination / scale)``, clamped."""
    rows = np.minimum((np.arange(size[0]) / scale).astype(int), labels.shape[0] - 1)
    columns = np.minimum((np.arange(size[1]) / scale).astype(int), labels.shape[1] - 1)
    return labels[rows[:, None], columns]
