# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay keeps of each frame, one JSON object per line of `frames.jsonl`.

Everything a report says is added up from these lines, so a run that was interrupted goes on, and
two runs can be compared frame by frame. The first line is the header: what decides the figures.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from upsnet_ros.core.errors import EvaluationError, shorten
from upsnet_ros.core.json_lines import JsonLines, differences, read_json_lines

FRAMES_VERSION = 1
FRAMES_FILE = 'frames.jsonl'
REPORT_FILE = 'report.json'
PAGE_FILE = 'report.html'
CONFIDENCE_BINS = 20
# The problem of an image that was played into a node and not answered.
NO_LABEL = 'no label came (dropped by the node, or lost on the way)'

# Recording and logs of a live run.
LIVE_FOLDER = 'live'
# What a run writes, the frames last: as long as they are there, the rest is known as a run's own.
OUTPUTS = (
    'worst',
    LIVE_FOLDER,
    'labels',
    'panoptic',
    'panoptic.json',
    'panoptic.jsonl',
    'comparison.json',
    'compared',
    PAGE_FILE,
    REPORT_FILE,
    FRAMES_FILE,
)

Row = tuple[float, ...]


@dataclass(frozen=True)
class FrameStep:
    """What changed from the frame before it, of the same camera.

    Attributes:
        seconds: time between the stamps [s].
        judged: pixels that were compared: those away from borders in both frames.
        flipped: those of them whose class changed.
        births: instances that the frame before does not have.
        deaths: instances of the frame before that this one does not have.
        classes: for each class that occurs: (class id, pixels that changed to or from it, pixels
            that have it in either frame); unknown is class 255.
    """

    seconds: float
    judged: int
    flipped: int
    births: int
    deaths: int
    classes: tuple[Row, ...]


@dataclass(frozen=True)
class FrameRecord:
    """One frame that was labelled.

    Attributes:
        camera: name of the camera.
        index: number of its image in the part of the bag that was asked for, from 0.
        stamp_ns: header stamp [ns].
        ms: milliseconds of `preprocess`, `inference`, `panoptic_head`, and their `total`.
        unknown_share: part of the pixels labelled unknown, 0 to 1.
        scores: (bin, instances) of `CONFIDENCE_BINS` equal bins of confidence from 0 to 1, those
            that are empty left out.
        mean_score: mean confidence of the instances, 0 to 1; None without instances.
        pq: panoptic quality of this frame alone [%]; None without truth or with nothing in it.
        quality: rows (class id, summed IoU, true positives, false positives, false negatives) of
            the classes that occur; None without truth.
        confusion: rows (true class, predicted class, pixels), unknown predictions being class
            255; None without truth.
        step: what changed from the frame before; None for a first one and after a gap.
        truth_problem: why its ground truth could not be used; None where it was, or there is none.
    """

    camera: str
    index: int
    stamp_ns: int
    ms: dict[str, float]
    unknown_share: float
    scores: tuple[Row, ...] = ()
    mean_score: float | None = None
    pq: float | None = None
    quality: tuple[Row, ...] | None = None
    confusion: tuple[Row, ...] | None = None
    step: FrameStep | None = None
    truth_problem: str | None = None

    @property
    def has_truth(self) -> bool:
        """Whether it was compared with ground truth."""
        return self.quality is not None

    def quality_state(self, num_classes: int) -> np.ndarray:
        """The counts as `PanopticQuality.state` gives them: float64 [4, S], zeros without truth.

        Args:
            num_classes: classes of the label set, S.
        """
        state = np.zeros((4, num_classes))
        for class_id, *counts in self.quality or ():
            state[:, int(class_id)] = counts
        return state

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` undoes it."""
        values = dict(vars(self))
        values['step'] = None if self.step is None else dict(vars(self.step))
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FrameRecord:
        """The record of a line.

        Raises:
            KeyError, TypeError, ValueError: the values are not those of a record.
        """
        values = dict(values)
        for name in ('scores', 'quality', 'confusion'):
            values[name] = _rows(values[name])
        if values['step'] is not None:
            step = dict(values['step'])
            values['step'] = FrameStep(**{**step, 'classes': _rows(step['classes']) or ()})
        record = cls(**values)
        if not isinstance(record.camera, str) or not math.isfinite(record.unknown_share):
            raise ValueError(f'no record of a frame: {record}')
        return record


@dataclass(frozen=True)
class SkippedFrame:
    """An image message that could not be evaluated.

    Attributes:
        camera: name of the camera.
        index: number of its image, from 0.
        stamp_ns: header stamp [ns]; the time of recording where the message has no readable one.
        problem: what is wrong with it.
    """

    camera: str
    index: int
    stamp_ns: int
    problem: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dict(vars(self))


FrameLine = FrameRecord | SkippedFrame


def _rows(rows: list[list[float]] | None) -> tuple[Row, ...] | None:
    return None if rows is None else tuple(tuple(row) for row in rows)


def header_of(identity: dict[str, Any]) -> dict[str, Any]:
    """The first line of the file.

    Args:
        identity: what decides the figures: bag, model, options.
    """
    return {'frames_version': FRAMES_VERSION, 'identity': identity}


def read_header(path: Path) -> dict[str, Any]:
    """What decided the figures of a file, as `header_of` was given it.

    Raises:
        EvaluationError: the file is missing, or has no header of this version.
    """
    header = _first_line(path)
    if header.get('frames_version') != FRAMES_VERSION:
        raise EvaluationError(
            f'{path} does not begin with a header of version {FRAMES_VERSION}; it was written by '
            'another version of this package or by something else. Evaluate the bag again'
        )
    identity = header.get('identity')
    return identity if isinstance(identity, dict) else {}


def _first_line(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding='utf-8') as file:
            header = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f'{path} cannot be read as the frames of a replay ({error}); evaluate the bag again'
        ) from error
    return header if isinstance(header, dict) else {}


def read_frames(path: Path) -> Iterator[FrameLine]:
    """The frames of a file in the order they were written; damaged lines are left out.

    Only a line that an interrupt cut off is ever damaged; its frame is evaluated again when the
    run goes on.

    Raises:
        EvaluationError: the file is missing, or has no header of this version.
    """
    read_header(path)
    for values in islice(read_json_lines(path), 1, None):
        try:
            is_skipped = 'problem' in values
            yield SkippedFrame(**values) if is_skipped else FrameRecord.from_json(values)
        except (KeyError, TypeError, ValueError):
            continue


class FrameJournal:
    """The frames of a run as they are done, so that an interrupted run goes on where it stopped.

    Use it as a context manager.

    Args:
        folder: the run's output; made when missing.
        identity: what decides the figures, plain JSON values.
        restart: whether what an earlier run left is thrown away.

    Raises:
        EvaluationError: the folder holds the frames of another evaluation, or another report.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, restart: bool = False) -> None:
        self.path = folder / FRAMES_FILE
        self._done: dict[tuple[str, int], bool] = {}
        if restart and self.path.exists():
            _remove_outputs(folder)
        elif self.path.exists():
            self._go_on(identity)
        elif (folder / REPORT_FILE).exists() and not restart:
            raise EvaluationError(
                f'{folder} holds a {REPORT_FILE} of something else, which would be replaced; give '
                'another --output, or --restart to replace it'
            )
        self._lines = JsonLines(self.path, header_of(identity))

    def __enter__(self) -> FrameJournal:
        """Nothing to prepare."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._lines.close()

    def __len__(self) -> int:
        """Number of frames that are there."""
        return len(self._done)

    def outcome(self, camera: str, index: int) -> bool | None:
        """What became of a frame: True labelled, False skipped, None not done."""
        return self._done.get((camera, index))

    def add(self, line: FrameLine) -> None:
        """Keep a frame; it survives the end of the process."""
        self._lines.add(line.to_json())
        self._done[line.camera, line.index] = isinstance(line, FrameRecord)

    def _go_on(self, identity: dict[str, Any]) -> None:
        differing = [
            f'{name}: {shorten(there)} there, {shorten(now)} now'
            for name, (there, now) in differences(read_header(self.path), identity).items()
        ]
        if differing:
            raise EvaluationError(
                f'{self.path} holds an evaluation of something else ({"; ".join(differing)}); '
                'give another --output, or --restart to throw it away'
            )
        for line in read_frames(self.path):
            self._done[line.camera, line.index] = isinstance(line, FrameRecord)


def _remove_outputs(folder: Path) -> None:
    """Remove what a run, of whatever version, wrote to a folder, and nothing else."""
    try:
        is_of_a_run = 'frames_version' in _first_line(folder / FRAMES_FILE)
    except EvaluationError:
        is_of_a_run = False
    if not is_of_a_run:
        raise EvaluationError(
            f'{folder / FRAMES_FILE} was not written by an evaluation, so nothing in {folder} is '
            'removed; give another --output, or remove the file'
        )
    for name in OUTPUTS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
