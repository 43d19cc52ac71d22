# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which anchors are objects, which are background, and where the objects' boxes are."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.models.box_coding import RPN_WEIGHTS, encode_boxes, pairwise_iou

POSITIVE_IOU = 0.7
NEGATIVE_IOU = 0.3
BATCH_PER_IMAGE = 256
MAX_POSITIVES = 128


@dataclass(frozen=True)
class AnchorTargets:
    """Sampled anchors of one image.

    Attributes:
        positives: int64 ``[p]`` indices of object anchors.
        negatives: int64 ``[q]`` indices of background anchors.
        deltas: ``[p, 4]`` box targets of the positives.
    """

    positives: Tensor
    negatives: Tensor
    deltas: Tensor


@torch.no_grad()
def match_anchors(
    anchors: Tensor, boxes: Tensor, *, image_size: tuple[int, int], generator: torch.Generator
) -> AnchorTargets:
    """Assign and sample the anchors of all levels together.

    Only anchors fully inside the image take part. Positive: IoU of at least 0.7 with some box, or
    the best IoU of some box (all ties). Negative: best IoU below 0.3; as published, negatives are
    drawn only when there are more of them than needed, and a weak best anchor may be drawn too.

    Args:
        anchors: ``[A, 4]`` in input pixels.
        boxes: ``[n, 4]`` true boxes without crowds, in input pixels.
        image_size: Height and width of the unpadded input in pixels.
        generator: Source of randomness on the CPU.
    """
    height, width = image_size
    inside = torch.nonzero(
        (anchors[:, 0] >= 0)
        & (anchors[:, 1] >= 0)
        & (anchors[:, 2] < width)
        & (anchors[:, 3] < height)
    ).squeeze(1)
    if len(boxes) == 0 or len(inside) == 0:
        best = torch.zeros(len(inside), device=anchors.device)
        positive = torch.zeros(len(inside), dtype=torch.bool, device=anchors.device)
        matched = torch.zeros(len(inside), dtype=torch.long, device=anchors.device)
    else:
        iou = pairwise_iou(anchors[inside], boxes)  # [inside, n]
        best, matched = iou.max(dim=1)
        best_of_box = iou.max(dim=0).values
        positive = ((iou == best_of_box) & (best_of_box > 0)).any(dim=1) | (best >= POSITIVE_IOU)
    chosen = draw(torch.nonzero(positive).squeeze(1), MAX_POSITIVES, generator)
    wanted = BATCH_PER_IMAGE - len(chosen)
    background = torch.nonzero(best < NEGATIVE_IOU).squeeze(1)
    negatives = background[:0]
    if len(background) > wanted:
        negatives = draw(background, wanted, generator)
        chosen = chosen[~torch.isin(chosen, negatives)]
    positives = inside[chosen]
    deltas = anchors.new_zeros((0, 4))
    if len(positives):
        deltas = encode_boxes(anchors[positives], boxes[matched[chosen]], weights=RPN_WEIGHTS)
    return AnchorTargets(positives, inside[negatives], deltas)


def draw(indices: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """At most ``count`` of the indices, without replacement."""
    if len(indices) <= count:
        return indices
    order = torch.randperm(len(indices), generator=generator)[:count]
    return indices[order.to(indices.device)]
