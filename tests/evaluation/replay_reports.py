# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of evaluated replays made of label images, without any bag or model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.evaluation.frame_tables import SMALL_SET, random_labels
from upsnet_ros.bags.reader import BagFacts
from upsnet_ros.core.json_lines import json_line
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.mean_iou import confusion_rows
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, FrameRecord, FrameStep, header_of
from upsnet_ros.evaluation.replay_report import (
    ModelFacts,
    ReplayReport,
    WorstFrame,
    describe_machine,
    write_report,
)
from upsnet_ros.evaluation.totals import FiguresTally

BAG = BagFacts(path='drives/street', storage='mcap', duration_s=3.0, messages=60)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000


def record_of(
    index: int,
    labels: np.ndarray,
    truth: np.ndarray | None,
    *,
    ms: float = 40.0,
    camera: str = 'front',
    label_set: LabelSet = SMALL_SET,
) -> FrameRecord:
    """What an evaluation keeps of a frame."""
    quality = PanopticQuality(label_set)
    if truth is not None:
        quality.update(labels, truth)
    state = quality.state()
    return FrameRecord(
        camera=camera,
        index=index,
        stamp_ns=START_NS + index * STEP_NS,
        ms={'preprocess': 1.0, 'inference': ms - 3.0, 'panoptic_head': 2.0, 'total': ms},
        unknown_share=float(np.mean(labels == 65535)),
        scores=((15, 2),),
        mean_score=0.78,
        pq=None if truth is None else quality.summary().all.pq,
        quality=None
        if truth is None
        else tuple((c, *state[:, c].tolist()) for c in np.flatnonzero(state.any(axis=0)).tolist()),
        confusion=None if truth is None else confusion_rows(labels, truth),
        step=FrameStep(0.1, labels.size, 3, 1, 1, ((0, 3, 50),)) if index else None,
    )


def write_replay(
    folder: Path,
    records: Sequence[FrameRecord],
    *,
    label_set: LabelSet = SMALL_SET,
    model: str = 'small',
    bag: BagFacts = BAG,
    start_ns: int = START_NS,
    kind: str = 'offline',
    worst: tuple[WorstFrame, ...] = (),
    command: str = 'python -m upsnet_ros.evaluation.replay drives/street --output out',
) -> Path:
    """Write `report.json` and `frames.jsonl` as an evaluation does."""
    folder.mkdir(parents=True, exist_ok=True)
    header = header_of({'bag': {'name': 'street', 'start_ns': start_ns}, 'model': {}})
    lines = [json_line(header), *(json_line(record.to_json()) for record in records)]
    (folder / FRAMES_FILE).write_text(''.join(lines))
    cameras = {record.camera: FiguresTally(label_set, keep_series=True) for record in records}
    total = FiguresTally(label_set, keep_series=False)
    for record in records:
        cameras[record.camera].add(record)
        total.add(record)
    report = ReplayReport(
        kind=kind,
        command=command,
        bag=bag,
        model=ModelFacts('models/small.onnx', 'ab' * 32, model, 'onnxruntime', 'CPU', 'fp32'),
        label_set=label_set,
        cameras={name: tally.figures() for name, tally in cameras.items()},
        total=total.figures(),
        speed={'wall_s': 3.1, 'network_s': 2.9, 'network_share': 0.935, 'frames_per_second': 9.7},
        environment=dict(describe_machine()),
        options={'cameras': [], 'write_png': False},
        worst=worst,
    )
    write_report(report, folder)
    return folder


def random_records(seed: int, *, frames: int, truth_every: int = 1) -> list[FrameRecord]:
    """Frames of random labels; their truth does not depend on the seed."""
    random = np.random.default_rng(seed)
    return [
        record_of(
            index,
            random_labels(random),
            random_labels(np.random.default_rng(1000 + index))
            if index % truth_every == 0
            else None,
            ms=float(random.uniform(20, 90)),
        )
        for index in range(frames)
    ]
