# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of evaluated replays with all that a page can show: pictures, cameras, lost frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tests.evaluation.frame_tables import random_labels
from tests.evaluation.replay_reports import record_of, write_replay
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set
from upsnet_ros.evaluation.frame_record import FrameRecord
from upsnet_ros.evaluation.replay_report import ReplayReport, WorstFrame, read_report, write_report

KINDS = ('image', 'labels', 'truth', 'difference')


def street_records(
    seed: int, *, frames: int, cameras: tuple[str, ...] = ('front',), with_truth: bool = True
) -> list[FrameRecord]:
    """Frames with classes of Cityscapes, seen by several cameras at the same stamps."""
    random = np.random.default_rng(seed)
    mapped = np.full(65536, 65535, np.uint16)
    for small, street in ((0, 0), (1, 10), (2, 13)):
        for instance in range(3):
            mapped[small << 8 | instance] = street << 8 | instance
    records = []
    for camera in cameras:
        for index in range(frames):
            truth = mapped[random_labels(np.random.default_rng(1000 + index))]
            records.append(
                record_of(
                    index,
                    mapped[random_labels(random)],
                    truth if with_truth else None,
                    ms=float(random.gamma(20, 4)),
                    camera=camera,
                    label_set=cityscapes_label_set(),
                )
            )
    return records


def write_pictures(folder: Path, record: FrameRecord) -> WorstFrame:
    """Four pictures of a frame as an evaluation writes them."""
    (folder / 'worst').mkdir(parents=True, exist_ok=True)
    pictures = {}
    for number, kind in enumerate(KINDS):
        pictures[kind] = f'worst/{record.camera.replace("/", "_")}_{record.stamp_ns}_{kind}.jpg'
        picture = np.full((120, 240, 3), 40 + 50 * number, np.uint8)
        cv2.circle(picture, (60 * number + 20, 60), 30, (30, 200, 90), cv2.FILLED)
        assert cv2.imwrite(str(folder / pictures[kind]), picture)
    return WorstFrame(record.camera, record.stamp_ns, record.pq, record.unknown_share, pictures)


def write_street(
    folder: Path,
    *,
    seed: int = 1,
    frames: int = 30,
    cameras: tuple[str, ...] = ('front',),
    with_truth: bool = True,
    label_set: LabelSet | None = None,
    **others: object,
) -> Path:
    """A whole folder: report, frames and pictures of two frames."""
    records = street_records(seed, frames=frames, cameras=cameras, with_truth=with_truth)
    worst = tuple(write_pictures(folder, record) for record in records[1:3])
    labels = label_set or cityscapes_label_set()
    return write_replay(folder, records, worst=worst, label_set=labels, **others)


def changed(folder: Path, **fields: object) -> ReplayReport:
    """Rewrite the report of a folder with other values of its fields."""
    report = replace(read_report(folder), **fields)
    write_report(report, folder)
    return report
