# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From proposals to instances: what the box head says of them, suppressed in one of two ways.

Candidates of the panoptic head are suppressed over all classes together (paper section 3.2,
"Inference"); detections, those of Mask R-CNN, class by class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from training.models.box_coding import BOX_HEAD_WEIGHTS, clip_boxes, decode_boxes
from training.models.rpn import nms_inclusive
from training.models.upsnet import PyramidOutput, UPSNet

NMS_THRESHOLD = 0.5
SCORE_FLOOR = 0.05  # the panoptic head applies its own, higher threshold

# Boxes [k, 4], scores [k] descending and classes [k] in 1..T; see `select_candidates`.
Selected = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Regions:
    """What the box head says of the proposals of one image.

    Attributes:
        proposals: ``[P, 4]`` in input pixels.
        class_logits: ``[P, T + 1]``, index 0 = background.
        deltas: ``[P, T + 1, 4]``.
        image_size: Height and width of the unpadded input in pixels.
    """

    proposals: Tensor
    class_logits: Tensor
    deltas: Tensor
    image_size: tuple[int, int]


@dataclass(frozen=True)
class Instances:
    """What the instance head finds in one image.

    Attributes:
        boxes: ``[k, 4]`` in input pixels.
        scores: ``[k]`` in 0..1, descending.
        classes: int64 ``[k]`` thing classes 1..T.
        mask_logits: ``[k, 28, 28]`` of each one's class.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor
    mask_logits: Tensor


@dataclass(frozen=True)
class Prediction(Instances):
    """Network outputs of one image, as the exported graph gives them.

    Attributes:
        semantic_logits: ``[S, H / 4, W / 4]`` over the padded input.
    """

    semantic_logits: Tensor


def rank_candidates(
    proposals: Tensor,
    class_logits: Tensor,
    deltas: Tensor,
    *,
    image_size: tuple[int, int],
    limit: int,
) -> tuple[Selected, Tensor]:
    """The candidates of `select_candidates`, and the proposal int64 ``[k]`` of each."""
    height, width = image_size
    scores, best = class_logits.float().softmax(dim=1)[:, 1:].max(dim=1)
    classes = best + 1
    chosen = deltas[torch.arange(len(deltas), device=deltas.device), classes]
    boxes = decode_boxes(proposals, chosen, weights=BOX_HEAD_WEIGHTS)
    boxes = clip_boxes(boxes, height=height, width=width)
    above = torch.nonzero(scores > SCORE_FLOOR).squeeze(1)
    keep = above[nms_inclusive(boxes[above], scores[above], NMS_THRESHOLD)][:limit]
    return (boxes[keep], scores[keep], classes[keep]), keep


def select_candidates(
    proposals: Tensor,
    class_logits: Tensor,
    deltas: Tensor,
    *,
    image_size: tuple[int, int],
    limit: int,
) -> Selected:
    """Best class of each proposal, suppressed over all classes together.

    The published models take all pairs of proposal and class above the panoptic head's score
    threshold. For thresholds of 0.5 and above that is the same: the class probabilities of a
    proposal add up to one, and a pair below the threshold suppresses none above it. Of equal
    scores at the limit the published models keep more than the limit; here it is a limit.

    Args:
        proposals: ``[P, 4]`` in input pixels.
        class_logits: ``[P, T + 1]``, index 0 = background.
        deltas: ``[P, T + 1, 4]``.
        image_size: Height and width of the unpadded input in pixels.
        limit: Most candidates.

    Returns:
        Boxes ``[k, 4]``, scores ``[k]`` descending and classes int64 ``[k]`` in 1..T, k <= limit.
    """
    return rank_candidates(proposals, class_logits, deltas, image_size=image_size, limit=limit)[0]


def select_detections(
    proposals: Tensor,
    class_logits: Tensor,
    deltas: Tensor,
    *,
    image_size: tuple[int, int],
    limit: int,
) -> Selected:
    """All pairs of proposal and class, suppressed within each class: Mask R-CNN's detections.

    They are what average precision is measured on, and what the merge heuristic joins.

    Args:
        proposals: ``[P, 4]`` in input pixels.
        class_logits: ``[P, T + 1]``, index 0 = background.
        deltas: ``[P, T + 1, 4]``.
        image_size: Height and width of the unpadded input in pixels.
        limit: Most detections over all classes; those that score as much as the last are kept,
            too.

    Returns:
        Boxes ``[k, 4]``, scores ``[k]`` descending and classes int64 ``[k]`` in 1..T; of equal
        scores the lower class first.
    """
    height, width = image_size
    probabilities = class_logits.float().softmax(dim=1)[:, 1:]
    classes, rows = torch.nonzero((probabilities > SCORE_FLOOR).T, as_tuple=True)
    scores, classes = probabilities[rows, classes], classes + 1
    boxes = decode_boxes(proposals[rows], deltas[rows, classes], weights=BOX_HEAD_WEIGHTS)
    boxes = clip_boxes(boxes, height=height, width=width)
    kept = [torch.zeros_like(classes[:0])]
    for class_id in classes.unique():
        own = torch.nonzero(classes == class_id).squeeze(1)
        kept.append(own[nms_inclusive(boxes[own], scores[own], NMS_THRESHOLD)])
    keep = torch.cat(kept)
    keep = keep[scores[keep].argsort(descending=True, stable=True)]
    if len(keep) > limit:
        keep = keep[scores[keep] >= scores[keep[limit - 1]]]
    return boxes[keep], scores[keep], classes[keep]


@torch.no_grad()
def score_regions(model: UPSNet, output: PyramidOutput, *, image_size: tuple[int, int]) -> Regions:
    """Run the region proposal network and the box head on the features of one image.

    Args:
        model: A network in evaluation mode.
        output: From ``model.pyramid_output`` of a batch of one image.
        image_size: Height and width of the unpadded part in pixels.
    """
    proposals = model.proposals(output, [image_size])
    class_logits, deltas = model.box_outputs(output.levels, proposals)
    return Regions(proposals[0], class_logits, deltas, image_size)


@torch.no_grad()
def select_instances(
    model: UPSNet,
    output: PyramidOutput,
    regions: Regions,
    *,
    select: Callable[..., Selected] = select_candidates,
) -> Instances:
    """Suppress regions, and run the mask head on what is left.

    Args:
        model: A network in evaluation mode.
        output: What the regions were found in.
        regions: From ``score_regions``.
        select: `select_candidates` or `select_detections`.
    """
    boxes, scores, classes = select(
        regions.proposals,
        regions.class_logits,
        regions.deltas,
        image_size=regions.image_size,
        limit=model.test_candidates,
    )
    return Instances(boxes, scores, classes, own_masks(model, output, boxes, classes))


@torch.no_grad()
def own_masks(model: UPSNet, output: PyramidOutput, boxes: Tensor, classes: Tensor) -> Tensor:
    """Mask logits ``[k, 28, 28]`` of ``[k, 4]`` boxes in input pixels, each of its own class."""
    masks = model.mask_outputs(output.levels, [boxes])  # [k, T + 1, 28, 28]
    return masks[torch.arange(len(masks), device=masks.device), classes].float()


@torch.no_grad()
def predict(model: UPSNet, image: Tensor, *, image_size: tuple[int, int]) -> Prediction:
    """Run the whole network on one image.

    Args:
        model: A network in evaluation mode.
        image: ``[3, H, W]`` float from ``model.normalise``, padded to multiples of 32.
        image_size: Height and width of the unpadded part in pixels.

    Raises:
        ValueError: If the model is in training mode.
    """
    require_evaluation_mode(model)
    output = model.pyramid_output(image[None])
    regions = score_regions(model, output, image_size=image_size)
    found = select_instances(model, output, regions)
    semantic = model.semantic()(output.levels[:4])[0]
    return Prediction(**vars(found), semantic_logits=semantic.float())


def require_evaluation_mode(model: torch.nn.Module) -> None:
    """Raise ValueError for a model in training mode."""
    if model.training:
        raise ValueError('prediction needs a model in evaluation mode; call model.eval() first')
