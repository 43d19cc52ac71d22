# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates of the panoptic head: class-agnostic suppression over all classes.

Source: paper section 3.2, "Inference"; one class per proposal is exact for score thresholds of
0.5 and above, because class probabilities of a proposal add up to one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.models.box_coding import BOX_HEAD_WEIGHTS, clip_boxes, decode_boxes
from training.models.rpn import nms_inclusive
from training.models.upsnet import UPSNet

NMS_THRESHOLD = 0.5
SCORE_FLOOR = 0.05  # the panoptic head applies its own, higher threshold


@dataclass(frozen=True)
class Prediction:
    """Network outputs of one image, as the exported graph gives them.

    Attributes:
        semantic_logits: ``[S, H / 4, W / 4]``.
        boxes: ``[k, 4]`` in input pixels.
        scores: ``[k]`` in 0..1, descending.
        classes: int64 ``[k]`` thing classes 1..T.
        mask_logits: ``[k, 28, 28]`` of the predicted class.
    """

    semantic_logits: Tensor
    boxes: Tensor
    scores: Tensor
    classes: Tensor
    mask_logits: Tensor


def select_candidates(
    proposals: Tensor,
    class_logits: Tensor,
    deltas: Tensor,
    *,
    image_size: tuple[int, int],
    limit: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Best class of each proposal, suppressed over all classes together.

    Args:
        proposals: ``[P, 4]`` in input pixels.
        class_logits: ``[P, T + 1]``, index 0 = background.
        deltas: ``[P, T + 1, 4]``.
        image_size: Height and width of the unpadded input in pixels.
        limit: Most candidates.

    Returns:
        Boxes ``[k, 4]``, scores ``[k]`` descending and classes int64 ``[k]`` in 1..T, k <= limit.
    """
    height, width = image_size
    scores, best = class_logits.float().softmax(dim=1)[:, 1:].max(dim=1)
    classes = best + 1
    chosen = deltas[torch.arange(len(deltas), device=deltas.device), classes]
    boxes = decode_boxes(proposals, chosen, weights=BOX_HEAD_WEIGHTS)
    boxes = clip_boxes(boxes, height=height, width=width)
    above = torch.nonzero(scores > SCORE_FLOOR).squeeze(1)
    keep = above[nms_inclusive(boxes[above], scores[above], NMS_THRESHOLD)][:limit]
    return boxes[keep], scores[keep], classes[keep]


@torch.no_grad()
def predict(model: UPSNet, image: Tensor, *, image_size: tuple[int, int]) -> Prediction:
    """Run the whole network on one image.

    Args:
        model: A network in evaluation mode.
        image: ``[3, H, W]`` float BGR minus means, padded to multiples of 32.
        image_size: Height and width of the unpadded part in pixels.

    Raises:
        ValueError: If the model is in training mode.
    """
    if model.training:
        raise ValueError('predict() needs a model in evaluation mode; call model.eval() first')
    output = model.pyramid_output(image[None])
    proposals = model.proposals(output, [image_size])
    class_logits, deltas = model.box_outputs(output.levels, proposals)
    boxes, scores, classes = select_candidates(
        proposals[0],
        class_logits,
        deltas,
        image_size=image_size,
        limit=model.test_candidates,
    )
    masks = model.mask_outputs(output.levels, [boxes])
    own = masks[torch.arange(len(masks), device=masks.device), classes]
    semantic = model.semantic_head(output.levels[:4])[0]
    return Prediction(semantic.float(), boxes, scores, classes, own.float())
