# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the instance head's boxes and small masks to objects with pixels."""

from training.evaluation.found_object import Detection
from training.evaluation.mask_runs import mask_runs
from training.inference.found_instances import FoundInstances
from upsnet_ros.core.masks import paste_mask
from upsnet_ros.core.window import Window


def paste_detections(found: FoundInstances, size: tuple[int, int]) -> tuple[Detection, ...]:
    """Paste every mask at the image's size, as Mask R-CNN does; boxes are not rounded.

    Args:
        found: Instances of one image.
        size: Its height and width in pixels.
    """
    canvas = Window(0, 0, *size)
    detections = []
    for box, score, class_id, logits in zip(
        found.boxes.tolist(),
        found.scores.tolist(),
        found.classes.tolist(),
        found.mask_logits,
        strict=True,
    ):
        mask = mask_runs(*paste_mask(box, logits, canvas), size)
        detections.append(Detection(class_id, score, tuple(box), mask))
    return tuple(detections)
