# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean intersection over union of a semantic segmentation over many images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.label_pairs import LabelPairs
from upsnet_ros.core.labels import VOID_CLASS, LabelSet


@dataclass(frozen=True)
class MeanIouSummary:
    """Intersection over union of everything seen.

    Attributes:
        miou: mean over the classes that occur in truth or prediction [%]; 0 when none does.
        classes: number of classes that occur.
        per_class: IoU by class name [%]; None for a class that does not occur.
    """

    miou: float
    classes: int
    per_class: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            'miou': self.miou,
            'classes': self.classes,
            'per_class': dict(self.per_class),
        }


class MeanIou:
    """Counts pixels image by image; states add up, so images can be split over processes.

    Pixels that are void in the truth are left out. A class that occurs neither in the truth nor
    among the predictions of the other pixels has no IoU, as in the scripts of Cityscapes; the
    published models count it as 0. On whole validation sets every class occurs.
    """

    def __init__(self, label_set: LabelSet) -> None:
        """Start with nothing seen."""
        self._label_set = label_set
        classes = label_set.num_classes
        self._confusion = np.zeros((classes, classes), dtype=np.int64)  # [truth, prediction]

    def update(self, predicted: np.ndarray, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            predicted: uint8 [H, W], train ids; a class for every pixel.
            truth: uint8 [H, W], train ids, 255 for void.

        Raises:
            LabelError: sizes or types differ, or an id belongs to no class.
        """
        for name, image in (('predicted', predicted), ('true', truth)):
            if image.dtype != np.uint8 or image.ndim != 2:
                raise LabelError(
                    f'{name} class image has shape {image.shape} and type {image.dtype}, expected '
                    '[H, W] and uint8'
                )
        if predicted.shape != truth.shape:
            raise LabelError(
                f'predicted class image is {predicted.shape}, the truth {truth.shape}; expected '
                'equal sizes'
            )
        pairs = LabelPairs.of(predicted, truth)
        self._refuse_foreign('predicted', pairs.first_labels, ())
        self._refuse_foreign('true', pairs.second_labels, (VOID_CLASS,))
        true = pairs.second_labels[pairs.second]
        counted = true != VOID_CLASS
        cells = true[counted], pairs.first_labels[pairs.first[counted]]
        self._confusion[cells] += pairs.pixels[counted]

    def _refuse_foreign(self, name: str, present: np.ndarray, others: tuple[int, ...]) -> None:
        """Raise LabelError for ids that are neither train ids nor among the others."""
        foreign = [
            i for i in present.tolist() if i >= self._label_set.num_classes and i not in others
        ]
        if foreign:
            raise LabelError(
                f'{name} class image holds {foreign[:5]}, expected train ids of '
                f"'{self._label_set.name}', 0 to {self._label_set.num_classes - 1}"
                + (f', or {VOID_CLASS}' if others else '')
            )

    def state(self) -> np.ndarray:
        """Return the pixels of each pair of true and predicted class: float64 [S, S].

        The sum of two states is the state of both.
        """
        return self._confusion.astype(np.float64)

    @classmethod
    def from_state(cls, label_set: LabelSet, state: np.ndarray) -> MeanIou:
        """Return the counts of a state.

        Raises:
            LabelError: the shape does not fit the label set, or a number is negative or not
                finite.
        """
        shape = (label_set.num_classes, label_set.num_classes)
        if state.shape != shape or not np.isfinite(state).all() or (state < 0).any():
            raise LabelError(
                f'state of shape {state.shape}, expected {shape} for label set '
                f"'{label_set.name}' and finite numbers from 0 up"
            )
        counts = cls(label_set)
        counts._confusion += np.rint(state).astype(np.int64)
        return counts

    def summary(self) -> MeanIouSummary:
        """Return the figures of everything seen so far."""
        matched = np.diagonal(self._confusion)
        union = self._confusion.sum(axis=0) + self._confusion.sum(axis=1) - matched
        occurs = union > 0
        iou = 100.0 * matched / union.clip(min=1)
        per_class = {
            entry.name: float(iou[entry.train_id]) if occurs[entry.train_id] else None
            for entry in self._label_set.classes
        }
        return MeanIouSummary(
            miou=float(iou[occurs].mean()) if occurs.any() else 0.0,
            classes=int(occurs.sum()),
            per_class=per_class,
        )
