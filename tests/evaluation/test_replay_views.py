# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.bags.blue_drive import SIZE, blue_rows, truth_row
from tests.bags.small_drive import stamp_of, write_rows
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.window import Window
from upsnet_ros.evaluation.compare import main as compare
from upsnet_ros.evaluation.label_files import label_path
from upsnet_ros.evaluation.replay import main as replay
from upsnet_ros.evaluation.replay_report import read_report

REGION = Window(8, 16, 56, 80)  # 16,8,64,48


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


def evaluate(bag: Path, model: Path, name: str, *arguments: str) -> int:
    words = [str(bag), '--model', str(model), '--output', str(bag.parent / name)]
    return replay([*words, '--threads', '1', *arguments])


def test_what_is_not_looked_at_is_unknown_and_a_view_is_part_of_what_was_evaluated(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_rows(tmp_path / 'bag', blue_rows(3))
    view = ['--regions-of-interest', '16,8,64,48', '--rotations', 'camera=180']
    assert evaluate(bag, model, 'out', *view, '--write-png') == 0
    labels = cv2.imread(
        str(label_path(tmp_path / 'out', 'camera', stamp_of(1))), cv2.IMREAD_UNCHANGED
    )
    seen = np.zeros(SIZE, bool)
    seen[REGION.slices] = True
    assert labels.shape == SIZE and (labels[~seen] == UNKNOWN_LABEL).all()
    assert (labels[seen] != UNKNOWN_LABEL).mean() > 0.7
    report = read_report(tmp_path / 'out')
    assert 1 > report.total.unknown_share >= 1 - 64 * 48 / (64 * 96)
    assert report.options['regions_of_interest'] == ['16,8,64,48']
    assert evaluate(bag, model, 'out', *view, '--write-png') == 0
    assert evaluate(bag, model, 'out', *view[:2], '--write-png') == 1
    assert 'views.camera.rotation: 180 there, 0 now' in capsys.readouterr().err


def test_a_region_beyond_the_images_is_told_with_its_parameter(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_rows(tmp_path / 'bag', blue_rows(2))
    assert evaluate(bag, model, 'out', '--regions-of-interest', '0,0,97,64') == 1
    error = capsys.readouterr().err
    assert 'none of 2 images' in error and '96x64' in error and '0,0,97,64' in error


def test_frames_are_shown_again_as_they_were_looked_at(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.zeros(SIZE, np.uint16)
    bag = write_rows(tmp_path / 'bag', [*blue_rows(3), *(truth_row(i, truth) for i in range(3))])
    assert evaluate(bag, model, 'whole') == 0
    assert evaluate(bag, model, 'part', '--regions-of-interest', '0,0,96,40') == 0
    words = [str(tmp_path / 'part'), '--against', str(tmp_path / 'whole')]
    assert compare([*words, '--output', str(tmp_path / 'both'), '--resamples', '10']) == 0
    assert 'Note' not in capsys.readouterr().out
    kinds = {path.stem.split('_')[-1] for path in (tmp_path / 'both' / 'compared').iterdir()}
    assert kinds == {'image', 'this', 'against', 'truth'}
