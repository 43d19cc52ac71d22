# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The objects and crowds of a label image: boxes, label values, outlines."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.data.label_runs import LabelRuns
from training.data.sample import Polygons
from upsnet_ros.core.labels import INSTANCE_BITS, MAX_INSTANCE, VOID_CLASS

HALF_PIXEL = 0.5


@dataclass(frozen=True)
class LabelObjects:
    """What a label image holds of the thing classes, in the image's own frame.

    Attributes:
        values: uint16 ``[n]`` label values of the single objects, ascending.
        boxes: float32 ``[n, 4]`` their inclusive boxes in pixels.
        crowd_values: uint16 ``[c]`` label values of the crowds.
        crowd_boxes: float32 ``[c, 4]`` their inclusive boxes; a class has one crowd at most.
        flat: Number of objects and crowds left out because their box has no area.
    """

    values: np.ndarray
    boxes: np.ndarray
    crowd_values: np.ndarray
    crowd_boxes: np.ndarray
    flat: int


def find_objects(runs: LabelRuns, *, num_stuff: int) -> LabelObjects:
    """Objects and crowds of a label image.

    As in the published models, a box of a single row or column of pixels (``x2 <= x1`` or
    ``y2 <= y1``) is no object; its pixels stay in the semantic map.

    Args:
        runs: Of a label image.
        num_stuff: Number of stuff classes.
    """
    classes = runs.values >> INSTANCE_BITS
    things = (classes >= num_stuff) & (classes != VOID_CLASS)
    boxes = runs.boxes()
    solid = things & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    single = runs.values & MAX_INSTANCE > 0
    objects, crowds = solid & single, solid & ~single
    return LabelObjects(
        runs.values[objects],
        boxes[objects].astype(np.float32),
        runs.values[crowds],
        boxes[crowds].astype(np.float32),
        int(things.sum() - solid.sum()),
    )


def trace_outlines(labels: np.ndarray, objects: LabelObjects) -> list[Polygons]:
    """Outer outlines of each object, through the centres of its border pixels.

    The outlines that the published Cityscapes models were trained with come from such masks too;
    holes are filled. A part of one pixel's width encloses nothing, so it becomes rectangles that
    cover its pixels.

    Args:
        labels: uint16 ``[H, W]`` label image.
        objects: Its objects.

    Returns:
        Per object its outlines, float32 ``[m, 2]`` of x, y in pixels, m of at least 3.
    """
    polygons = []
    for value, box in zip(objects.values, objects.boxes.astype(int), strict=True):
        x1, y1, x2, y2 = box.tolist()
        mask = labels[y1 : y2 + 1, x1 : x2 + 1] == value
        found, _ = cv2.findContours(
            mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x1, y1)
        )
        polygons.append([outline for line in found for outline in _solid(line.reshape(-1, 2))])
    return polygons


def _solid(outline: np.ndarray) -> Polygons:
    """The outline, or where it encloses nothing, a rectangle of each row of its pixels."""
    if cv2.contourArea(outline) > 0:
        return [outline.astype(np.float32)]
    corner = outline.min(axis=0)
    width, height = outline.max(axis=0) - corner + 1
    line = cv2.fillPoly(np.zeros((height, width), np.uint8), [outline - corner], 1)
    runs = LabelRuns.of(line)
    filled = runs.values[runs.which] == 1
    rows, left = np.divmod(runs.first[filled], width)
    right = left + runs.lengths[filled]
    rectangles = np.stack((left, rows, right, rows, right, rows + 1, left, rows + 1), axis=1)
    return list((rectangles.reshape(-1, 4, 2) + corner - HALF_PIXEL).astype(np.float32))
