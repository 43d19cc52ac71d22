# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which proposals the box and mask heads learn from."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.matching.rpn_targets import draw
from training.models.box_coding import BOX_HEAD_WEIGHTS, encode_boxes, pairwise_iou

FOREGROUND_IOU = 0.5


@dataclass(frozen=True)
class RoiTargets:
    """Sampled regions of one image, foreground first.

    Attributes:
        boxes: ``[r, 4]`` in input pixels.
        classes: int64 ``[r]``; 0 = background.
        deltas: ``[f, 4]`` box targets of the foreground.
        matched: int64 ``[f]`` index of each foreground region's true instance.
    """

    boxes: Tensor
    classes: Tensor
    deltas: Tensor
    matched: Tensor


@torch.no_grad()
def sample_rois(
    proposals: Tensor,
    true_boxes: Tensor,
    true_classes: Tensor,
    *,
    scale: float,
    per_image: int,
    foreground: int,
    generator: torch.Generator,
) -> RoiTargets:
    """Draw regions from the proposals and the true boxes.

    Overlaps and box targets are computed in the frame of the image on disk (boxes / scale), as in
    the published models: with inclusive ends this is not the same as in the input frame. Where we
    depart: crowd boxes take no part (published: they attract proposals as positives of their
    class), and images without single objects train the background (published: left out).

    Args:
        proposals: ``[P, 4]`` in input pixels.
        true_boxes: ``[n, 4]`` without crowds, in input pixels.
        true_classes: int64 ``[n]`` in 1..T.
        scale: Input pixels per pixel of the image on disk.
        per_image: Regions drawn (512 in the published models).
        foreground: Most of them that may be foreground (128).
        generator: Source of randomness on the CPU.
    """
    candidates = torch.cat((true_boxes, proposals)) / scale
    if len(true_boxes) == 0:
        background = draw(torch.arange(len(candidates)), per_image, generator)
        boxes = candidates[background.to(candidates.device)]
        empty = true_classes.new_zeros(0)
        return RoiTargets(
            boxes * scale, true_classes.new_zeros(len(boxes)), boxes.new_zeros((0, 4)), empty
        )
    iou, matched = pairwise_iou(candidates, true_boxes / scale).max(dim=1)
    chosen_fg = draw(torch.nonzero(iou >= FOREGROUND_IOU).squeeze(1), foreground, generator)
    chosen_bg = draw(
        torch.nonzero(iou < FOREGROUND_IOU).squeeze(1), per_image - len(chosen_fg), generator
    )
    boxes = candidates[torch.cat((chosen_fg, chosen_bg))]
    classes = torch.cat((true_classes[matched[chosen_fg]], true_classes.new_zeros(len(chosen_bg))))
    deltas = encode_boxes(
        candidates[chosen_fg], true_boxes[matched[chosen_fg]] / scale, weights=BOX_HEAD_WEIGHTS
    )
    return RoiTargets(boxes * scale, classes, deltas, matched[chosen_fg])
