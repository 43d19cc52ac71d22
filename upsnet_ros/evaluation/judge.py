# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the labels of each frame of a camera are worth: beside the truth, and the frame before."""

from __future__ import annotations

import numpy as np

from upsnet_ros.bags.joining import StreamedFrame
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.mean_iou import confusion_rows
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.evaluation.frame_record import CONFIDENCE_BINS, FrameRecord, Row
from upsnet_ros.evaluation.stability import LONGEST_STEP_SECONDS, compare_frames

MS_DIGITS = 3


def quality_rows(quality: PanopticQuality) -> tuple[Row, ...]:
    """The counts of the classes that occur: (class id, IoU sum, TP, FP, FN)."""
    state = quality.state()  # [4, S]
    return tuple(
        (int(c), float(state[0, c]), *(int(count) for count in state[1:, c]))
        for c in np.flatnonzero(state.any(axis=0))
    )


def score_bins(scores: np.ndarray) -> tuple[Row, ...]:
    """(bin, instances) of confidences from 0 to 1, bins that are empty left out."""
    counts, _ = np.histogram(scores, bins=CONFIDENCE_BINS, range=(0.0, 1.0))
    return tuple((int(b), int(counts[b])) for b in np.flatnonzero(counts))


class FrameJudge:
    """Judges the frames of all cameras, those of each camera in their order."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._before: dict[str, tuple[int, int, np.ndarray]] = {}

    def __call__(
        self,
        frame: StreamedFrame,
        result: PanopticResult,
        *,
        ms: dict[str, float],
        truth: np.ndarray | None,
        truth_problem: str | None = None,
    ) -> FrameRecord:
        """Judge one frame, and remember it for the next.

        Args:
            frame: whose it is.
            result: its labels.
            ms: milliseconds of the stages.
            truth: its true label image, uint16 [H, W]; None where there is none.
            truth_problem: why the truth that there is cannot be used.
        """
        labels = result.label_image
        pq = quality = confusion = None
        if truth is not None:
            try:
                pq, quality, confusion = self._beside_truth(labels, truth)
            except LabelError as error:
                truth_problem = str(error)
        step = None
        if frame.camera in self._before:
            stamp_ns, recorded_ns, before = self._before[frame.camera]
            seconds = (frame.stamp_ns - stamp_ns) / 1e9
            if not 0 < seconds <= LONGEST_STEP_SECONDS:  # stamps jump where a clock is set
                seconds = (frame.recorded_ns - recorded_ns) / 1e9
            step = compare_frames(
                before, labels, seconds=seconds, num_stuff=self._label_set.num_stuff
            )
        self._before[frame.camera] = (frame.stamp_ns, frame.recorded_ns, labels)
        scores = np.array([instance.score for instance in result.instances])
        return FrameRecord(
            camera=frame.camera,
            index=frame.index,
            stamp_ns=frame.stamp_ns,
            ms={name: round(value, MS_DIGITS) for name, value in ms.items()},
            unknown_share=float(result.unknown_share),
            scores=score_bins(scores),
            mean_score=float(scores.mean()) if scores.size else None,
            pq=pq,
            quality=quality,
            confusion=confusion,
            step=step,
            truth_problem=truth_problem,
        )

    def forget(self, camera: str) -> None:
        """Let the next frame of a camera follow none: one between them has no labels."""
        self._before.pop(camera, None)

    def _beside_truth(
        self, labels: np.ndarray, truth: np.ndarray
    ) -> tuple[float | None, tuple[Row, ...], tuple[Row, ...]]:
        quality = PanopticQuality(self._label_set)
        quality.update(labels, truth)
        mean = quality.summary().all
        return (
            mean.pq if mean.classes else None,
            quality_rows(quality),
            confusion_rows(labels, truth),
        )
