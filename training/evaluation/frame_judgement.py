# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame's answer beside its truth: counts, and the objects that average precision compares."""

import numpy as np
from pycocotools import mask as coco_mask

from training.data.label_runs import LabelRuns
from training.evaluation.frame_record import Detection, FrameRecord, RunLengths, TrueObject
from training.inference.found_instances import FoundInstances
from training.inference.labeller import Labelled
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
    class_image,
)
from upsnet_ros.core.masks import paste_mask
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.core.window import Window


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


def true_objects(truth: np.ndarray, *, num_stuff: int) -> tuple[TrueObject, ...]:
    """All objects and crowds, by ascending label value, down to those of a single pixel.

    Args:
        truth: uint16 ``[H, W]`` label image.
        num_stuff: Number of stuff classes.
    """
    runs = LabelRuns.of(truth)
    classes = runs.values >> INSTANCE_BITS
    things = (classes >= num_stuff) & (classes != VOID_CLASS)
    found = []
    for value, box in zip(
        runs.values[things].tolist(), runs.boxes()[things].tolist(), strict=True
    ):
        x1, y1, x2, y2 = box
        window = Window(y1, x1, y2 + 1, x2 + 1)
        mask = mask_runs(window, truth[window.slices] == value, truth.shape)
        is_crowd = not value & MAX_INSTANCE
        found.append(TrueObject(value >> INSTANCE_BITS, is_crowd, (x1, y1, x2, y2), mask))
    return tuple(found)


def mask_runs(window: Window, pixels: np.ndarray, size: tuple[int, int]) -> RunLengths:
    """Encode a mask that fills a part of its image, without an array of the image's size.

    Source: the format of masks in COCO's annotations: lengths of runs of 0 and 1 in turn,
    beginning with 0, down the columns from left to right.

    Args:
        window: Where ``pixels`` lie in the image, wholly inside it.
        pixels: bool ``[height, width]`` of the window; empty for a mask without any pixel.
        size: Height and width of the image in pixels.
    """
    height, width = size
    # A border of zeros above and below, so that every run ends in the column it began in.
    columns = np.zeros((window.width, window.height + 2), np.int8)
    columns[:, 1:-1] = pixels.T
    steps = np.diff(columns, axis=1)
    offsets = (window.left + np.arange(window.width)) * height + window.top
    bounds = []
    for step in (1, -1):
        column, row = np.nonzero(steps == step)
        bounds.append(offsets[column] + row)
    begins, ends = bounds
    apart = begins[1:] != ends[:-1]  # a run that reaches the bottom may go on in the next column
    begins = np.concatenate((begins[:1], begins[1:][apart]))
    ends = np.concatenate((ends[:-1][apart], ends[-1:]))
    edges = np.stack((begins, ends), axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    runs = {'size': [height, width], 'counts': counts.tolist()}
    packed = coco_mask.frPyObjects(runs, height, width)
    return {'size': [height, width], 'counts': packed['counts'].decode('ascii')}
