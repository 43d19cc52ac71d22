# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Boxes in the legacy inclusive convention: width = x2 - x1 + 1."""

import math

import torch
from torch import Tensor

RPN_WEIGHTS = (1.0, 1.0, 1.0, 1.0)
BOX_HEAD_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
MAX_LOG_SIZE = math.log(1000.0 / 16.0)  # keeps exp() of an untrained head finite


def decode_boxes(
    boxes: Tensor, deltas: Tensor, *, weights: tuple[float, float, float, float]
) -> Tensor:
    """Apply predicted deltas to boxes.

    Args:
        boxes: ``[..., 4]`` x1, y1, x2, y2 in pixels, inclusive.
        deltas: ``[..., 4]`` dx, dy, dw, dh; broadcasts against ``boxes``.
        weights: Divisors of the deltas.

    Returns:
        ``[..., 4]`` boxes in pixels, inclusive, not clipped.
    """
    boxes, deltas = boxes.float(), deltas.float()
    width = boxes[..., 2] - boxes[..., 0] + 1
    height = boxes[..., 3] - boxes[..., 1] + 1
    centre_x = boxes[..., 0] + 0.5 * width
    centre_y = boxes[..., 1] + 0.5 * height
    wx, wy, ww, wh = weights
    new_x = centre_x + width * (deltas[..., 0] / wx)
    new_y = centre_y + height * (deltas[..., 1] / wy)
    new_w = width * torch.exp((deltas[..., 2] / ww).clamp(max=MAX_LOG_SIZE))
    new_h = height * torch.exp((deltas[..., 3] / wh).clamp(max=MAX_LOG_SIZE))
    return torch.stack(
        (
            new_x - 0.5 * new_w,
            new_y - 0.5 * new_h,
            new_x + 0.5 * new_w - 1,
            new_y + 0.5 * new_h - 1,
        ),
        dim=-1,
    )


def encode_boxes(
    boxes: Tensor, targets: Tensor, *, weights: tuple[float, float, float, float]
) -> Tensor:
    """Deltas that :func:`decode_boxes` turns into the targets.

    Args:
        boxes: ``[N, 4]`` x1, y1, x2, y2 in pixels, inclusive.
        targets: ``[N, 4]`` likewise.
        weights: Multipliers of the deltas.

    Returns:
        ``[N, 4]`` dx, dy, dw, dh.
    """
    width = boxes[:, 2] - boxes[:, 0] + 1
    height = boxes[:, 3] - boxes[:, 1] + 1
    target_w = targets[:, 2] - targets[:, 0] + 1
    target_h = targets[:, 3] - targets[:, 1] + 1
    shift_x = (targets[:, 0] + 0.5 * target_w) - (boxes[:, 0] + 0.5 * width)
    shift_y = (targets[:, 1] + 0.5 * target_h) - (boxes[:, 1] + 0.5 * height)
    wx, wy, ww, wh = weights
    return torch.stack(
        (
            wx * shift_x / width,
            wy * shift_y / height,
            ww * torch.log(target_w / width),
            wh * torch.log(target_h / height),
        ),
        dim=1,
    )


def clip_boxes(boxes: Tensor, *, height: int, width: int) -> Tensor:
    """Clip ``[..., 4]`` boxes to x in [0, width - 1] and y in [0, height - 1]."""
    x = boxes[..., 0::2].clamp(0, width - 1)
    y = boxes[..., 1::2].clamp(0, height - 1)
    return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of all pairs, inclusive convention.

    Args:
        first: ``[..., N, 4]`` boxes in pixels.
        second: ``[..., M, 4]`` boxes in pixels.

    Returns:
        ``[..., N, M]`` in 0..1.
    """
    left, top, right, bottom = (first[..., i].unsqueeze(-1) for i in range(4))
    other_left, other_top, other_right, other_bottom = (
        second[..., i].unsqueeze(-2) for i in range(4)
    )
    width = torch.minimum(right, other_right) - torch.maximum(left, other_left) + 1
    height = torch.minimum(bottom, other_bottom) - torch.maximum(top, other_top) + 1
    overlap = width.clamp(min=0) * height.clamp(min=0)
    areas = box_area(first).unsqueeze(-1) + box_area(second).unsqueeze(-2)
    return overlap / (areas - overlap)


def box_area(boxes: Tensor) -> Tensor:
    """Area of ``[..., 4]`` boxes in pixels, inclusive convention."""
    return (boxes[..., 2] - boxes[..., 0] + 1) * (boxes[..., 3] - boxes[..., 1] + 1)
