# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole demo over real DDS: the real node, its network replaced by a look at colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.bags.small_drive import stamp_of, truth_of, write_drive
from tests.live.rig import offline_pq
from upsnet_ros.evaluation.demo import main
from upsnet_ros.evaluation.replay_report import read_report

pytestmark = pytest.mark.usefixtures('colour_node')


def run(bag: Path, output: Path, model: Path, *more: str) -> int:
    return main(['--bag', str(bag), '--output', str(output), '--model', str(model), *more])


def test_the_demo_labels_films_and_reports_and_the_next_one_replaces_it(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    drive = write_drive(output / 'drive', frames=8)
    (output / '.upsnet_demo').touch()
    for old in ('labels/000099.png', 'overlays/camera/1.jpg', 'replay/logs/node.log'):
        (output / old).parent.mkdir(parents=True, exist_ok=True)
        (output / old).write_text('of an earlier demo')
    # Half the pace: a busy machine keeps up with it, and a frame is lost only by a fault.
    assert run(drive, output, model_path, '--camera-hz', '5') == 0

    report = read_report(output)
    total, answered = report.total, report.cameras['camera'].series
    assert total.frames == 8 and total.decoded + total.drops == 8 and total.decoded >= 6
    assert report.kind == 'live' and report.speed['rate'] == pytest.approx(0.5)
    assert report.speed['camera_hz'] == 5.0 and report.speed['measured_hz'] is None
    indices = [(point.stamp_ns - stamp_of(0)) // 100_000_000 for point in answered]
    assert total.pq['all']['pq'] == offline_pq(drive, frames=indices)
    for index in indices:
        labels = output / 'labels' / 'camera' / f'{stamp_of(index)}.png'
        assert np.mean(cv2.imread(str(labels), cv2.IMREAD_UNCHANGED) == truth_of(index)) > 0.94
        assert (output / 'overlays' / 'camera' / f'{stamp_of(index)}.jpg').is_file()
    for name in ('report.html', 'contact_sheet.png', 'drive.webm'):
        assert (output / name).stat().st_size > 1000
    # Half the pace, but the film is as the drive was.
    film = cv2.VideoCapture(str(output / 'drive.webm'))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    assert drive.is_dir() and not (output / 'replay').exists()
    assert {path.name for path in (output / 'labels').iterdir()} == {'camera'}
    assert not (output / 'overlays' / 'camera' / '1.jpg').exists()
    told = capsys.readouterr().out
    assert f'{total.decoded} of 8 · ' in told and 'Panoptic quality' in told
    assert str(output / 'report.html') in told and str(output / 'drive.webm') in told


def test_files_that_no_demo_wrote_are_kept(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    (output / 'labels').mkdir(parents=True)
    (output / 'labels' / 'mine.png').write_text('mine')
    (output / 'report.json').write_text('{"title": "mine"}')
    drive = write_drive(tmp_path / 'drive', frames=1)
    assert run(drive, output, model_path) == 1
    assert 'Give another --output' in capsys.readouterr().err
    assert (output / 'labels' / 'mine.png').read_text() == 'mine'
    assert (output / 'report.json').is_file()


@pytest.mark.parametrize(
    ('bag', 'options', 'told'),
    [
        ('nowhere', (), 'nowhere'),
        ('drive', ('--camera', 'rear'), "no images of camera 'rear'"),
        ('drive', ('--camera-hz', '0'), 'the rate of the camera must lie in'),
        ('drive', (), 'model.onnx'),  # it holds no network that could be measured
        ('drive', ('--model', 'other.onnx'), 'other.onnx'),
    ],
)
def test_what_cannot_be_played_costs_no_earlier_report(
    tmp_path: Path,
    model_path: Path,
    capsys: pytest.CaptureFixture[str],
    bag: str,
    options: tuple[str, ...],
    told: str,
) -> None:
    output = tmp_path / 'out'
    output.mkdir()
    write_drive(tmp_path / 'drive', frames=1)
    (output / '.upsnet_demo').touch()
    (output / 'report.html').write_text('of the last run')
    assert run(tmp_path / bag, output, model_path, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith('The demo failed: ') and told in error
    assert (output / 'report.html').read_text() == 'of the last run'
