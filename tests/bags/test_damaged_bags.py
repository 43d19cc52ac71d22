# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags cut and altered at random places: a report or an error that says why, nothing else."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.blue_drive import SIZE, blue_rows, truth_row
from tests.evaluation.replay_bags import storage_file, write_rows
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.evaluation.offline import OfflineOptions, evaluate_offline
from upsnet_ros.pipeline import PanopticPipeline

FRAMES = 8
PLACES = 50
MOST_BYTES = 1_500_000_000
KINDS = [
    ('mcap', 'none'),
    ('mcap', 'storage'),
    ('mcap', 'message'),
    ('sqlite3', 'none'),
    ('sqlite3', 'file'),
]


@pytest.fixture(scope='module')
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanopticPipeline]:
    path = write_tiny_model(tmp_path_factory.mktemp('model'))
    with PanopticPipeline.load(path, num_threads=1) as loaded:
        yield loaded


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """What is read from damaged bytes must not become the size of an allocation."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(
        resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, before[1])
    )
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def outcome(bag: Path, output: Path, pipeline: PanopticPipeline) -> str:
    """What became of a bag; anything but a report or an error of ours is raised."""
    asked = OfflineOptions(bag=bag, model=Path('model.onnx'), output=output, restart=True)
    try:
        report = evaluate_offline(asked, pipeline, lambda done, total: None)
    except UpsnetError as error:
        assert len(str(error)) > 20
        return 'error'
    is_whole = report.total.decoded == FRAMES and not report.bag.problems
    return 'whole' if is_whole else 'part'


def write_drive(path: Path, storage: str, compression: str) -> Path:
    truth = np.zeros(SIZE, np.uint16)
    rows = [*blue_rows(FRAMES), *(truth_row(index, truth) for index in range(FRAMES))]
    rows.sort(key=lambda row: row[2])
    return write_rows(path, rows, storage=storage, compression=compression)


@pytest.mark.usefixtures('bounded_memory')
@pytest.mark.parametrize(('storage', 'compression'), KINDS)
@pytest.mark.parametrize('damage', ['cut', 'flipped', 'overwritten'])
def test_a_damaged_bag_ends_in_a_report_or_a_reason(
    tmp_path: Path, pipeline: PanopticPipeline, storage: str, compression: str, damage: str
) -> None:
    bag = write_drive(tmp_path / 'bag', storage, compression)
    file = storage_file(bag)
    whole = file.read_bytes()
    random = np.random.default_rng(len(damage) + len(storage) + len(compression))
    outcomes = []
    for _ in range(PLACES):
        place = int(random.integers(1, len(whole)))
        content = bytearray(whole)
        if damage == 'cut':
            del content[place:]
        elif damage == 'flipped':
            content[place] ^= 1 << int(random.integers(8))
        else:
            content[place : place + 16] = random.bytes(min(16, len(whole) - place))
        file.write_bytes(content)
        outcomes.append(outcome(bag, tmp_path / 'out', pipeline))
    assert len(outcomes) == PLACES
    if damage == 'cut':
        assert 'error' in outcomes
