# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality over many label images, by the official definition."""

from __future__ import annotations

import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
)
from upsnet_ros.core.quality_summary import ClassQuality, PanopticQualitySummary
from upsnet_ros.core.window import row_bands

_NUM_LABELS = 1 << 16


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
        overlaps, predicted_labels, true_labels = _overlaps(predicted, truth)
        self._refuse_foreign('predicted', predicted_labels)
        self._refuse_foreign('true', true_labels)
        self._count(overlaps, predicted_labels, true_labels)

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

    def _count(
        self, overlaps: np.ndarray, predicted_labels: np.ndarray, true_labels: np.ndarray
    ) -> None:
        """Match the segments of one image.

        Args:
            overlaps: int64 [P, T], pixels that carry predicted label p and true label t.
            predicted_labels: int64 [P], ascending; may hold unknown.
            true_labels: int64 [T], ascending; may hold void.
        """
        predicted_class = predicted_labels >> INSTANCE_BITS  # [P]
        true_class = true_labels >> INSTANCE_BITS  # [T]
        is_void = true_class == VOID_CLASS
        is_thing = (true_class >= self._label_set.num_stuff) & ~is_void
        is_crowd = is_thing & (true_labels & MAX_INSTANCE == 0)
        is_segment = ~is_void & ~is_crowd
        is_predicted = predicted_class != VOID_CLASS

        areas = overlaps.sum(axis=1)  # [P]
        on_void = overlaps[:, is_void].sum(axis=1)  # [P]
        same_class = predicted_class[:, None] == true_class[None, :]  # [P, T]
        unions = (areas - on_void)[:, None] + overlaps.sum(axis=0)[None, :] - overlaps
        iou = overlaps / unions.clip(min=1)
        match = (iou > 0.5) & same_class & is_segment[None, :] & is_predicted[:, None]

        on_crowd = np.where(same_class & is_crowd[None, :], overlaps, 0).sum(axis=1)  # [P]
        is_excused = 2 * (on_void + on_crowd) > areas
        false_positive = is_predicted & ~match.any(axis=1) & ~is_excused
        false_negative = is_segment & ~match.any(axis=0)

        matched_class = true_class[match.nonzero()[1]]
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


def _overlaps(
    predicted: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many pixels each pair of labels shares: int64 [P, T], and the labels of each.

    Labels have 16 bits, so tables of all of them do what sorting the pixels would.
    """
    predicted_labels, predicted_rank = _rank_labels(predicted)
    true_labels, true_rank = _rank_labels(truth)
    shape = (len(predicted_labels), len(true_labels))
    counts = np.zeros(shape[0] * shape[1], dtype=np.int64)
    predicted_rank *= shape[1]
    for rows in row_bands(truth.shape):
        pairs = np.take(predicted_rank, predicted[rows]) + np.take(true_rank, truth[rows])
        counts += np.bincount(pairs.ravel(), minlength=len(counts))
    return counts.reshape(shape), predicted_labels, true_labels


def _rank_labels(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels present, int64 [n] ascending, and the rank of each, int64 [65536]."""
    present = np.zeros(_NUM_LABELS, dtype=bool)
    for rows in row_bands(image.shape):
        present[image[rows]] = True
    labels = np.flatnonzero(present)
    rank = np.zeros(_NUM_LABELS, dtype=np.int64)
    rank[labels] = np.arange(len(labels))
    return labels, rank
