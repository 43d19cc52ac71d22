# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How steady labels are from frame to frame: a measure of quality that needs no ground truth.

A camera that sees 10 frames a second sees nearly the same scene in two of them. Classes change at
the borders of what moves; away from borders a change is mostly the model's own doubt.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from upsnet_ros.core.label_pairs import LabelPairs
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
    class_image,
)
from upsnet_ros.evaluation.frame_record import FrameStep

# A border is one pixel wide on each side for so many rows of the image.
ROWS_PER_BORDER_PIXEL = 128
# Instances of two frames are the same object from this overlap on: half of what panoptic quality
# asks for, since objects move between frames.
SAME_INSTANCE_IOU = 0.25
# Frames further apart show another scene.
LONGEST_STEP_SECONDS = 2.0
UNKNOWN_NAME = 'unknown'


def border_width(height: int) -> int:
    """Pixels beside a border of classes that are left out, for images of so many rows."""
    return max(1, round(height / ROWS_PER_BORDER_PIXEL))


def away_from_borders(classes: np.ndarray, width: int) -> np.ndarray:
    """Where no pixel of another class lies within `width` pixels, in rows or columns.

    Args:
        classes: uint8 [H, W].
        width: at least 1 [px].

    Returns:
        bool [H, W].
    """
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.erode(classes, kernel) == cv2.dilate(classes, kernel)


def compare_frames(
    before: np.ndarray, after: np.ndarray, *, seconds: float, num_stuff: int
) -> FrameStep | None:
    """What changed between two frames of one camera.

    Args:
        before: label image uint16 [H, W].
        after: that of the next frame.
        seconds: time between the two [s].
        num_stuff: stuff classes of the label set: classes from here on have instances.

    Returns:
        None where the two cannot be compared: other sizes, no time or too much of it between.
    """
    if before.shape != after.shape or not 0 < seconds <= LONGEST_STEP_SECONDS:
        return None
    first, second = class_image(before), class_image(after)
    width = border_width(before.shape[0])
    judged = away_from_borders(first, width) & away_from_borders(second, width)
    pairs = first[judged].astype(np.uint16) << 8 | second[judged]
    counts = np.bincount(pairs, minlength=1 << 16).reshape(256, 256)
    same = counts.diagonal()
    either = counts.sum(axis=0) + counts.sum(axis=1) - same
    births, deaths = _come_and_gone(before, after, num_stuff)
    return FrameStep(
        seconds=seconds,
        judged=int(counts.sum()),
        flipped=int(counts.sum() - same.sum()),
        births=births,
        deaths=deaths,
        classes=tuple(
            (int(c), int(either[c] - same[c]), int(either[c])) for c in np.flatnonzero(either)
        ),
    )


def _come_and_gone(before: np.ndarray, after: np.ndarray, num_stuff: int) -> tuple[int, int]:
    """Instances of `after` that `before` lacks, and the other way round."""
    pairs = LabelPairs.of(before, after)
    first, second = (
        _is_instance(labels, num_stuff) for labels in (pairs.first_labels, pairs.second_labels)
    )
    first_class = pairs.first_labels[pairs.first] >> INSTANCE_BITS
    second_class = pairs.second_labels[pairs.second] >> INSTANCE_BITS
    union = pairs.first_areas()[pairs.first] + pairs.second_areas()[pairs.second] - pairs.pixels
    iou = pairs.pixels / union
    may_match = first[pairs.first] & second[pairs.second] & (first_class == second_class)
    candidates = np.flatnonzero(may_match & (iou >= SAME_INSTANCE_IOU))
    taken_first, taken_second = set(), set()
    for pair in candidates[np.argsort(-iou[candidates], kind='stable')]:
        one, other = int(pairs.first[pair]), int(pairs.second[pair])
        if one not in taken_first and other not in taken_second:
            taken_first.add(one)
            taken_second.add(other)
    return int(second.sum()) - len(taken_second), int(first.sum()) - len(taken_first)


def _is_instance(labels: np.ndarray, num_stuff: int) -> np.ndarray:
    """Which labels are single objects: bool [n]."""
    is_thing = (labels >> INSTANCE_BITS >= num_stuff) & (labels != UNKNOWN_LABEL)
    return is_thing & (labels & MAX_INSTANCE > 0)


class StabilityTally:
    """Adds up the steps of a drive."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._steps = 0
        self._seconds = 0.0
        self._judged = self._flipped = self._births = self._deaths = 0
        self._changed, self._either = np.zeros((2, 256), np.int64)

    def add(self, step: FrameStep) -> None:
        """Count one step."""
        self._steps += 1
        self._seconds += step.seconds
        self._judged += step.judged
        self._flipped += step.flipped
        self._births += step.births
        self._deaths += step.deaths
        for class_id, changed, either in step.classes:
            self._changed[int(class_id)] += int(changed)
            self._either[int(class_id)] += int(either)

    def summary(self) -> dict[str, Any] | None:
        """Plain JSON values; None where no frame followed another.

        `steps` and `seconds` that were compared; `flip_share`, of all pixels away from borders
        those whose class changed; `births_per_second` and `deaths_per_second` of instances;
        `flicker`, by class name: of the pixels that had the class in either frame the share that
        did not have it in both. Shares are 0 to 1, None where no pixel was compared.
        """
        if not self._steps:
            return None
        names = {entry.train_id: entry.name for entry in self._label_set.classes}
        names[VOID_CLASS] = UNKNOWN_NAME
        return {
            'steps': self._steps,
            'seconds': self._seconds,
            'flip_share': self._flipped / self._judged if self._judged else None,
            'births_per_second': self._births / self._seconds,
            'deaths_per_second': self._deaths / self._seconds,
            'flicker': {
                name: float(self._changed[c] / self._either[c]) if self._either[c] else None
                for c, name in names.items()
            },
        }
