# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean intersection over union of a semantic segmentation over many images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.label_pairs import LabelPairs, check_state
from upsnet_ros.core.labels import VOID_CLASS, LabelSet, class_image

# (true class, predicted class or 255 for unknown, pixels)
ConfusionRow = tuple[float, ...]


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

    Pixels that are void in the truth are left out. An unknown pixel of a prediction is a miss of
    its true class and a false alarm of none. A class that occurs neither in the truth nor among
    the predictions of the other pixels has no IoU. All of that is as in the scripts of Cityscapes;
    the published models count such a class as 0, but on whole validation sets every class occurs.
    """

    def __init__(self, label_set: LabelSet) -> None:
        """Start with nothing seen."""
        self._label_set = label_set
        # Pixels by [truth, prediction]; the last column is for unknown ones.
        self._confusion = np.zeros(state_shape(label_set))

    def update(self, predicted: np.ndarray, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            predicted: uint8 [H, W], train ids, 255 for unknown.
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
        pairs = LabelPairs.of(truth, predicted)
        self._refuse_foreign('predicted', pairs.second_labels)
        self._refuse_foreign('true', pairs.first_labels)
        self._count(*_confusion(pairs))

    def add(self, rows: Iterable[ConfusionRow]) -> None:
        """Count one image by its `confusion_rows`.

        Raises:
            LabelError: an id belongs to no class.
        """
        true, given, pixels = np.array(list(rows), np.int64).reshape(-1, 3).T
        self._refuse_foreign('predicted', given)
        self._refuse_foreign('true', true)
        counted = true != VOID_CLASS
        self._count(true[counted], given[counted], pixels[counted])

    def _count(self, true: np.ndarray, given: np.ndarray, pixels: np.ndarray) -> None:
        """Count int64 [N] pixels of pairs of true and predicted class."""
        columns = np.minimum(given, self._label_set.num_classes)
        np.add.at(self._confusion, (true, columns), pixels)

    def _refuse_foreign(self, name: str, ids: np.ndarray) -> None:
        """Raise LabelError for ids that are neither train ids nor unknown or void."""
        is_class = (ids >= 0) & (ids < self._label_set.num_classes)
        foreign = ids[~is_class & (ids != VOID_CLASS)]
        if foreign.size:
            raise LabelError(
                f'{name} class image holds {foreign[:5].tolist()}, expected train ids of '
                f"'{self._label_set.name}', 0 to {self._label_set.num_classes - 1}, or "
                f'{VOID_CLASS}'
            )

    def state(self) -> np.ndarray:
        """Return the pixels of each pair of true and predicted class: float64 `state_shape`.

        The sum of two states is the state of both.
        """
        return self._confusion.copy()

    @classmethod
    def from_state(cls, label_set: LabelSet, state: np.ndarray) -> MeanIou:
        """Return the counts of a state.

        Raises:
            LabelError: the shape does not fit the label set, or a number is negative or not
                finite.
        """
        check_state(state, state_shape(label_set), label_set)
        counts = cls(label_set)
        counts._confusion += state
        return counts

    def summary(self) -> MeanIouSummary:
        """Return the figures of everything seen so far."""
        among_classes = self._confusion[:, :-1]
        matched = np.diagonal(among_classes)
        union = among_classes.sum(axis=0) + self._confusion.sum(axis=1) - matched
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


def state_shape(label_set: LabelSet) -> tuple[int, int]:
    """Shape of a `MeanIou.state`: true classes, predicted classes and unknown, [S, S + 1]."""
    return label_set.num_classes, label_set.num_classes + 1


def confusion_rows(predicted: np.ndarray, truth: np.ndarray) -> tuple[ConfusionRow, ...]:
    """How many pixels of each true class were given each class, void of the truth left out.

    Args:
        predicted: label image uint16 [H, W].
        truth: label image of the same size.
    """
    columns = _confusion(LabelPairs.of(class_image(truth), class_image(predicted)))
    return tuple(zip(*(column.tolist() for column in columns), strict=True))


def _confusion(pairs: LabelPairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True class, predicted class and pixels, each int64 [N], of pairs of truth and prediction."""
    true, given = pairs.first_labels[pairs.first], pairs.second_labels[pairs.second]
    counted = true != VOID_CLASS
    return true[counted], given[counted], pairs.pixels[counted]
