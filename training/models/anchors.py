# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Anchors of the region proposal network (legacy construction of the published models)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

RATIOS = (0.5, 1.0, 2.0)  # height over width, in this order


def base_anchors(stride: int, *, scale: float = 8.0) -> np.ndarray:
    """Anchors of one feature cell at the origin.

    Width and height are rounded at the size of the cell and scaled afterwards, so the anchors of
    different levels are not rescaled copies of one another.

    Args:
        stride: Feature stride in input pixels.
        scale: Anchor side over stride (8 in the published models).

    Returns:
        float32 ``[3, 4]``: x1, y1, x2, y2 in input pixels, inclusive ends (+1 convention).
    """
    centre = (stride - 1) / 2
    boxes = []
    for ratio in RATIOS:
        width = np.round(math.sqrt(stride * stride / ratio))
        height = np.round(width * ratio)
        half_w, half_h = (width * scale - 1) / 2, (height * scale - 1) / 2
        boxes.append((centre - half_w, centre - half_h, centre + half_w, centre + half_h))
    return np.asarray(boxes, dtype=np.float32)


def level_anchors(stride: int, size: Sequence[int], *, scale: float = 8.0) -> Tensor:
    """All anchors of one level, ordered by row, column, ratio.

    Args:
        stride: Feature stride in input pixels.
        size: Height and width of the feature map in cells.
        scale: Anchor side over stride.

    Returns:
        float32 ``[height * width * 3, 4]`` in input pixels.
    """
    base = torch.from_numpy(base_anchors(stride, scale=scale))
    height, width = size
    y = (torch.arange(height, dtype=torch.float32) * stride).view(-1, 1, 1)
    x = (torch.arange(width, dtype=torch.float32) * stride).view(1, -1, 1)
    y, x = y.expand(height, width, 1), x.expand(height, width, 1)
    shift = torch.stack((x, y, x, y), dim=-1)  # [H, W, 1, 4]
    return (base + shift).reshape(-1, 4)
