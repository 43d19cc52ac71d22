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
        mask_rows: int64 ``[m]`` regions that learn a mask: the whole foreground, or none in an
            image that has crowds but no single object.
        matched: int64 ``[m]`` index of the single object whose mask each of them learns.
    """

    boxes: Tensor
    classes: Tensor
    deltas: Tensor
    mask_rows: Tensor
    matched: Tensor


@dataclass(frozen=True)
class _Candidates:
    """Candidates in the frame of the image on disk: the single objects, then the proposals.

    Attributes:
        boxes: ``[c, 4]``.
        overlap: ``[c]`` IoU with the best object or crowd, 0 where there is none.
        best: int64 ``[c]`` that object or crowd, crowds after the objects.
        nearest_object: int64 ``[c]`` single object of the best IoU, crowds left aside.
    """

    boxes: Tensor
    overlap: Tensor
    best: Tensor
    nearest_object: Tensor


@torch.no_grad()
def sample_rois(
    proposals: Tensor,
    true_boxes: Tensor,
    true_classes: Tensor,
    *,
    crowd_boxes: Tensor,
    crowd_classes: Tensor,
    match_crowds: bool,
    scale: float,
    per_image: int,
    foreground: int,
    generator: torch.Generator,
) -> RoiTargets:
    """Draw regions from the proposals and the true boxes.

    Overlaps and box targets are computed in the frame of the image on disk (boxes / scale), as in
    the published models: with inclusive ends this is not the same as in the input frame. A
    proposal whose best overlap, of at least 0.5, is with a crowd is a positive of the crowd's
    class with the crowd's box as its target, and learns the mask of the single object it overlaps
    most; crowds themselves are never drawn. An image without objects and crowds teaches the
    background (published: left out).

    Args:
        proposals: ``[P, 4]`` in input pixels.
        true_boxes: ``[n, 4]`` single objects, in input pixels.
        true_classes: int64 ``[n]`` in 1..T.
        crowd_boxes: ``[k, 4]`` crowds, in input pixels.
        crowd_classes: int64 ``[k]`` in 1..T.
        match_crowds: Whether crowds take part; without, their regions are background or whatever
            single object they overlap.
        scale: Input pixels per pixel of the image on disk.
        per_image: Regions drawn (512 in the published models).
        foreground: Most of them that may be foreground (128).
        generator: Source of randomness on the CPU.
    """
    targets, classes = true_boxes, true_classes
    if match_crowds:
        targets = torch.cat((true_boxes, crowd_boxes))
        classes = torch.cat((true_classes, crowd_classes))
    targets = targets / scale
    found = _match(proposals / scale, targets, objects=len(true_boxes))
    chosen_fg = draw(
        torch.nonzero(found.overlap >= FOREGROUND_IOU).squeeze(1), foreground, generator
    )
    chosen_bg = draw(
        torch.nonzero(found.overlap < FOREGROUND_IOU).squeeze(1),
        per_image - len(chosen_fg),
        generator,
    )
    chosen = torch.cat((chosen_fg, chosen_bg))
    best = found.best[chosen_fg]
    mask_rows = torch.arange(len(chosen_fg) if len(true_boxes) else 0, device=chosen.device)
    return RoiTargets(
        boxes=found.boxes[chosen] * scale,
        classes=torch.cat((classes[best], classes.new_zeros(len(chosen_bg)))),
        deltas=encode_boxes(found.boxes[chosen_fg], targets[best], weights=BOX_HEAD_WEIGHTS),
        mask_rows=mask_rows,
        matched=found.nearest_object[chosen_fg[: len(mask_rows)]],
    )


def _match(proposals: Tensor, targets: Tensor, *, objects: int) -> _Candidates:
    """Candidates and what they overlap; the first ``objects`` targets are the single objects."""
    boxes = torch.cat((targets[:objects], proposals))
    overlap = boxes.new_zeros(len(boxes))
    best = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
    nearest = best
    if len(targets) and len(boxes):
        iou = pairwise_iou(boxes, targets)
        overlap, best = iou.max(dim=1)
        if objects:
            nearest = iou[:, :objects].max(dim=1).indices
    # A single object stands for itself, whatever lies on the same pixels.
    own = torch.arange(objects, device=boxes.device)
    return _Candidates(
        boxes,
        torch.cat((torch.ones_like(overlap[:objects]), overlap[objects:])),
        torch.cat((own, best[objects:])),
        torch.cat((own, nearest[objects:])),
    )
