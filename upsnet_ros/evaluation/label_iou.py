# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean intersection over union of label images, which may leave pixels unknown.

Void pixels of the truth are left out. An unknown pixel is a miss of its true class and a false
alarm of none, as in the scripts of Cityscapes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from upsnet_ros.core.label_pairs import LabelPairs
from upsnet_ros.core.labels import VOID_CLASS, LabelSet, class_image
from upsnet_ros.core.mean_iou import MeanIouSummary
from upsnet_ros.evaluation.replay_frames import Row


def confusion_rows(predicted: np.ndarray, truth: np.ndarray) -> tuple[Row, ...]:
    """How many pixels of each true class were given each class.

    Args:
        predicted: label image uint16 [H, W].
        truth: label image of the same size.

    Returns:
        (true class, predicted class or 255 for unknown, pixels), without void of the truth.
    """
    pairs = LabelPairs.of(class_image(truth), class_image(predicted))
    true, given = pairs.first_labels[pairs.first], pairs.second_labels[pairs.second]
    return tuple(
        (int(t), int(p), int(n))
        for t, p, n in zip(true, given, pairs.pixels, strict=True)
        if t != VOID_CLASS
    )


class LabelIou:
    """Adds up the confusions of frames."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._pixels = np.zeros((256, 256), np.int64)  # [truth, prediction]

    def add(self, rows: Iterable[Row]) -> None:
        """Count the rows of one frame."""
        for true, given, pixels in rows:
            self._pixels[int(true), int(given)] += int(pixels)

    def summary(self) -> MeanIouSummary:
        """The figures of everything added; a class without true or predicted pixels has none."""
        matched = self._pixels.diagonal()
        union = self._pixels.sum(axis=0) + self._pixels.sum(axis=1) - matched
        per_class = {
            entry.name: float(100.0 * matched[entry.train_id] / union[entry.train_id])
            if union[entry.train_id]
            else None
            for entry in self._label_set.classes
        }
        present = [iou for iou in per_class.values() if iou is not None]
        return MeanIouSummary(
            miou=float(np.mean(present)) if present else 0.0,
            classes=len(present),
            per_class=per_class,
        )
