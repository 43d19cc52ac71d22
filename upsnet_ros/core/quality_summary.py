# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality as figures: per class, and averaged over groups of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


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
