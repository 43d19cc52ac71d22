# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A drive played by `ros2 bag play`, for which a program of that name stands in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.bags.blue_drive import video_row
from tests.bags.small_drive import (
    FOXGLOVE_TYPE,
    header,
    image_row,
    stamp_of,
    write_drive,
    write_rows,
)
from tests.live.rig import evaluate
from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.frame_record import FrameRecord, read_frames
from upsnet_ros.evaluation.live.commands import choose_player, rosbag2_command
from upsnet_ros.evaluation.replay_report import read_report

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name('ros2_stand_in.py')


@pytest.fixture
def rosbag2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour_node: None) -> dict[str, str]:
    """An environment in which `ros2 bag` looks installed; returns it."""
    programs = tmp_path / 'bin'
    programs.mkdir()
    script = f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n'
    (programs / 'ros2').write_text(script)
    (programs / 'ros2').chmod(0o755)
    marker = tmp_path / 'prefix' / 'share/ament_index/resource_index/packages/ros2bag'
    marker.parent.mkdir(parents=True)
    marker.touch()
    for name, first in (
        ('PATH', programs),
        ('AMENT_PREFIX_PATH', tmp_path / 'prefix'),
        ('PYTHONPATH', ROOT),
    ):
        monkeypatch.setenv(name, os.pathsep.join([str(first), os.environ.get(name, '')]))
    return dict(os.environ)


def test_auto_takes_rosbag2_where_it_is_installed(rosbag2: dict[str, str]) -> None:
    assert choose_player('auto', rosbag2) == choose_player('rosbag2', rosbag2) == 'rosbag2'
    assert choose_player('own', rosbag2) == 'own'
    for lacking in ('PATH', 'AMENT_PREFIX_PATH'):
        without = rosbag2 | {lacking: ''}
        assert choose_player('auto', without) == 'own'
        with pytest.raises(ReplayError, match='no `ros2 bag` in this environment'):
            choose_player('rosbag2', without)


def test_a_part_of_the_time_is_told_in_options_of_rosbag2() -> None:
    part = BagPart(2.0, 3.0)
    command = rosbag2_command(Path('drive'), ['/front/image_raw'], rate=1.0, part=part)
    assert command[:4] == ['ros2', 'bag', 'play', 'drive']
    assert command[command.index('--start-offset') + 1] == '2.0'
    assert command[command.index('--playback-duration') + 1] == '3.0'
    assert command[-2:] == ['--topics', '/front/image_raw']


def test_stamps_are_kept_and_ages_run_from_the_arrival_of_the_image(
    tmp_path: Path, model_path: Path, rosbag2: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLOUR_NODE_DELAY_S', '0.05')
    bag = write_drive(tmp_path / 'drive', frames=8, truth_every=2)
    output = tmp_path / 'out'
    assert evaluate(bag, model_path, '--process-all', '--rate', '0.5', '--start', '0.2') == 0
    report = read_report(output)
    assert report.total.decoded == report.total.frames == 6 and report.total.truth_frames == 3
    assert report.speed['player'] == 'rosbag2' and report.speed['player_late_ms'] is None
    assert report.options['part'] == vars(BagPart(0.2))
    for line, index in zip(read_frames(output / 'frames.jsonl'), range(2, 8), strict=True):
        assert isinstance(line, FrameRecord) and line.stamp_ns == stamp_of(index)
        # The bag is years old: an age by its stamps would be as large.
        assert 50 <= line.ms['total'] < 5000 and 'receive' not in line.ms


def test_images_without_stamps_are_refused_as_their_labels_could_not_be_told_apart(
    tmp_path: Path,
    model_path: Path,
    rosbag2: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [image_row(index) for index in range(2)]
    for *_, message in rows:
        message.header = header(0)
    assert evaluate(write_rows(tmp_path / 'drive', rows), model_path) == 1
    assert 'take the player that gives them stamps: --player own' in capsys.readouterr().err


def test_video_that_rosbag2_would_send_as_it_is_is_refused(
    tmp_path: Path,
    model_path: Path,
    rosbag2: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    bag = write_rows(tmp_path / 'drive', [video_row(0, b'packet', FOXGLOVE_TYPE)])
    assert evaluate(bag, model_path) == 1
    assert 'take the player that sends them in compressed images' in capsys.readouterr().err


def test_a_player_that_fails_is_told_with_its_last_words(
    tmp_path: Path,
    model_path: Path,
    rosbag2: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / 'bin' / 'ros2').write_text('#!/bin/sh\necho "no storage plugin" >&2\nexit 4\n')
    bag = write_drive(tmp_path / 'drive', frames=2)
    assert evaluate(bag, model_path) == 1
    error = capsys.readouterr().err
    assert 'ros2 bag play ended with status 4' in error and 'no storage plugin' in error
