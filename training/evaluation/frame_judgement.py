# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame's answer beside its truth."""

import numpy as np

from training.evaluation.frame_record import FrameRecord
from training.evaluation.pasted_detections import paste_detections
from training.evaluation.true_objects import true_objects
from training.inference.labeller import Labelled
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet, class_image
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality


def judge_frame(
    name: str, labelled: Labelled, truth: np.ndarray, *, label_set: LabelSet, seconds: float
) -> FrameRecord:
    """Compare an answer with the truth.

    Args:
        name: Of the frame.
        labelled: The answer.
        truth: uint16 ``[H, W]`` label image.
        label_set: The classes of both.
        seconds: What the labels took.

    Raises:
        LabelError: If the two differ in size, or one has labels of no class.
    """
    quality, confusion = PanopticQuality(label_set), None
    labels = labelled.panoptic.label_image
    quality.update(labels, truth)
    if labelled.semantic is not None:
        semantics = MeanIou(label_set)
        semantics.update(labelled.semantic, class_image(truth))
        confusion = semantics.state()
    found = labelled.detections
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=UNKNOWN_LABEL + 1))
    return FrameRecord(
        name=name,
        size=truth.shape,
        quality=quality.state(),
        confusion=confusion,
        unknown_share=labelled.panoptic.unknown_share,
        seconds=seconds,
        segments=int((present != UNKNOWN_LABEL).sum()),
        detections=None if found is None else paste_detections(found, truth.shape),
        objects=() if found is None else true_objects(truth, num_stuff=label_set.num_stuff),
    )
