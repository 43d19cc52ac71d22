# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Region features from the pyramid: level rule and RoIAlign.

Source: Lin et al. 2017 equation 1; He et al. 2017 (RoIAlign), without the half-pixel shift.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align

from training.models.weighted_bag import weighted_bag

STRIDES = (4, 8, 16, 32)
SAMPLING_RATIO = 2


def assign_levels(boxes: Tensor, *, canonical_size: float = 224.0) -> Tensor:
    """Pyramid level of each box: ``clip(floor(4 + log2(sqrt(w * h) / size + 1e-6)), 2, 5) - 2``.

    Args:
        boxes: ``[N, 4]`` in input pixels, inclusive.
        canonical_size: Side in pixels of a box that belongs to P4.

    Returns:
        int64 ``[N]``: 0..3 for P2..P5.
    """
    width = (boxes[:, 2] - boxes[:, 0] + 1).clamp(min=0)
    height = (boxes[:, 3] - boxes[:, 1] + 1).clamp(min=0)
    size = torch.sqrt(width * height) / canonical_size
    level = torch.floor(4 + torch.log(size + 1e-6) / math.log(2.0))
    return level.clamp(2, 5).long() - 2


def pyramid_roi_align(
    levels: Sequence[Tensor],
    boxes: Sequence[Tensor],
    *,
    output_size: int,
    canonical_size: float = 224.0,
) -> Tensor:
    """Features of every box from its own pyramid level.

    Args:
        levels: P2..P5, each ``[B, C, h, w]``.
        boxes: Per image ``[N_i, 4]`` in input pixels.
        output_size: Bins per side.
        canonical_size: See :func:`assign_levels`.

    Returns:
        ``[sum(N_i), C, output_size, output_size]`` in the order of the boxes.
    """
    all_boxes = torch.cat(list(boxes))
    level_of = assign_levels(all_boxes, canonical_size=canonical_size)
    return _align(levels, all_boxes, image_indices(boxes), level_of, output_size, STRIDES)


def quarter_roi_align(features: Tensor, boxes: Sequence[Tensor], *, output_size: int) -> Tensor:
    """Crop a map at 1/4 of the input.

    Cropping the semantic logits (the paper's text) and cropping the features before the 1x1
    classifier (the published models) differ only where a sample falls outside the map.

    Args:
        features: ``[B, C, H / 4, W / 4]``.
        boxes: Per image ``[N_i, 4]`` in input pixels.
        output_size: Bins per side.

    Returns:
        ``[sum(N_i), C, output_size, output_size]``.
    """
    all_boxes = torch.cat(list(boxes))
    level_of = torch.zeros(len(all_boxes), dtype=torch.long, device=all_boxes.device)
    images = image_indices(boxes)
    return _align((features,), all_boxes, images, level_of, output_size, STRIDES[:1])


def image_indices(boxes: Sequence[Tensor]) -> Tensor:
    """int64 ``[sum(N_i)]``: the image each box belongs to."""
    counts = torch.tensor([len(b) for b in boxes], device=boxes[0].device)
    return torch.repeat_interleave(torch.arange(len(boxes), device=counts.device), counts)


def _align(
    levels: Sequence[Tensor],
    boxes: Tensor,
    images: Tensor,
    level_of: Tensor,
    output_size: int,
    strides: Sequence[int],
) -> Tensor:
    align = align_with_torchvision if boxes.is_cuda else align_with_gather
    return align(levels, boxes, images, level_of, output_size, strides=strides)


def align_with_torchvision(
    levels: Sequence[Tensor],
    boxes: Tensor,
    images: Tensor,
    level_of: Tensor,
    output_size: int,
    *,
    strides: Sequence[int],
) -> Tensor:
    """RoIAlign level by level with torchvision's operator; see :func:`align_with_gather`."""
    rois = torch.cat((images.to(boxes)[:, None], boxes), dim=1)
    shape = (len(rois), levels[0].shape[1], output_size, output_size)
    out = boxes.new_zeros(shape, dtype=torch.float32)
    for index, (level, stride) in enumerate(zip(levels, strides, strict=True)):
        chosen = torch.nonzero(level_of == index).squeeze(1)
        features = roi_align(
            level.float(),
            rois[chosen],
            output_size,
            spatial_scale=1.0 / stride,
            sampling_ratio=SAMPLING_RATIO,
            aligned=False,
        )
        out = out.index_put((chosen,), features)
    return out


def align_with_gather(
    levels: Sequence[Tensor],
    boxes: Tensor,
    images: Tensor,
    level_of: Tensor,
    output_size: int,
    *,
    strides: Sequence[int],
) -> Tensor:
    """RoIAlign over all levels and images as one gather.

    A bin is a weighted sum of 16 feature vectors (4 samples with 4 corners each), which is
    a weighted bag over the feature vectors of all levels in one table. On CPUs this is several
    times faster than torchvision's operator, above all backwards.

    Args:
        levels: Feature maps, each ``[B, C, h, w]``.
        boxes: ``[R, 4]`` in input pixels.
        images: int64 ``[R]`` image of each box.
        level_of: int64 ``[R]`` level of each box.
        output_size: Bins per side.
        strides: Stride of each level in input pixels.

    Returns:
        float32 ``[R, C, output_size, output_size]``, equal to torchvision's ``roi_align`` with
        ``sampling_ratio=2, aligned=False``.
    """
    channels = levels[0].shape[1]
    table = torch.cat([x.permute(0, 2, 3, 1).reshape(-1, channels) for x in levels])
    starts, total = [], 0
    for level in levels:
        starts.append(total)
        total += level.shape[0] * level.shape[2] * level.shape[3]
    device = boxes.device
    height = torch.tensor([x.shape[2] for x in levels], device=device)[level_of]
    width = torch.tensor([x.shape[3] for x in levels], device=device)[level_of]
    scale = torch.tensor([1.0 / stride for stride in strides], device=device)[level_of]
    first = torch.tensor(starts, device=device)[level_of] + images * height * width
    scaled = boxes * scale[:, None]
    rows, row_weights = _axis_samples(scaled[:, 1], scaled[:, 3], height, output_size)
    columns, column_weights = _axis_samples(scaled[:, 0], scaled[:, 2], width, output_size)
    # [R, bins_y, bins_x, 4 (y samples x corners), 4 (x samples x corners)]
    position = rows[:, :, None, :, None] * width.view(-1, 1, 1, 1, 1)
    position = position + columns[:, None, :, None, :] + first.view(-1, 1, 1, 1, 1)
    weight = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
    bags = weighted_bag(table, position.reshape(-1, 16).int(), weight.reshape(-1, 16))
    bags = bags.view(len(boxes), output_size, output_size, channels)
    return bags.permute(0, 3, 1, 2)


def _axis_samples(start: Tensor, end: Tensor, length: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Cells and weights of one axis: per bin two samples with two corners, ``[R, bins, 4]``.

    The weights include the average over the two samples of this axis.
    """
    step = (end - start).clamp(min=1)[:, None] / (bins * SAMPLING_RATIO)
    samples = torch.arange(bins * SAMPLING_RATIO, device=start.device) + 0.5
    position = start[:, None] + samples * step  # [R, bins * 2]
    limit = length[:, None]
    valid = (position >= -1) & (position <= limit)
    position = position.clamp(min=0)
    low = position.long()
    at_end = low >= limit - 1
    low = torch.where(at_end, limit - 1, low)
    high = torch.where(at_end, low, low + 1)
    share = torch.where(at_end, torch.zeros_like(position), position - low)
    cells = torch.stack((low, high), dim=-1)  # [R, bins * 2, 2]
    weights = torch.stack((1 - share, share), dim=-1) * valid[..., None] / SAMPLING_RATIO
    return cells.view(-1, bins, 4), weights.view(-1, bins, 4)
