# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions as the structure that the panoptic heads of the runtime take."""

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F

from training.inference.found_instances import FoundInstances
from training.models.detections import Prediction
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.structures import CANDIDATE_SLOTS, MASK_SIZE, NetworkOutput


@dataclass(frozen=True)
class Answer:
    """A network's answer for one image.

    Attributes:
        output: As the panoptic heads take it.
        geometry: How the image lies in the network's input.
        detections: What average precision is measured on; None where nobody asked for it, and
            where nothing finds instances on its own.
        detection_seconds: Time that these took beside the rest of the answer.
    """

    output: NetworkOutput
    geometry: InputGeometry
    detections: FoundInstances | None = None
    detection_seconds: float = 0.0


def to_network_output(prediction: Prediction, *, num_stuff: int) -> NetworkOutput:
    """Pad a prediction to 100 rows with train ids, as the exported graph does; more rows stay."""
    count = len(prediction.boxes)
    missing = max(CANDIDATE_SLOTS - count, 0)
    classes = prediction.classes + num_stuff - 1
    masks = prediction.mask_logits.reshape(-1, MASK_SIZE, MASK_SIZE)
    return NetworkOutput(
        semantic_logits=prediction.semantic_logits.cpu().numpy(),
        boxes=F.pad(prediction.boxes, (0, 0, 0, missing)).cpu().numpy(),
        scores=F.pad(prediction.scores, (0, missing)).cpu().numpy(),
        classes=F.pad(classes, (0, missing)).cpu().numpy().astype(np.int32),
        mask_logits=F.pad(masks, (0, 0, 0, 0, 0, missing)).cpu().numpy(),
        count=count,
    )
