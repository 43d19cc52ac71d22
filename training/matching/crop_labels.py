# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""28x28 targets of the RoI loss: the semantic labels inside true boxes (paper section 3.1)."""

import torch
from torch import Tensor


@torch.no_grad()
def crop_labels(semantic: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Nearest crops of a label map at the rounded boxes, ends exclusive, as OpenCV resizes.

    A side that rounds to nothing is one pixel long.

    Args:
        semantic: uint8 ``[H, W]`` train ids in the input frame.
        boxes: float ``[n, 4]`` x1, y1, x2, y2 in input pixels.
        size: Cells per side.

    Returns:
        uint8 ``[n, size, size]``.
    """
    corners = boxes.round().long()  # [n, 4]
    columns = _positions(corners[:, 0], corners[:, 2], size, semantic.shape[1])
    rows = _positions(corners[:, 1], corners[:, 3], size, semantic.shape[0])
    return semantic[rows[:, :, None], columns[:, None, :]]


def _positions(start: Tensor, end: Tensor, count: int, limit: int) -> Tensor:
    """Source positions of a nearest resize of ``[start, end)`` to cells: int64 ``[n, count]``."""
    length = (end - start).clamp(min=1)[:, None]
    cells = torch.arange(count, device=start.device, dtype=torch.float64)
    # OpenCV divides twice, so a cell on a source pixel's edge may fall before it; whole numbers
    # would not. A number by a tensor is no division in PyTorch, but a product with its inverse.
    factor = cells.new_tensor(count) / length.double()
    offsets = (cells * factor.reciprocal()).long()
    return (start[:, None] + torch.minimum(offsets, length - 1)).clamp(0, limit - 1)
