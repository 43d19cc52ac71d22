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
# Overlaps computed at a time: all of them (half a million anchors, a hundred boxes) would be a
# gigabyte of temporary values.
PAIRS_AT_ONCE = 1 << 21


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


@dataclass(frozen=True)
class AnchorOverlaps:
    """How anchors lie on boxes.

    Attributes:
        best: ``[A]`` largest IoU of each anchor with any box.
        matched: int64 ``[A]`` the box of that IoU; the first of several.
        leads: bool ``[A]`` whether no anchor overlaps some box more than this one (ties lead
            together). A box that no anchor touches has no leader.
    """

    best: Tensor
    matched: Tensor
    leads: Tensor


@torch.no_grad()
def match_anchors(
    anchors: Tensor, boxes: Tensor, *, image_size: tuple[int, int], generator: torch.Generator
) -> AnchorTargets:
    """Assign and sample the anchors of all levels together.

    Only anchors fully inside the image take part. Positive: IoU of at least 0.7 with some box, or
    the best IoU of some box (all ties); its target is the box it overlaps most. Negative: best IoU
    below 0.3; as published, negatives are drawn only when there are more of them than needed, and
    a weak best anchor may be drawn too, which makes it a negative.

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
    overlaps = anchor_overlaps(anchors[inside], boxes)
    positive = overlaps.leads | (overlaps.best >= POSITIVE_IOU)
    chosen = draw(torch.nonzero(positive).squeeze(1), MAX_POSITIVES, generator)
    wanted = BATCH_PER_IMAGE - len(chosen)
    background = torch.nonzero(overlaps.best < NEGATIVE_IOU).squeeze(1)
    negatives = background[:0]
    if len(background) > wanted:
        negatives = draw(background, wanted, generator)
        chosen = chosen[~torch.isin(chosen, negatives)]
    positives = inside[chosen]
    deltas = anchors.new_zeros((0, 4))
    if len(positives):
        targets = boxes[overlaps.matched[chosen]]
        deltas = encode_boxes(anchors[positives], targets, weights=RPN_WEIGHTS)
    return AnchorTargets(positives, inside[negatives], deltas)


def anchor_overlaps(anchors: Tensor, boxes: Tensor) -> AnchorOverlaps:
    """Compare anchors ``[A, 4]`` with boxes ``[n, 4]``, a part of the anchors at a time."""
    count = len(anchors)
    best = torch.zeros(count, device=anchors.device)
    matched = torch.zeros(count, dtype=torch.long, device=anchors.device)
    leads = torch.zeros(count, dtype=torch.bool, device=anchors.device)
    if count == 0 or len(boxes) == 0:
        return AnchorOverlaps(best, matched, leads)
    part = max(PAIRS_AT_ONCE // len(boxes), 1)
    best_of_box = torch.zeros(len(boxes), device=anchors.device)
    leaders = []  # anchor, box and IoU of the best of each part
    for start in range(0, count, part):
        iou = pairwise_iou(anchors[start : start + part], boxes)  # [part, n]
        best[start : start + part], matched[start : start + part] = iou.max(dim=1)
        best_of_part = iou.max(dim=0).values
        best_of_box = torch.maximum(best_of_box, best_of_part)
        first, second = torch.nonzero((iou == best_of_part) & (iou > 0), as_tuple=True)
        leaders.append((first + start, second, best_of_part[second]))
    for anchor, box, value in leaders:
        leads[anchor[value == best_of_box[box]]] = True
    return AnchorOverlaps(best, matched, leads)


def draw(indices: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """At most ``count`` of the indices, without replacement."""
    if len(indices) <= count:
        return indices
    order = torch.randperm(len(indices), generator=generator)[:count]
    return indices[order.to(indices.device)]
