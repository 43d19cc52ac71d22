# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation from the first frame to the report."""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.frames import Frame, FrameReader
from training.distributed import Processes
from training.evaluation.frame_loop import Answer, BadFrame
from training.evaluation.journal import Journal, forget_records
from training.evaluation.metrics import (
    environment,
    frame_figures,
    precision_metrics,
    quality_metrics,
    split_records,
)
from training.evaluation.sections import (
    evaluation_report,
    has_figures,
    terminal_table,
    warnings,
)
from training.evaluation.shares import Records, evaluate_share, join_shares
from training.evaluation.submissions import Submissions
from training.evaluation.worst_frames import WorstFrame, write_worst_frames
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.report.page import write_page
from upsnet_ros.report.text import markdown_text

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """How an evaluation runs, other than what decides its figures.

    Attributes:
        output: Folder of the results.
        skip_bad: Whether to go on after a frame that cannot be evaluated.
        workers: Threads that read, and threads that judge and write, beside the network.
        write_predictions: Whether to write files for the official tools.
        worst: Number of the worst frames to draw.
        restart: Whether records of an earlier run are thrown away.
        annotations: COCO's own objects, the truth of average precision; None: those of the
            panoptic truth.
    """

    output: Path
    skip_bad: bool = False
    workers: int = 1
    write_predictions: bool = True
    worst: int = 6
    restart: bool = False
    annotations: Path | None = None


class EvaluationRun:
    """Labels frames, keeps a record of each, and tells what the labels are worth.

    Args:
        answer: Labels a frame.
        frames: All frames, of all processes.
        reader: Of their data set.
        processes: This process among those that share the frames.
        settings: ``model``, ``data`` and ``options`` as plain JSON values: what decides the
            figures.
        detection_kind: What the answers' detections are; None where there are none.
        options: How it runs.
        left_out: Frames whose annotations are wrong already in the list of frames.
        remarks: Where the classes and those of the data disagree, one line each.
    """

    def __init__(
        self,
        answer: Answer,
        frames: Sequence[Frame],
        reader: FrameReader,
        processes: Processes,
        *,
        settings: dict[str, Any],
        detection_kind: str | None,
        options: RunOptions,
        left_out: Sequence[BadFrame] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        self._answer = answer
        self._frames = frames
        self._reader = reader
        self._processes = processes
        self._settings = settings
        self._detection_kind = detection_kind
        self._options = options
        self._left_out = list(left_out)
        self._remarks = list(remarks)
        self._has_truth = any(frame.instances is not None for frame in frames)
        self._submissions = None
        if options.write_predictions:
            self._submissions = Submissions(
                options.output / 'predictions',
                reader.label_set,
                layout=settings['data']['format'],
                names=[frame.name for frame in frames],
            )
        self._found: Records = []

    @property
    def label_set(self) -> LabelSet:
        """The classes."""
        return self._reader.label_set

    def measure(self) -> None:
        """Evaluate the frames of this process, and bring the records of all together.

        Raises:
            JournalError: If the output folder holds an evaluation of something else.
            UpsnetError: If a frame cannot be evaluated and bad frames are not skipped.
        """
        processes, options = self._processes, self._options
        folder = options.output / 'journal'
        if options.restart:
            forget_records(folder)
            processes.wait()
        decisive = {
            **self._settings,
            'detections': self._detection_kind,
            'predictions': options.write_predictions,
        }
        journal = Journal(
            folder, decisive, num_classes=self.label_set.num_classes, rank=processes.rank
        )
        with journal:
            own = evaluate_share(
                self._answer,
                self._frames[processes.rank :: processes.world],
                self._reader,
                label_set=self.label_set,
                journal=journal,
                keep=self._submissions.keep if self._submissions else None,
                skip_bad=options.skip_bad,
                workers=options.workers,
                progress=processes.is_first,
            )
        self._found = join_shares(
            own, self._frames, processes, num_classes=self.label_set.num_classes
        )

    def report(self, *, command: str) -> str:
        """Write every result; to be called by one process, after :meth:`measure`.

        Args:
            command: The command line, for the report.

        Returns:
            The figures as text, with where the files are.

        Raises:
            NothingEvaluatedError: If no frame could be evaluated.
        """
        records, bad = split_records([*self._left_out, *self._found])
        good = {entry.name for entry in records}
        frames = [frame for frame in self._frames if frame.name in good]
        folder = self._options.output
        metrics = {
            **quality_metrics(records, bad, self.label_set),
            'command': command,
            **self._settings,
            'has_truth': self._has_truth,
            'label_set_remarks': self._remarks,
            'ap': precision_metrics(
                records,
                self.label_set,
                detection_kind=self._detection_kind,
                annotations=self._options.annotations,
            ),
            'cityscapes_ap': None,
            'environment': environment(self._processes.device),
        }
        if self._submissions:
            self._submissions.finish(frames, records)
            if self._has_truth:
                metrics['cityscapes_ap'] = self._submissions.cityscapes_metrics(frames, records)
        figures = frame_figures(records, self.label_set)
        worst = self._worst(figures)
        _write_json(folder / 'metrics.json', metrics)
        _write_json(folder / 'frames.json', figures)
        write_worst_frames(folder / 'worst', worst, self.label_set)
        report = evaluation_report(metrics, figures, worst, self.label_set)
        (folder / 'report.md').write_text(markdown_text(report), encoding='utf-8')
        write_page(report, folder / 'report.html')
        for line in warnings(metrics):
            LOGGER.warning('%s', line)
        if not self._has_truth:
            predictions = folder / 'predictions'
            return f'no truth, so there are no figures; {len(frames)} predictions in {predictions}'
        if not has_figures(metrics):
            return f'no figures; written to {folder}'
        return f'{terminal_table(metrics)}\nwritten to {folder}: open report.html'

    def _worst(self, figures: list[dict[str, Any]]) -> list[WorstFrame]:
        """The frames with the lowest panoptic quality, labelled once more for their pictures."""
        count = self._options.worst if self._has_truth else 0
        chosen = sorted(figures, key=lambda entry: entry['pq'])[:count]
        by_name = {frame.name: frame for frame in self._frames}
        worst = []
        for entry in chosen:
            frame = by_name[entry['name']]
            image = self._reader.read_image(frame)
            truth = self._reader.read_label_image(frame)
            labels = self._answer(frame, image, truth).panoptic.label_image
            worst.append(
                WorstFrame(
                    name=frame.name,
                    pq=entry['pq'],
                    unknown_share=entry['unknown_share'],
                    image=image,
                    label_image=labels,
                    truth=truth,
                )
            )
        return worst


def _write_json(path: Path, values: Any) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    part.write_text(json.dumps(values, indent=2) + '\n')
    part.replace(path)
