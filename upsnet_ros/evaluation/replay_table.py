# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of an evaluated replay as arrays, and those that two replays share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from upsnet_ros.core.errors import EvaluationError, LabelError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_table import FrameTable
from upsnet_ros.evaluation.replay_frames import FRAMES_FILE, FrameRecord, read_frames


def read_table(folder: Path, label_set: LabelSet) -> FrameTable:
    """The labelled frames of a report's folder, by camera and stamp.

    Args:
        folder: where `frames.jsonl` lies.
        label_set: the classes of the report.

    Raises:
        EvaluationError: the file is missing, of another version, or does not fit the label set.
    """
    path = folder / FRAMES_FILE
    records = {
        (line.camera, line.stamp_ns): line
        for line in read_frames(path)
        if isinstance(line, FrameRecord)
    }
    names = tuple(sorted(records))
    ordered = [records[name] for name in names]
    shape = (len(names), 4, label_set.num_classes)
    try:
        quality = np.array([_quality(record, label_set) for record in ordered])
        overlap = np.array([_overlap(record, label_set) for record in ordered])
    except (IndexError, LabelError, ValueError) as error:
        raise EvaluationError(
            f"{path} does not fit the label set '{label_set.name}' with "
            f'{label_set.num_classes} classes ({error}); evaluate the bag again'
        ) from error
    return FrameTable(
        names=names,
        quality=quality.reshape(shape),
        overlap=overlap.reshape(shape[0], 2, shape[2]),
        pq=_column([record.pq for record in ordered]),
        unknown_share=_column([record.unknown_share for record in ordered]),
        latency_ms=_column([record.ms.get('total') for record in ordered]),
    )


def _quality(record: FrameRecord, label_set: LabelSet) -> np.ndarray:
    """The counts of a frame: float64 [4, S]."""
    state = record.quality_state(label_set.num_classes)
    return PanopticQuality.from_state(label_set, state).state()


def _overlap(record: FrameRecord, label_set: LabelSet) -> np.ndarray:
    """Pixels of each class in both label and truth, and in either: float64 [2, S]."""
    pixels = np.zeros((256, 256))
    for true, given, count in record.confusion or ():
        pixels[int(true), int(given)] += count
    both = pixels.diagonal()
    either = pixels.sum(axis=0) + pixels.sum(axis=1) - both
    return np.stack([both, either])[:, : label_set.num_classes]


def _column(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def shared_frames(this: FrameTable, against: FrameTable) -> tuple[FrameTable, FrameTable]:
    """The frames that both have, in the order of camera and stamp."""
    rows = [{name: row for row, name in enumerate(table.names)} for table in (this, against)]
    names = sorted(rows[0].keys() & rows[1].keys())
    return tuple(
        table.select(np.array([row[name] for name in names], dtype=np.intp))
        for table, row in zip((this, against), rows, strict=True)
    )


def true_segments(table: FrameTable) -> np.ndarray:
    """True segments of each class in each frame, whatever was predicted: float64 [F, S]."""
    return table.quality[:, 1] + table.quality[:, 3]
