# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""28x28 targets of the mask head: drawn from outlines, or sampled from pixels."""

from collections.abc import Sequence

import numpy as np
import torch
from pycocotools import mask as coco_masks
from torch import Tensor

from training.data.sample import Polygons

SAMPLES = 2  # per bin and side; a bin belongs to the mask when at least half of it does


@torch.no_grad()
def polygon_mask_targets(
    polygons: Sequence[Polygons], matched: Tensor, boxes: Tensor, *, size: int = 28
) -> Tensor:
    """Draw the outlines of objects inside regions, as the published models do.

    Coordinates are mapped as ``(x - x1) * size / max(x2 - x1, 1)`` (no +1) and the outlines are
    filled by COCO's rasteriser; the parts of an object are united.

    Args:
        polygons: Outlines of each object, float32 ``[m, 2]`` of x, y in input pixels, m from 3 up.
        matched: int64 ``[r]`` object of each region.
        boxes: ``[r, 4]`` regions in input pixels; one that is not finite gets an empty target.
        size: Cells per side.

    Returns:
        float32 ``[r, size, size]`` of 0 and 1, on the boxes' device.
    """
    corners = boxes.double().cpu().numpy()
    targets = np.zeros((len(corners), size, size), np.float32)
    for row, index in enumerate(matched.tolist()):
        start, end = corners[row, :2], corners[row, 2:]
        if not np.isfinite(corners[row]).all():
            continue
        factor = size / np.maximum(end - start, 1)
        outlines = [((line - start) * factor).ravel() for line in polygons[index]]
        parts = coco_masks.frPyObjects(outlines, size, size)
        targets[row] = coco_masks.decode(coco_masks.merge(parts))
    return torch.from_numpy(targets).to(boxes.device)


@torch.no_grad()
def mask_targets(instances: Tensor, matched: Tensor, boxes: Tensor, *, size: int = 28) -> Tensor:
    """Crop the masks of objects to regions.

    Mask coordinates are mapped as ``(x - x1) * size / max(x2 - x1, 1)`` (no +1), as for outlines;
    from pixel masks the share of a bin is sampled.

    Args:
        instances: int16 ``[H, W]`` row of each pixel's object, -1 where there is none.
        matched: int64 ``[r]`` object of each region.
        boxes: ``[r, 4]`` regions in the map's pixels.
        size: Bins per side.

    Returns:
        float32 ``[r, size, size]`` of 0 and 1.
    """
    height, width = instances.shape
    steps = (torch.arange(size * SAMPLES, device=boxes.device) + 0.5) / (size * SAMPLES)
    x = boxes[:, :1] + steps * (boxes[:, 2:3] - boxes[:, :1]).clamp(min=1)  # [r, size * SAMPLES]
    y = boxes[:, 1:2] + steps * (boxes[:, 3:4] - boxes[:, 1:2]).clamp(min=1)
    inside_x, inside_y = (x >= 0) & (x < width), (y >= 0) & (y < height)
    column, row = x.long().clamp(0, width - 1), y.long().clamp(0, height - 1)
    values = instances[row[:, :, None], column[:, None, :]] == matched[:, None, None]
    values = values & inside_y[:, :, None] & inside_x[:, None, :]
    bins = values.view(len(boxes), size, SAMPLES, size, SAMPLES).float().mean(dim=(2, 4))
    return (bins >= 0.5).float()
