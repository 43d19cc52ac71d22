# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay keeps of each frame, one JSON object per line of `frames.jsonl`.

Everything a report says is added up from these lines, so a run that was interrupted goes on, and
two runs can be compared frame by frame. The first line is the header: what decides the figures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from upsnet_ros.core.errors import EvaluationError

FRAMES_VERSION = 1
FRAMES_FILE = 'frames.jsonl'

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
        scores: (bin, instances) of the confidence histogram, bins that are empty left out.
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


def line_of(values: FrameLine | dict[str, Any]) -> str:
    """One line of the file, with its end."""
    plain = values if isinstance(values, dict) else values.to_json()
    return json.dumps(plain, separators=(',', ':'), allow_nan=False) + '\n'


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
    try:
        with path.open(encoding='utf-8') as file:
            header = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f'{path} cannot be read as the frames of a replay ({error}); evaluate the bag again'
        ) from error
    if not isinstance(header, dict) or header.get('frames_version') != FRAMES_VERSION:
        raise EvaluationError(
            f'{path} does not begin with a header of version {FRAMES_VERSION}; it was written by '
            'another version of this package or by something else. Evaluate the bag again'
        )
    identity = header.get('identity')
    return identity if isinstance(identity, dict) else {}


def read_frames(path: Path) -> Iterator[FrameLine]:
    """The frames of a file in the order they were written; damaged lines are left out.

    Only a line that an interrupt cut off is ever damaged; its frame is evaluated again when the
    run goes on.

    Raises:
        EvaluationError: the file is missing, or has no header of this version.
    """
    read_header(path)
    with path.open(encoding='utf-8', errors='replace') as file:
        next(file)
        for line in file:
            try:
                values = json.loads(line)
                kind = SkippedFrame if 'problem' in values else None
                yield SkippedFrame(**values) if kind else FrameRecord.from_json(values)
            except (KeyError, TypeError, ValueError):
                continue
