# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One image through a network, every stage kept."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.inference.network_output import to_network_output
from training.inference.predictor import Predictor
from training.inference.preparation import prepare_image
from training.inspection.arrays import LEVELS
from training.inspection.panoptic_steps import final_result, panoptic_steps
from training.models.detections import (
    Prediction,
    Selected,
    own_masks,
    select_candidates,
    select_detections,
)
from training.models.upsnet import PyramidOutput, UPSNet
from training.recipe.panoptic_head import PanopticHeadRecipe
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.masks import paste_mask
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.core.window import Window

Arrays = dict[str, np.ndarray]


@torch.no_grad()
def inspect_image(
    predictor: Predictor,
    image_bgr: np.ndarray,
    *,
    label_set: LabelSet,
    head: PanopticHeadRecipe,
) -> Arrays:
    """Every stage of one image.

    Args:
        predictor: A UPSNet with the size that images are resized to.
        image_bgr: uint8 ``[H, W, 3]`` BGR, any size.
        label_set: The classes of the network.
        head: Parameters of the panoptic head.

    Returns:
        Arrays by the names of :data:`training.inspection.arrays.ARRAYS`.

    Raises:
        ModelError: If the network's output holds NaN or infinity.
    """
    model = predictor.model
    geometry = predictor.geometry(image_bgr.shape[:2])
    pixels = prepare_image(image_bgr, geometry, model.normalise)
    output = model.pyramid_output(pixels[None])
    content = (geometry.content_height, geometry.content_width)
    proposals = model.proposals(output, [content])
    class_logits, deltas = model.box_outputs(output.levels, proposals)
    semantic = model.semantic()(output.levels[:4])[0].float()
    heads = _HeadOutputs(model, output, content, (proposals[0], class_logits, deltas), semantic)
    candidates = heads.find(select_candidates, score_threshold=head.score_threshold)
    detections = heads.find(select_detections)
    return {
        'image': image_bgr,
        'pixels': pixels.numpy(),
        'content_size': np.array(content),
        'scale': np.array(geometry.scale),
        'class_names': np.array([entry.name for entry in label_set.classes]),
        'num_stuff': np.array(label_set.num_stuff),
        **_feature_arrays(output),
        'proposals': proposals[0].numpy(),
        'proposal_class_logits': class_logits.numpy(),
        'proposal_box_deltas': deltas.numpy(),
        **_detection_arrays(detections, geometry),
        **_candidate_arrays(candidates),
        'semantic_logits': candidates.semantic_logits,
        **panoptic_steps(candidates, geometry, label_set=label_set, head=head),
        'result': final_result(candidates, detections, geometry, label_set=label_set, head=head),
    }


def _feature_arrays(output: PyramidOutput) -> Arrays:
    """Pyramid levels and RPN outputs, those on the grid of their level."""
    arrays = {}
    for index, level in enumerate(LEVELS):
        height, width = output.levels[index].shape[2:]
        arrays[f'p{level}'] = output.levels[index][0].numpy()
        logits, deltas = output.rpn_logits[index], output.rpn_deltas[index]
        arrays[f'rpn_logits_p{level}'] = logits.reshape(height, width, -1).numpy()
        arrays[f'rpn_deltas_p{level}'] = deltas.reshape(height, width, -1, 4).numpy()
    return arrays


@dataclass(frozen=True)
class _HeadOutputs:
    """What instances are selected from.

    Attributes:
        model: The network.
        output: Features of the image.
        content: Height and width of the unpadded input in pixels.
        regions: Proposals, their class logits and box deltas.
        semantic: Semantic logits ``[S, H/4, W/4]``.
    """

    model: UPSNet
    output: PyramidOutput
    content: tuple[int, int]
    regions: tuple[Tensor, Tensor, Tensor]
    semantic: Tensor

    def find(
        self, select: Callable[..., Selected], *, score_threshold: float = 0
    ) -> NetworkOutput:
        """Semantic logits, and the instances of a selection that score more than a threshold."""
        limit = self.model.test_candidates
        selected = select(*self.regions, image_size=self.content, limit=limit)
        sure = selected[1] > score_threshold
        boxes, scores, classes = (values[sure] for values in selected)
        prediction = Prediction(
            boxes=boxes,
            scores=scores,
            classes=classes,
            mask_logits=own_masks(self.model, self.output, boxes, classes),
            semantic_logits=self.semantic,
        )
        return to_network_output(prediction, num_stuff=self.model.num_stuff)


def _candidate_arrays(found: NetworkOutput) -> Arrays:
    rows = slice(0, found.count)
    return {
        'candidate_boxes': found.boxes[rows],
        'candidate_scores': found.scores[rows],
        'candidate_classes': found.classes[rows].astype(np.int64),
        'candidate_mask_logits': found.mask_logits[rows],
    }


def _detection_arrays(found: NetworkOutput, geometry: InputGeometry) -> Arrays:
    """Detections on the image on disk."""
    rows = slice(0, found.count)
    canvas = Window(0, 0, geometry.image_height, geometry.image_width)
    boxes = found.boxes[rows].astype(np.float64) / geometry.scale
    masks = np.zeros((found.count, canvas.height, canvas.width), dtype=bool)
    for mask, box, logits in zip(masks, boxes, found.mask_logits[rows], strict=True):
        window, inside = paste_mask(box, logits, canvas)
        mask[window.slices] = inside
    return {
        'detection_boxes': boxes.astype(np.float32),
        'detection_scores': found.scores[rows],
        'detection_classes': found.classes[rows].astype(np.int64),
        'detection_masks': masks,
    }
