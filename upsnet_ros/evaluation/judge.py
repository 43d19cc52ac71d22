# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the labels of each frame of a camera are worth: beside the truth, and the frame before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from upsnet_ros.bags.joining import StreamedFrame
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.label_pairs import LabelPairs
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    LabelSet,
    class_image,
)
from upsnet_ros.core.mean_iou import confusion_rows
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.evaluation.frame_record import (
    CONFIDENCE_BINS,
    FrameLine,
    FrameRecord,
    FrameStep,
    Row,
    SkippedFrame,
)
from upsnet_ros.pipeline import NetworkAnswer, PlacedImage

MS_DIGITS = 3
# A border is one pixel wide on each side for so many rows of the image.
ROWS_PER_BORDER_PIXEL = 128
# Instances of two frames are the same object from this overlap on: half of what panoptic quality
# asks for, since objects move between frames.
SAME_INSTANCE_IOU = 0.25
# Frames further apart show another scene.
LONGEST_STEP_SECONDS = 2.0


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


@dataclass
class LabelledFrame:
    """A frame on its way through the stages, each of which adds what it finds.

    Attributes:
        frame: as it lay in the bag.
        is_known: whether an earlier run did it; its labels are needed by the frame behind it.
        problem: why it cannot be labelled.
        image: BGR uint8 [H, W, 3].
        frame_id: coordinate frame in the image's header.
        truth: its true label image, uint16 [H, W], where there is one.
        truth_problem: why there is none though there should be.
        placed: the network's input, until it is labelled.
        answer: that of the network, until it is labelled.
        result: its labels and instances.
        ms: milliseconds of the stages.
        line: what is kept of it, once it is done.
    """

    frame: StreamedFrame
    is_known: bool = False
    problem: str | None = None
    image: np.ndarray | None = None
    frame_id: str = ''
    truth: np.ndarray | None = None
    truth_problem: str | None = None
    placed: PlacedImage | None = None
    answer: NetworkAnswer | None = None
    result: PanopticResult | None = None
    ms: dict[str, float] | None = None
    line: FrameLine | None = None


class FrameJudge:
    """Judges the frames of all cameras, those of each camera in their order."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._before: dict[str, tuple[int, int, np.ndarray]] = {}

    def __call__(self, done: LabelledFrame) -> FrameLine:
        """Judge one frame, and remember it for the next; or say why it has no labels."""
        frame, result, truth_problem = done.frame, done.result, done.truth_problem
        if result is None or done.ms is None:
            problem = done.problem or 'no labels'
            return SkippedFrame(frame.camera, frame.index, frame.stamp_ns, problem)
        labels = result.label_image
        pq = quality = confusion = None
        if done.truth is not None:
            try:
                pq, quality, confusion = self._beside_truth(labels, done.truth)
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
            ms={name: round(value, MS_DIGITS) for name, value in done.ms.items()},
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


def border_width(height: int) -> int:
    """Pixels beside a border of classes that are left out, for images of so many rows."""
    return max(1, round(height / ROWS_PER_BORDER_PIXEL))


def away_from_borders(classes: np.ndarray, width: int) -> np.ndarray:
    """Where no pixel of another class lies within `width` pixels, in rows or columns.

    Args:
        classes: uint8 [H, W].
        width: at least 1 [px].

    Returns:
        bool [H, W].
    """
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.erode(classes, kernel) == cv2.dilate(classes, kernel)


def compare_frames(
    before: np.ndarray, after: np.ndarray, *, seconds: float, num_stuff: int
) -> FrameStep | None:
    """What changed between two frames of one camera.

    Args:
        before: label image uint16 [H, W].
        after: that of the next frame.
        seconds: time between the two [s].
        num_stuff: stuff classes of the label set: classes from here on have instances.

    Returns:
        None where the two cannot be compared: other sizes, no time or too much of it between.
    """
    if before.shape != after.shape or not 0 < seconds <= LONGEST_STEP_SECONDS:
        return None
    first, second = class_image(before), class_image(after)
    width = border_width(before.shape[0])
    judged = away_from_borders(first, width) & away_from_borders(second, width)
    pairs = first[judged].astype(np.uint16) << 8 | second[judged]
    counts = np.bincount(pairs, minlength=1 << 16).reshape(256, 256)
    same = counts.diagonal()
    either = counts.sum(axis=0) + counts.sum(axis=1) - same
    births, deaths = _come_and_gone(before, after, num_stuff)
    return FrameStep(
        seconds=seconds,
        judged=int(counts.sum()),
        flipped=int(counts.sum() - same.sum()),
        births=births,
        deaths=deaths,
        classes=tuple(
            (int(c), int(either[c] - same[c]), int(either[c])) for c in np.flatnonzero(either)
        ),
    )


def _come_and_gone(before: np.ndarray, after: np.ndarray, num_stuff: int) -> tuple[int, int]:
    """Instances of `after` that `before` lacks, and the other way round."""
    pairs = LabelPairs.of(before, after)
    first, second = (
        _is_instance(labels, num_stuff) for labels in (pairs.first_labels, pairs.second_labels)
    )
    first_class = pairs.first_labels[pairs.first] >> INSTANCE_BITS
    second_class = pairs.second_labels[pairs.second] >> INSTANCE_BITS
    union = pairs.first_areas()[pairs.first] + pairs.second_areas()[pairs.second] - pairs.pixels
    iou = pairs.pixels / union
    may_match = first[pairs.first] & second[pairs.second] & (first_class == second_class)
    candidates = np.flatnonzero(may_match & (iou >= SAME_INSTANCE_IOU))
    taken_first, taken_second = set(), set()
    for pair in candidates[np.argsort(-iou[candidates], kind='stable')]:
        one, other = int(pairs.first[pair]), int(pairs.second[pair])
        if one not in taken_first and other not in taken_second:
            taken_first.add(one)
            taken_second.add(other)
    return int(second.sum()) - len(taken_second), int(first.sum()) - len(taken_first)


def _is_instance(labels: np.ndarray, num_stuff: int) -> np.ndarray:
    """Which labels are single objects: bool [n]."""
    is_thing = (labels >> INSTANCE_BITS >= num_stuff) & (labels != UNKNOWN_LABEL)
    return is_thing & (labels & MAX_INSTANCE > 0)
