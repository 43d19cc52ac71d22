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
from upsnet_ros.core.labelling import assign_labels, label_frame, panoptic_channels
from upsnet_ros.core.labels import LabelSet, class_image, instance_image
from upsnet_ros.core.masks import prune_masks
from upsnet_ros.core.structures import NetworkOutput, check_output


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
    channels = panoptic_channels(
        candidates.semantic_logits,
        instances,
        frame,
        num_stuff=label_set.num_stuff,
        predict_unknown=head.predict_unknown,
        with_best_class=True,
    )
    assignment = assign_labels(
        channels.histogram,
        instance_classes=instances.classes,
        num_stuff=label_set.num_stuff,
        stuff_area_limit=head.stuff_area_limit,
        by_majority=head.instance_class == 'majority',
    )
    return {
        'kept_rows': instances.rows,
        'semantic_labels': channels.best_class,
        'panoptic_channels': channels.winner,
        'panoptic_labels': assignment.table[channels.winner],
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
