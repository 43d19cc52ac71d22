# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model in name only, and an evaluated drive without any node."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.small_drive import (
    image_of,
    label_row,
    labels_by_colour,
    stamp_of,
    write_bag,
    write_drive,
)
from tests.fakes.fake_backend import make_manifest
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.evaluation.drive_evaluation import (
    DriveEvaluation,
    OutputFolder,
    evaluate_drive,
)
from upsnet_ros.evaluation.frames import (
    JoinedFrames,
    ReceivedLabel,
    SentFrame,
    join_by_stamp,
)

LABEL_TOPIC = '/camera/panoptic/image'
SENT_LATER_NS = 5_000_000_000
LATENCY_NS = 40_000_000

Evaluated = tuple[JoinedFrames, DriveEvaluation, OutputFolder]


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """A file with a manifest that fits it; there is no network in it."""
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'no network')
    digest = hashlib.sha256(b'no network').hexdigest()
    make_manifest(sha256=digest).write(path.with_suffix('.json'))
    return path


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., Evaluated]:
    """Evaluates a small drive answered by colour, as if it had been sent five seconds later."""

    def run(
        *, frames: int = 5, dropped: tuple[int, ...] = (), truth_every: int | None = 1
    ) -> Evaluated:
        drive = write_drive(tmp_path / 'drive', frames=frames, truth_every=truth_every)
        sent = [SentFrame(i, stamp_of(i), stamp_of(i) + SENT_LATER_NS) for i in range(frames)]
        answered = [f for f in sent if f.index not in dropped]
        recording = write_bag(
            tmp_path / 'recording',
            [
                label_row(
                    LABEL_TOPIC,
                    labels_by_colour(image_of(f.index)),
                    stamp_ns=f.stamp_ns,
                    recorded_ns=f.stamp_ns + LATENCY_NS,
                )
                for f in answered
            ],
        )
        joined = join_by_stamp(
            sent, [ReceivedLabel(f.stamp_ns, f.stamp_ns + LATENCY_NS) for f in answered]
        )
        folder = OutputFolder(tmp_path / 'out')
        evaluation = evaluate_drive(
            joined,
            bag=drive,
            recording=recording,
            camera='camera',
            label_topic=LABEL_TOPIC,
            label_set=cityscapes_label_set(),
            folder=folder,
            rate_hz=10.0,
            progress=lambda done: None,
        )
        return joined, evaluation, folder

    return run
