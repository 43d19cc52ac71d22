# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality over many label images, by the official definition."""

from __future__ import annotations

import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.label_pairs import LabelPairs
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
)
from upsnet_ros.core.quality_summary import ClassQuality, PanopticQualitySummary


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
        self._iou_sum = np.zeros(label_set.num_classes)
        self._true_positives = np.zeros(label_set.num_classes, dtype=np.int64)
        self._false_positives = np.zeros(label_set.num_classes, dtype=np.int64)
        self._false_negatives = np.zeros(label_set.num_classes, dtype=np.int64)

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
        np.add.at(self._iou_sum, matched_class, iou[match])
        np.add.at(self._true_positives, matched_class, 1)
        np.add.at(self._false_positives, predicted_class[false_positive], 1)
        np.add.at(self._false_negatives, true_class[false_negative], 1)

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
        self._iou_sum += other._iou_sum
        self._true_positives += other._true_positives
        self._false_positives += other._false_positives
        self._false_negatives += other._false_negatives

    def state(self) -> np.ndarray:
        """Return the counts: float64 [4, S]; the sum of two states is the state of both.

        The rows are the summed IoU of matches, true positives, false positives and false
        negatives, by train id.
        """
        counts = (self._true_positives, self._false_positives, self._false_negatives)
        return np.stack([self._iou_sum, *(count.astype(np.float64) for count in counts)])

    @classmethod
    def from_state(cls, label_set: LabelSet, state: np.ndarray) -> PanopticQuality:
        """Return the panoptic quality that has these counts, those of `state`.

        Raises:
            LabelError: the shape does not fit the label set, or a number is negative or not
                finite.
        """
        shape = (4, label_set.num_classes)
        if state.shape != shape or not np.isfinite(state).all() or (state < 0).any():
            raise LabelError(
                f'state of shape {state.shape}, expected {shape} for label set '
                f"'{label_set.name}' and finite numbers from 0 up"
            )
        quality = cls(label_set)
        quality._iou_sum += state[0]
        for have, given in (
            (quality._true_positives, state[1]),
            (quality._false_positives, state[2]),
            (quality._false_negatives, state[3]),
        ):
            have += np.rint(given).astype(np.int64)
        return quality

    def __add__(self, other: PanopticQuality) -> PanopticQuality:
        """Return the panoptic quality of what both have seen."""
        total = PanopticQuality(self._label_set)
        total.merge(self)
        total.merge(other)
        return total

    def summary(self) -> PanopticQualitySummary:
        """Return the qualities of everything seen so far."""
        return PanopticQualitySummary.of(
            [self._class_quality(i) for i in range(self._label_set.num_classes)]
        )

    def _class_quality(self, class_id: int) -> ClassQuality:
        """Return the quality of one class."""
        matched = int(self._true_positives[class_id])
        extra = int(self._false_positives[class_id])
        missed = int(self._false_negatives[class_id])
        iou_sum = float(self._iou_sum[class_id])
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
