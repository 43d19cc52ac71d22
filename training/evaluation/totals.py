# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sums over frames: panoptic quality, mean IoU, unknown pixels, time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.frame_record import FrameRecord
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.mean_iou import MeanIou, state_shape
from upsnet_ros.core.panoptic_quality import PanopticQuality

QUALITY_ROWS = 4  # of PanopticQuality.state
SCALARS = 3


@dataclass(frozen=True)
class Evaluation:
    """What was counted over some frames.

    Attributes:
        label_set: The classes.
        quality: Panoptic quality of the labels.
        semantics: Mean IoU of the semantic head's own answer; nothing seen without such a head.
        frames: Number of frames.
        unknown: Sum over the frames of the share of unknown pixels.
        seconds: Time spent labelling, reading the files not included.
    """

    label_set: LabelSet
    quality: PanopticQuality
    semantics: MeanIou
    frames: int
    unknown: float
    seconds: float

    @classmethod
    def of(cls, label_set: LabelSet, records: Iterable[FrameRecord]) -> 'Evaluation':
        """The sums of frames, of none as well; the records are looked at one by one."""
        classes = label_set.num_classes
        quality, confusion = np.zeros((QUALITY_ROWS, classes)), np.zeros(state_shape(label_set))
        frames, unknown, seconds = 0, 0.0, 0.0
        for record in records:
            quality += record.quality
            confusion += 0 if record.confusion is None else record.confusion
            frames += 1
            unknown += record.unknown_share
            seconds += record.seconds
        return cls(
            label_set,
            PanopticQuality.from_state(label_set, quality),
            MeanIou.from_state(label_set, confusion),
            frames,
            unknown,
            seconds,
        )

    def state(self) -> np.ndarray:
        """All counts as one float64 vector; the sum of two states is the state of both."""
        scalars = np.array([self.frames, self.unknown, self.seconds], dtype=np.float64)
        parts = (self.quality.state().ravel(), self.semantics.state().ravel(), scalars)
        return np.concatenate(parts)

    @classmethod
    def from_state(cls, label_set: LabelSet, state: np.ndarray) -> 'Evaluation':
        """The evaluation that has these counts.

        Raises:
            LabelError: If the vector does not fit the label set.
        """
        classes = label_set.num_classes
        sizes = (QUALITY_ROWS * classes, math.prod(state_shape(label_set)), SCALARS)
        if state.shape != (sum(sizes),):
            raise LabelError(
                f'state of shape {state.shape}, expected ({sum(sizes)},) for label set '
                f"'{label_set.name}'"
            )
        quality, semantics, scalars = np.split(state, np.cumsum(sizes)[:-1])
        return cls(
            label_set,
            PanopticQuality.from_state(label_set, quality.reshape(QUALITY_ROWS, classes)),
            MeanIou.from_state(label_set, semantics.reshape(state_shape(label_set))),
            frames=round(float(scalars[0])),
            unknown=float(scalars[1]),
            seconds=float(scalars[2]),
        )

    def figures(self) -> dict[str, float]:
        """The figures that a run is watched by [%]; 0 for mean IoU without a semantic head."""
        summary = self.quality.summary()
        return {
            'pq': summary.all.pq,
            'pq_things': summary.things.pq,
            'pq_stuff': summary.stuff.pq,
            'sq': summary.all.sq,
            'rq': summary.all.rq,
            'miou': self.semantics.summary().miou,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; mean IoU is None without a semantic head."""
        semantics = self.semantics.summary()
        frames = max(self.frames, 1)
        return {
            'pq': self.quality.summary().to_dict(),
            'miou': semantics.to_dict() if semantics.classes else None,
            'frames': self.frames,
            'unknown_share': self.unknown / frames,
            'seconds_per_frame': self.seconds / frames,
        }
