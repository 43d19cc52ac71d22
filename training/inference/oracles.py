# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The truth in the place of a part of the network's answer: how much would each part gain?

Source: paper section 4.4, "ORACLE Results", and the last rows of table 6.
"""

import numpy as np
import torch
from torch import Tensor

from training.data.label_runs import LabelRuns
from training.data.objects import find_objects
from training.models.detections import Instances, own_masks
from training.models.upsnet import PyramidOutput, UPSNet
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import INSTANCE_BITS
from upsnet_ros.core.structures import SEMANTIC_STRIDE

BOXES, CLASSES, SEGMENTATION = 'boxes', 'classes', 'segmentation'
ORACLES = (BOXES, CLASSES, SEGMENTATION)
# Larger than any mask logit, so that what the true segmentation says of a pixel is never outvoted.
CERTAIN_LOGIT = 1000.0


@torch.no_grad()
def true_instances(
    model: UPSNet,
    output: PyramidOutput,
    truth: np.ndarray,
    *,
    scale: float,
    true_classes: bool,
) -> Instances:
    """Masks of the network in the true boxes.

    The boxes are those of all objects that are no crowd. The box head classifies them and does
    not move them; nothing is suppressed and nothing left out for its score, which gives the order
    alone. The masks are the network's.

    Args:
        model: A network in evaluation mode.
        output: From ``model.pyramid_output`` of a batch of one image.
        truth: uint16 ``[H, W]`` label image at the size of the image.
        scale: Input pixels per pixel of the image.
        true_classes: Whether the class is the true one, with the probability that the network
            gives it; otherwise the most probable thing class.
    """
    objects = find_objects(LabelRuns.of(truth), num_stuff=model.num_stuff)
    device = output.levels[0].device
    boxes = torch.from_numpy(objects.boxes * np.float32(scale)).to(device)
    class_logits, _ = model.box_outputs(output.levels, [boxes])
    probabilities = class_logits.float().softmax(dim=1)
    if true_classes:
        own = (objects.values >> INSTANCE_BITS).astype(np.int64) - model.num_stuff + 1
        classes = torch.from_numpy(own).to(device)
    else:
        classes = probabilities[:, 1:].argmax(dim=1) + 1
    scores = probabilities.gather(1, classes[:, None])[:, 0]
    # A probability that rounds to zero must still be above a threshold of zero.
    scores = scores.clamp(min=torch.finfo(torch.float32).tiny)
    order = scores.argsort(descending=True, stable=True)
    boxes, scores, classes = boxes[order], scores[order], classes[order]
    return Instances(boxes, scores, classes, own_masks(model, output, boxes, classes))


def true_semantic_logits(
    truth: np.ndarray, geometry: InputGeometry, *, num_classes: int
) -> Tensor:
    """The truth as semantic logits.

    Every cell has the class of the image pixel nearest to its middle, crowds theirs. Cells of the
    padding repeat the nearest cell of the image.

    Args:
        truth: uint16 ``[H, W]`` label image at the size of the image.
        geometry: How the image lies in the input.
        num_classes: Stuff plus thing classes.

    Returns:
        float32 ``[num_classes, h, w]`` at a quarter of the input: 1000 for the class of a cell
        and 0 for the others; 0 for all where the truth is void.
    """
    rows, columns = (
        np.minimum(
            (np.arange(SEMANTIC_STRIDE // 2, padded, SEMANTIC_STRIDE) / geometry.scale).astype(
                int
            ),
            side - 1,
        )
        for padded, side in (
            (geometry.input_height, geometry.image_height),
            (geometry.input_width, geometry.image_width),
        )
    )
    classes = (truth >> INSTANCE_BITS)[rows[:, None], columns]
    hot = np.arange(num_classes)[:, None, None] == classes
    return torch.from_numpy(hot.astype(np.float32)) * CERTAIN_LOGIT
