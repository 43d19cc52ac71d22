# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality over many label images, by the official definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.label_pairs import LabelPairs, check_state
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
)


@dataclass(frozen=True)
class QualityGroup:
    """Panoptic quality averaged over a group of classes.

    Attributes:
        pq: panoptic quality [%], 0 when no class counts.
        sq: segmentation quality, mean IoU of matched segments [%].
        rq: recognition quality, F1 of the matching [%].
        classes: number of classes that count: those with any segment in truth or prediction.
    """

    pq: float
    sq: float
    rq: float
    classes: int

    def to_dict(self) -> dict[str, float | int]:
        """Return plain JSON values."""
        return {'pq': self.pq, 'sq': self.sq, 'rq': self.rq, 'classes': self.classes}


@dataclass(frozen=True)
class ClassQuality:
    """Panoptic quality of one class.

    Attributes:
        class_id: train id.
        name: name of the class.
        is_thing: whether it is a thing class.
        pq: panoptic quality [%], 0 when the class does not count.
        sq: segmentation quality [%].
        rq: recognition quality [%].
        true_positives: matched segments.
        false_positives: predicted segments without a match.
        false_negatives: true segments without a match.
    """

    class_id: int
    name: str
    is_thing: bool
    pq: float
    sq: float
    rq: float
    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def counts(self) -> bool:
        """Whether the class takes part in averages: any segment in truth or prediction."""
        return self.true_positives + self.false_positives + self.false_negatives > 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class PanopticQualitySummary:
    """Panoptic quality of everything seen.

    Attributes:
        all: over all classes that count.
        things: over thing classes.
        stuff: over stuff classes.
        per_class: every class of the label set, by train id.
    """

    all: QualityGroup
    things: QualityGroup
    stuff: QualityGroup
    per_class: tuple[ClassQuality, ...]

    @classmethod
    def of(cls, per_class: Sequence[ClassQuality]) -> PanopticQualitySummary:
        """Return the summary of the qualities of all classes, by train id."""
        return cls(
            all=_average(per_class),
            things=_average([entry for entry in per_class if entry.is_thing]),
            stuff=_average([entry for entry in per_class if not entry.is_thing]),
            per_class=tuple(per_class),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: all, things, stuff, and per_class as a list."""
        return {
            'all': self.all.to_dict(),
            'things': self.things.to_dict(),
            'stuff': self.stuff.to_dict(),
            'per_class': [entry.to_dict() for entry in self.per_class],
        }


def _average(classes: Sequence[ClassQuality]) -> QualityGroup:
    """Return the mean over the classes that count."""
    counted = [entry for entry in classes if entry.counts]
    if not counted:
        return QualityGroup(pq=0.0, sq=0.0, rq=0.0, classes=0)
    return QualityGroup(
        pq=sum(entry.pq for entry in counted) / len(counted),
        sq=sum(entry.sq for entry in counted) / len(counted),
        rq=sum(entry.rq for entry in counted) / len(counted),
        classes=len(counted),
    )


class PanopticQuality:
    """Counts matches image by image; states add up, so images can be split over processes.

    A predicted and a true segment of the same class match if their IoU is above one half. Void
    pixels of the truth leave the union. True segments without a match are false negatives.
    Predicted ones are false positives, unless more than half of one lies on void or on a crowd of
    its class. A thing class with instance 0 is a crowd in the truth, which is never missed and
    never matched; in a prediction it is a segment like others. Unknown pixels of a prediction
    belong to no segment.

    Source: Kirillov et al., Panoptic Segmentation, sections 4.1 and 4.2.
    """

    def __init__(self, label_set: LabelSet) -> None:
        """Start with nothing seen."""
        self._label_set = label_set
        # Summed IoU of matches, true positives, false positives, false negatives: [4, S].
        self._counts = np.zeros((4, label_set.num_classes))

    def update(self, predicted: np.ndarray, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            predicted: uint16 [H, W] label image.
            truth: uint16 [H, W] label image of the same size.

        Raises:
            LabelError: sizes differ, a type is not uint16, or a label belongs to no class.
        """
        for name, image in (('predicted', predicted), ('true', truth)):
            if image.dtype != np.uint16 or image.ndim != 2:
                raise LabelError(
                    f'{name} label image has shape {image.shape} and type {image.dtype}, expected '
                    '[H, W] and uint16'
                )
        if predicted.shape != truth.shape:
            raise LabelError(
                f'predicted label image is {predicted.shape}, the truth {truth.shape}; expected '
                'equal sizes. Resize labels to the image before comparing'
            )
        pairs = LabelPairs.of(predicted, truth)
        self._refuse_foreign('predicted', pairs.first_labels)
        self._refuse_foreign('true', pairs.second_labels)
        self._count(pairs)

    def _refuse_foreign(self, name: str, labels: np.ndarray) -> None:
        """Raise LabelError for labels that are neither unknown nor of the label set."""
        classes, instances = labels >> INSTANCE_BITS, labels & MAX_INSTANCE
        no_class = (classes >= self._label_set.num_classes) & (labels != UNKNOWN_LABEL)
        stuff_instance = (classes < self._label_set.num_stuff) & (instances > 0)
        wrong = labels[no_class | stuff_instance]
        if wrong.size:
            raise LabelError(
                f'{name} label image holds {wrong[:5].tolist()}, expected class << 8 | instance '
                f"with a class of '{self._label_set.name}' (0 to "
                f'{self._label_set.num_classes - 1}), instance 0 for stuff, or {UNKNOWN_LABEL}'
            )

    def _count(self, pairs: LabelPairs) -> None:
        """Match the segments of one image.

        Args:
            pairs: predicted labels [P], which may hold unknown, and true labels [T], which may
                hold void, with the n pairs that share pixels.
        """
        predicted_class = pairs.first_labels >> INSTANCE_BITS  # [P]
        true_class = pairs.second_labels >> INSTANCE_BITS  # [T]
        is_void = true_class == VOID_CLASS
        is_thing = (true_class >= self._label_set.num_stuff) & ~is_void
        is_crowd = is_thing & (pairs.second_labels & MAX_INSTANCE == 0)
        is_segment = ~is_void & ~is_crowd
        is_predicted = predicted_class != VOID_CLASS

        predicted, true = pairs.first, pairs.second  # [n]
        areas = pairs.first_areas()  # [P]
        on_void = pairs.first_areas(is_void[true])  # [P]
        same_class = predicted_class[predicted] == true_class[true]  # [n]
        unions = (areas - on_void)[predicted] + pairs.second_areas()[true] - pairs.pixels
        iou = pairs.pixels / unions.clip(min=1)
        match = (iou > 0.5) & same_class & is_segment[true] & is_predicted[predicted]

        on_crowd = pairs.first_areas(same_class & is_crowd[true])  # [P]
        is_excused = 2 * (on_void + on_crowd) > areas
        false_positive = is_predicted & ~is_excused
        false_positive[predicted[match]] = False
        false_negative = is_segment.copy()
        false_negative[true[match]] = False

        matched_class = true_class[true[match]]
        iou_sum, true_positives, false_positives, false_negatives = self._counts
        np.add.at(iou_sum, matched_class, iou[match])
        np.add.at(true_positives, matched_class, 1)
        np.add.at(false_positives, predicted_class[false_positive], 1)
        np.add.at(false_negatives, true_class[false_negative], 1)

    def merge(self, other: PanopticQuality) -> None:
        """Add what another one has seen.

        Raises:
            LabelError: the other one has another label set.
        """
        if other._label_set != self._label_set:
            raise LabelError(
                f"cannot add panoptic quality of label set '{other._label_set.name}' to one of "
                f"'{self._label_set.name}'; expected the same classes"
            )
        self._counts += other._counts

    def state(self) -> np.ndarray:
        """Return the counts: float64 [4, S]; the sum of two states is the state of both.

        The rows are the summed IoU of matches, true positives, false positives and false
        negatives, by train id.
        """
        return self._counts.copy()

    @classmethod
    def from_state(cls, label_set: LabelSet, state: np.ndarray) -> PanopticQuality:
        """Return the panoptic quality that has these counts, those of `state`.

        Raises:
            LabelError: the shape does not fit the label set, or a number is negative or not
                finite.
        """
        check_state(state, (4, label_set.num_classes), label_set)
        quality = cls(label_set)
        quality._counts += state
        return quality

    def summary(self) -> PanopticQualitySummary:
        """Return the qualities of everything seen so far."""
        return PanopticQualitySummary.of(
            [self._class_quality(i) for i in range(self._label_set.num_classes)]
        )

    def _class_quality(self, class_id: int) -> ClassQuality:
        iou_sum = float(self._counts[0, class_id])
        matched, extra, missed = (int(count) for count in self._counts[1:, class_id])
        weight = matched + 0.5 * extra + 0.5 * missed
        entry = self._label_set.classes[class_id]
        return ClassQuality(
            class_id=class_id,
            name=entry.name,
            is_thing=entry.is_thing,
            pq=100.0 * iou_sum / weight if weight else 0.0,
            sq=100.0 * iou_sum / matched if matched else 0.0,
            rq=100.0 * matched / weight if weight else 0.0,
            true_positives=matched,
            false_positives=extra,
            false_negatives=missed,
        )
