# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a run, added up from the lines that it kept of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from upsnet_ros.core.labels import VOID_CLASS, LabelSet
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.figures import FIGURES
from upsnet_ros.evaluation.frame_record import (
    CONFIDENCE_BINS,
    FRAMES_FILE,
    NO_LABEL,
    FrameLine,
    FrameRecord,
    FrameStep,
    SkippedFrame,
    read_frames,
)
from upsnet_ros.evaluation.replay_report import (
    CameraFigures,
    Json,
    LatencyFigures,
    SeriesPoint,
    SkippedMessage,
    rounded,
)

# Figures that are nothing but the mean of what is read from each frame.
MEANS = {each.key: each.frame for each in FIGURES if each.frame and not each.read}


class StabilityTally:
    """Adds up the steps of a drive."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._steps = 0
        self._seconds = 0.0
        self._judged = self._flipped = self._births = self._deaths = 0
        self._changed, self._either = np.zeros((2, 256), np.int64)

    def add(self, step: FrameStep) -> None:
        """Count one step."""
        self._steps += 1
        self._seconds += step.seconds
        self._judged += step.judged
        self._flipped += step.flipped
        self._births += step.births
        self._deaths += step.deaths
        for class_id, changed, either in step.classes:
            self._changed[int(class_id)] += int(changed)
            self._either[int(class_id)] += int(either)

    def summary(self) -> dict[str, Any] | None:
        """Plain JSON values; None where no frame followed another.

        `steps` and `seconds` that were compared; `flip_share`, of all pixels away from borders
        those whose class changed; `births_per_second` and `deaths_per_second` of instances;
        `flicker`, by class name: of the pixels that had the class in either frame the share that
        did not have it in both. Shares are 0 to 1, None where no pixel was compared.
        """
        if not self._steps:
            return None
        names = {entry.train_id: entry.name for entry in self._label_set.classes}
        names[VOID_CLASS] = 'unknown'
        return {
            'steps': self._steps,
            'seconds': self._seconds,
            'flip_share': self._flipped / self._judged if self._judged else None,
            'births_per_second': self._births / self._seconds,
            'deaths_per_second': self._deaths / self._seconds,
            'flicker': {
                name: float(self._changed[c] / self._either[c]) if self._either[c] else None
                for c, name in names.items()
            },
        }


class FiguresTally:
    """The figures of one camera, or of all of them, frame by frame.

    Args:
        label_set: the classes.
        keep_series: whether each frame is told of in `series`.
    """

    def __init__(self, label_set: LabelSet, *, keep_series: bool) -> None:
        self._label_set = label_set
        self._keep_series = keep_series
        self._series: list[SeriesPoint] = []
        self._skipped: list[SkippedMessage] = []
        self._truth_problems: list[SkippedMessage] = []
        self._frames = self._decoded = self._drops = self._truth_frames = 0
        self._quality = PanopticQuality(label_set)
        self._iou = MeanIou(label_set)
        self._stability = StabilityTally(label_set)
        self._unknown = 0.0
        self._times: list[float] = []
        self._confidence = np.zeros(CONFIDENCE_BINS, np.int64)
        self._score_sum = 0.0
        self._values: dict[str, list[float]] = {key: [] for key in MEANS}

    def add(self, line: FrameLine) -> None:
        """Count one frame, or one message that was skipped."""
        self._frames += 1
        if isinstance(line, SkippedFrame):
            self._skipped.append(SkippedMessage(line.stamp_ns, line.problem))
            self._drops += line.problem == NO_LABEL
            return
        self._decoded += 1
        self._unknown += line.unknown_share
        self._times.append(line.ms['total'])
        self._add_scores(line)
        for key, read in MEANS.items():
            value = read(line)
            if value is not None:
                self._values[key].append(value)
        if line.step is not None:
            self._stability.add(line.step)
        if line.truth_problem is not None:
            self._truth_problems.append(SkippedMessage(line.stamp_ns, line.truth_problem))
        if line.quality is not None:
            self._truth_frames += 1
            state = line.quality_state(self._label_set.num_classes)
            self._quality.merge(PanopticQuality.from_state(self._label_set, state))
            self._iou.add(line.confusion or ())
        if self._keep_series:
            self._series.append(_point(line))

    def _add_scores(self, record: FrameRecord) -> None:
        instances = 0
        for position, count in record.scores:
            self._confidence[int(position)] += int(count)
            instances += int(count)
        self._score_sum += (record.mean_score or 0.0) * instances

    def figures(self, *, truth_unmatched: int = 0) -> CameraFigures:
        """What everything adds up to.

        Args:
            truth_unmatched: ground truth whose stamp no image has.
        """
        has_truth = self._truth_frames > 0
        return CameraFigures(
            frames=self._frames,
            decoded=self._decoded,
            skipped=tuple(self._skipped),
            truth_frames=self._truth_frames,
            truth_problems=tuple(self._truth_problems),
            truth_unmatched=truth_unmatched,
            pq=self._quality.summary().to_dict() if has_truth else None,
            miou=self._iou.summary().to_dict() if has_truth else None,
            stability=self._stability.summary(),
            unknown_share=self._unknown / self._decoded if self._decoded else None,
            confidence=self._confidence_figures(),
            latency_ms=latency_figures(self._times),
            drops=self._drops,
            series=tuple(self._series),
            means={key: fmean(each) if each else None for key, each in self._values.items()},
        )

    def _confidence_figures(self) -> Json:
        instances = int(self._confidence.sum())
        return {
            'counts': self._confidence.tolist(),
            'mean': self._score_sum / instances if instances else None,
        }


def latency_figures(times_ms: list[float]) -> LatencyFigures:
    """Percentiles with linear interpolation between neighbours, and the mean."""
    if not times_ms:
        return LatencyFigures()
    p50, p95, p99 = (rounded(float(v)) for v in np.percentile(times_ms, (50, 95, 99)))
    return LatencyFigures(p50, p95, p99, rounded(float(np.mean(times_ms))))


def _point(record: FrameRecord) -> SeriesPoint:
    step = record.step
    flips = step.flipped / step.judged if step is not None and step.judged else None
    return SeriesPoint(
        stamp_ns=record.stamp_ns,
        pq=rounded(record.pq),
        unknown_share=round(record.unknown_share, 6),
        latency_ms=rounded(record.ms['total'], 3),
        flip_share=rounded(flips, 6),
        mean_score=rounded(record.mean_score),
    )


@dataclass(frozen=True)
class Totals:
    """Figures by camera and of all together."""

    cameras: dict[str, CameraFigures]
    total: CameraFigures


def add_up(folder: Path, label_set: LabelSet, *, truth_unmatched: Mapping[str, int]) -> Totals:
    """Add the frames in a run's output up.

    Args:
        folder: the output.
        label_set: the classes.
        truth_unmatched: by camera, ground truth whose stamp no image has; names all cameras.
    """
    tallies = {name: FiguresTally(label_set, keep_series=True) for name in truth_unmatched}
    together = FiguresTally(label_set, keep_series=False)
    for line in read_frames(folder / FRAMES_FILE):
        tallies[line.camera].add(line)
        together.add(line)
    return Totals(
        {n: t.figures(truth_unmatched=truth_unmatched[n]) for n, t in tallies.items()},
        together.figures(truth_unmatched=sum(truth_unmatched.values())),
    )
