# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the panoptic head computes on the way to its result, and the result of the recipe's head.

The steps are the head's own functions in the head's own order.
"""

import numpy as np

from training.inference.assembly import build_head
from training.inference.options import InferenceOptions
from training.recipe.panoptic_head import PanopticHeadRecipe
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labelling import assign_labels, label_frame
from upsnet_ros.core.labels import LabelSet, class_image, instance_image
from upsnet_ros.core.masks import prune_masks
from upsnet_ros.core.pixel_labels import WorkMemory, panoptic_argmax, semantic_maps
from upsnet_ros.core.structures import SEMANTIC_STRIDE, NetworkOutput, check_output


def panoptic_steps(
    candidates: NetworkOutput,
    geometry: InputGeometry,
    *,
    label_set: LabelSet,
    head: PanopticHeadRecipe,
) -> dict[str, np.ndarray]:
    """The unified panoptic head's intermediate maps of one image.

    Args:
        candidates: Semantic logits, and the candidates above the head's score threshold.
        geometry: How the image lies in the input.
        label_set: The classes.
        head: The head's parameters.

    Returns:
        ``kept_rows``, ``semantic_labels``, ``panoptic_channels`` and ``panoptic_labels``; see
        :mod:`training.inspection.arrays`.

    Raises:
        ModelError: If the output holds NaN or infinity, or does not fit the label set.
    """
    check_output(candidates, geometry, label_set)
    frame = label_frame(geometry, head.label_resolution)
    rows = slice(0, candidates.count)
    instances = prune_masks(
        candidates.boxes[rows].astype(np.float64) / frame.scale,
        candidates.classes[rows],
        candidates.mask_logits[rows],
        canvas=frame.canvas,
        overlap_threshold=head.mask_overlap_threshold,
    )
    classes = [instance.class_id for instance in instances]
    maps = semantic_maps(
        candidates.semantic_logits,
        size=(frame.labels.height, frame.labels.width),
        upsampling=SEMANTIC_STRIDE / frame.scale,
        num_stuff=label_set.num_stuff,
        kept_classes=classes,
        memory=WorkMemory(),
    )
    best_class = maps.best_class()
    winner = panoptic_argmax(
        maps,
        instances,
        num_stuff=label_set.num_stuff,
        predict_unknown=head.predict_unknown,
    )
    assignment = assign_labels(
        winner,
        best_class if head.instance_class == 'majority' else None,
        frame.pixel_counts,
        instance_classes=classes,
        num_stuff=label_set.num_stuff,
        num_classes=label_set.num_classes,
        stuff_area_limit=head.stuff_area_limit,
    )
    return {
        'kept_rows': np.array([instance.row for instance in instances], dtype=np.int64),
        'semantic_labels': best_class,
        'panoptic_channels': winner,
        'panoptic_labels': assignment.table[winner],
    }


def final_result(
    candidates: NetworkOutput,
    detections: NetworkOutput,
    geometry: InputGeometry,
    *,
    label_set: LabelSet,
    head: PanopticHeadRecipe,
) -> np.ndarray:
    """The labels that the recipe's head gives the image on disk.

    Args:
        candidates: What the unified head takes.
        detections: What the merge heuristic takes.
        geometry: How the image lies in the input.
        label_set: The classes.
        head: Which head, and its parameters.

    Returns:
        uint8 ``[H0, W0, 2]``, class and instance; see :mod:`training.inspection.arrays`.
    """
    final = build_head(label_set, head.parameters(), InferenceOptions(), kind=head.kind)
    instances = candidates if head.kind == 'unified' else detections
    labels = final(instances, geometry).label_image
    return np.stack((class_image(labels), instance_image(labels)), axis=-1)
