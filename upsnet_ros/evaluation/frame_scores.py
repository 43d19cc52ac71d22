# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each frame of a replay is worth, and which frames are the most telling."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frames import FrameOutcome


@dataclass(frozen=True)
class FrameMaterial:
    """One frame with all that belongs to it.

    Attributes:
        outcome: When it was sent and answered.
        image: BGR uint8 [H, W, 3].
        predicted: Label image uint16 [H, W], or None where the frame was dropped.
        truth: Label image uint16 [H, W], or None where the drive has no ground truth for it.
    """

    outcome: FrameOutcome
    image: np.ndarray
    predicted: np.ndarray | None
    truth: np.ndarray | None

    @property
    def index(self) -> int:
        """Number of the frame in the drive."""
        return self.outcome.frame.index


@dataclass(frozen=True)
class FrameScore:
    """Measures of one frame.

    Attributes:
        quality: Its matched segments, to be added up over frames; None without label or truth.
        pq: Its own panoptic quality over the classes it shows [percent], or None likewise.
        unknown_share: Share of its pixels labelled unknown, 0..1; None where it was dropped.
    """

    outcome: FrameOutcome
    quality: PanopticQuality | None
    pq: float | None
    unknown_share: float | None


def score_frame(material: FrameMaterial, label_set: LabelSet) -> FrameScore:
    """Score one frame against its truth."""
    predicted, truth = material.predicted, material.truth
    if predicted is None:
        return FrameScore(material.outcome, None, None, None)
    unknown = float(np.count_nonzero(predicted == UNKNOWN_LABEL) / predicted.size)
    if truth is None:
        return FrameScore(material.outcome, None, None, unknown)
    quality = PanopticQuality(label_set)
    quality.update(predicted, truth)
    mean = quality.summary().all
    return FrameScore(material.outcome, quality, mean.pq if mean.classes else None, unknown)


class WorstFrames:
    """Keeps the material of the few frames with the lowest panoptic quality.

    Where there is no truth, the share of unknown pixels takes its place.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, FrameMaterial, FrameScore]] = []

    def offer(self, material: FrameMaterial, score: FrameScore) -> None:
        """Keep the frame if it is among the worst so far; a dropped frame shows nothing."""
        if score.unknown_share is None:
            return
        badness = score.unknown_share if score.pq is None else 100.0 - score.pq
        heapq.heappush(self._heap, (badness, -material.index, material, score))
        if len(self._heap) > self._count:
            heapq.heappop(self._heap)

    def ranked(self) -> list[tuple[FrameMaterial, FrameScore]]:
        """The frames kept, the worst first."""
        ordered = sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))
        return [(material, score) for _, _, material, score in ordered]


def evenly_spaced(total: int, count: int) -> list[int]:
    """Up to `count` different indices spread over `range(total)`, the middle of equal parts."""
    count = min(count, total)
    return [int((part + 0.5) * total / count) for part in range(count)]
