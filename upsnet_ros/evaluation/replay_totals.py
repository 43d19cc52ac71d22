# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a run, added up from the lines that it kept of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.replay_frames import FRAMES_FILE, FrameRecord, read_frames
from upsnet_ros.evaluation.replay_report import CameraFigures
from upsnet_ros.evaluation.replay_tally import FiguresTally


@dataclass(frozen=True)
class Totals:
    """Figures by camera and of all together; the first problem of a frame, or an empty text."""

    cameras: dict[str, CameraFigures]
    total: CameraFigures
    first_problem: str


def add_up(folder: Path, label_set: LabelSet, *, truth_unmatched: Mapping[str, int]) -> Totals:
    """Add the frames in a run's output up.

    Args:
        folder: the output.
        label_set: the classes.
        truth_unmatched: by camera, ground truth whose stamp no image has; names all cameras.
    """
    tallies = {name: FiguresTally(label_set, keep_series=True) for name in truth_unmatched}
    together = FiguresTally(label_set, keep_series=False)
    first_problem = ''
    for line in read_frames(folder / FRAMES_FILE):
        tallies[line.camera].add(line)
        together.add(line)
        if not isinstance(line, FrameRecord):
            first_problem = first_problem or line.problem
    return Totals(
        {n: t.figures(truth_unmatched=truth_unmatched[n]) for n, t in tallies.items()},
        together.figures(truth_unmatched=sum(truth_unmatched.values())),
        first_problem,
    )
