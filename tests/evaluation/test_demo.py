# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole demo over real DDS: the real node, its network replaced by a look at colours."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from tests.evaluation.small_drive import (
    image_row,
    label_row,
    labels_by_colour,
    stamp_of,
    truth_of,
    write_bag,
    write_drive,
)
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.evaluation.demo import main, remove_old_outputs
from upsnet_ros.evaluation.live import session

FRAMES = 12
COLOUR_NODE = Path(__file__).with_name('colour_node.py')


@pytest.fixture(autouse=True)
def colour_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo starts the node that labels by colour."""
    real = session.node_command

    def command(*of: object) -> list[str]:
        arguments = real(*of)
        return [sys.executable, str(COLOUR_NODE), *arguments[3:]]

    monkeypatch.setattr(session, 'node_command', command)


def run(bag: Path, output: Path, model: Path, *more: str) -> int:
    return main(['--bag', str(bag), '--output', str(output), '--model', str(model), *more])


def test_a_drive_is_played_labelled_and_reported(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    drive = write_drive(output / 'drive', frames=FRAMES)
    # A quarter of the pace: a busy machine keeps up with it, and a frame is lost only by a fault.
    assert run(drive, output, model_path, '--rate-scale', '0.25') == 0

    report = json.loads((output / 'report.json').read_text())
    assert report['frames_sent'] == FRAMES
    assert report['frames_labelled'] + report['frames_dropped'] == FRAMES
    assert report['frames_labelled'] >= FRAMES - 2
    assert report['camera_rate_hz'] == pytest.approx(2.5, rel=0.2)
    # Milliseconds when idle; seconds would mean that frames queue up or that clocks differ.
    assert 0 < report['latency_ms']['p50'] < 3000
    assert report['pq']['all'] > 95
    assert report['node_peak_memory_mb'] > 30
    assert report['environment']['model'] == 'fake'
    assert report['environment']['image_size'] == [192, 96]
    assert report['replay']['node_exit_status'] == 0
    assert report['node_stages_ms']['inference']['p50'] == 2.0

    for frame in report['frames']:
        if frame['latency_ms'] is not None:
            label = cv2.imread(
                str(output / 'labels' / f'{frame["index"]:06d}.png'), cv2.IMREAD_UNCHANGED
            )
            assert np.mean(label == truth_of(frame['index'])) > 0.94

    for name in ('report.html', 'contact_sheet.png', 'drive.webm'):
        assert (output / name).stat().st_size > 1000
    assert drive.is_dir()
    text = capsys.readouterr().out
    assert f'{report["frames_labelled"]} of {FRAMES}' in text
    assert str(output / 'report.html') in text

    with BagReader(output / 'replay' / 'results') as recording:
        assert '/camera/panoptic/instances' in recording.topics
        assert recording.count('/camera/panoptic/image') == report['frames_labelled']
        info, *_ = recording.messages(['/camera/panoptic/class_info'])
        assert recording.decode(info.topic, info.data).label_set == 'cityscapes'


def test_a_second_run_replaces_the_first_and_half_pace_halves_the_rate(
    tmp_path: Path, model_path: Path
) -> None:
    output = tmp_path / 'out'
    drive = write_drive(output / 'drive', frames=4)
    (output / '.upsnet_demo').write_text('')
    (output / 'labels').mkdir()
    (output / 'labels' / '000099.png').write_text('old')
    assert run(drive, output, model_path, '--rate-scale', '0.5') == 0
    assert not (output / 'labels' / '000099.png').exists()
    report = json.loads((output / 'report.json').read_text())
    assert report['camera_rate_hz'] == pytest.approx(5.0, rel=0.2)
    film = cv2.VideoCapture(str(output / 'drive.webm'))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)


def test_a_frame_that_cannot_be_read_is_dropped_and_the_next_one_labelled(
    tmp_path: Path, model_path: Path
) -> None:
    rows = [image_row(index) for index in range(4)]
    rows[1][3].data = rows[1][3].data[:40]
    stamp = stamp_of(0)
    truth = labels_by_colour(cv2.imdecode(rows[0][3].data, cv2.IMREAD_COLOR))
    rows.append(
        label_row('/camera/ground_truth/panoptic/image', truth, stamp_ns=stamp, recorded_ns=stamp)
    )
    output = tmp_path / 'out'
    assert run(write_bag(tmp_path / 'drive', rows), output, model_path) == 0
    report = json.loads((output / 'report.json').read_text())
    latencies = [frame['latency_ms'] for frame in report['frames']]
    assert latencies[1] is None
    assert latencies[3] is not None
    assert report['frames_with_ground_truth'] == 1


def test_an_altered_model_stops_the_demo_before_anything_starts(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_path.write_bytes(b'another network')
    drive = write_drive(tmp_path / 'drive', frames=1)
    assert run(drive, tmp_path / 'out', model_path) == 1
    assert 'sha256' in capsys.readouterr().err


def test_a_node_that_cannot_start_is_shown_with_its_log(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        session,
        'node_command',
        lambda *_: [sys.executable, '-c', 'raise SystemExit("the library is missing")'],
    )
    drive = write_drive(tmp_path / 'drive', frames=1)
    assert run(drive, tmp_path / 'out', model_path) == 1
    error = capsys.readouterr().err
    assert 'ended by itself with status 1' in error
    assert 'the library is missing' in error


def test_a_node_that_never_gets_ready_is_given_up(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, '-c', 'import time; print("loading", flush=True); time.sleep(60)']
    monkeypatch.setattr(session, 'node_command', lambda *_: command)
    drive = write_drive(tmp_path / 'drive', frames=1)
    settings = session.ReplaySettings(drive, model_path, tmp_path / 'work', start_seconds=1.0)
    with pytest.raises(session.ReplayError, match='(?s)not active within 1 s.*loading'):
        session.run_live_replay(settings, progress=lambda *_: None)


def test_sigterm_ends_the_node_too(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'pid'
    code = (
        'import os, signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler); '
        'open(sys.argv[1], "w").write(str(os.getpid())); os.kill(os.getppid(), signal.SIGTERM); '
        'time.sleep(60)'
    )
    command = [sys.executable, '-c', code, str(file)]
    monkeypatch.setattr(session, 'node_command', lambda *_: command)
    drive = write_drive(tmp_path / 'drive', frames=1)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        run(drive, tmp_path / 'out', model_path)
    assert caught.value.code == 143
    assert not psutil.pid_exists(int(file.read_text()))
    assert signal.getsignal(signal.SIGTERM) == before


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


@pytest.mark.parametrize('mark', ['.upsnet_demo', 'report.json'])
def test_outputs_of_a_demo_are_removed_and_other_files_stay(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).write_text('{"frames_sent": 1, "replay": {}}')
    (tmp_path / 'overlays').mkdir()
    (tmp_path / 'notes.txt').write_text('mine')
    for _ in range(2):
        remove_old_outputs(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {'.upsnet_demo', 'notes.txt'}


@pytest.mark.parametrize(
    ('bag', 'camera'), [('nowhere', 'camera'), ('empty', 'camera'), ('drive', 'rear')]
)
def test_without_images_the_last_report_stays(
    tmp_path: Path, model_path: Path, bag: str, camera: str
) -> None:
    output = tmp_path / 'out'
    output.mkdir()
    (tmp_path / 'empty').mkdir()
    write_drive(tmp_path / 'drive', frames=1)
    (output / '.upsnet_demo').write_text('')
    (output / 'report.html').write_text('of the last run')
    assert run(tmp_path / bag, output, model_path, '--camera', camera) == 1
    assert (output / 'report.html').read_text() == 'of the last run'


def test_a_bag_without_the_camera_is_refused(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = write_drive(tmp_path / 'drive', frames=1)
    assert run(drive, tmp_path / 'out', model_path, '--camera', 'rear') == 1
    assert "no images of camera 'rear'" in capsys.readouterr().err
