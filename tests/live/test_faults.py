# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of a live evaluation: what fails, what ends, what runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.bags.small_drive import image_row, write_drive, write_rows
from tests.live.rig import evaluate, start_node, write_live, write_model
from upsnet_ros.core.own_process import STOPPING
from upsnet_ros.evaluation.live import session
from upsnet_ros.evaluation.replay_report import read_report

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures('colour_node')


def test_a_node_that_dies_is_told_with_its_last_words(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv('COLOUR_NODE_DIES_AFTER', '2')
    bag = write_drive(tmp_path / 'drive', frames=20, truth_every=None)
    assert evaluate(bag, model_path) == 1
    error = capsys.readouterr().err
    assert 'the node ended by itself with status 3' in error and 'out of colours' in error
    assert not (tmp_path / 'out' / 'report.json').exists()
    monkeypatch.delenv('COLOUR_NODE_DIES_AFTER')
    # Nothing was judged, so nothing is lost when the run begins anew.
    assert evaluate(bag, model_path, '--process-all', '--rate', '2') == 0


def test_nothing_is_left_behind_by_a_run_that_is_ended(tmp_path: Path, model_path: Path) -> None:
    bag = write_drive(tmp_path / 'drive', frames=300, truth_every=None)
    code = (
        'import sys; from tests.live.rig import colour_node_command; '
        'from upsnet_ros.evaluation.live import __main__ as live, session; '
        'session.node_command = colour_node_command(session.node_command); '
        'sys.exit(live.main())'
    )
    command = [sys.executable, '-c', code, str(bag), '--model', str(model_path)]
    command += ['--output', str(tmp_path / 'out')]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    children: list[psutil.Process] = []
    while len(children) < 3:  # recorder, node, player
        assert process.poll() is None
        time.sleep(0.05)
        children = psutil.Process(process.pid).children()
    process.terminate()
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130 and b'Stopped.' in error
    # One that was being started dies with its parent, a moment later.
    assert psutil.wait_procs(children, timeout=120)[1] == []


def test_a_node_that_runs_already_is_evaluated_and_left_running(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=6, truth_every=3)
    with start_node(model_path, tmp_path / 'node.log', 'process_all:=true') as node:
        assert evaluate(bag, model_path, '--attach') == 0
        assert node.status is None
        # Counted anew, though the node has seen the drive before.
        assert evaluate(bag, model_path, '--attach', name='again') == 0
        other = write_model(tmp_path / 'other.onnx', b'another')
        assert evaluate(bag, other, '--attach', name='wrong') == 1
        assert 'name the model that it runs' in capsys.readouterr().err
    report = read_report(tmp_path / 'again')
    assert report.total.decoded == 6 and report.total.truth_frames == 2
    assert report.speed['node_cpu_percent'] > 0 and report.speed['node_peak_mb'] > 30
    assert report.speed['node_start_s'] is None
    assert (report.speed['dropped_by_node'], report.speed['lost_on_the_way']) == (0, 0)


def test_a_node_that_runs_already_and_dies_is_noticed(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv('COLOUR_NODE_DIES_AFTER', '2')
    bag = write_drive(tmp_path / 'drive', frames=6, truth_every=None)
    with start_node(model_path, tmp_path / 'node.log', 'process_all:=true'):
        assert evaluate(bag, model_path, '--attach') == 1
    assert 'the node ended by itself after' in capsys.readouterr().err


def test_a_node_that_never_gets_ready_is_given_up_with_its_last_words(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = 'import time; print("loading", flush=True); time.sleep(600)'
    monkeypatch.setattr(session, 'node_command', lambda *_: [sys.executable, '-c', code])
    monkeypatch.setattr(session, 'START_SECONDS', 5.0)
    bag = write_drive(tmp_path / 'drive', frames=1)
    assert evaluate(bag, model_path) == 1
    error = capsys.readouterr().err
    assert 'not active within 5 s' in error and 'Last lines' in error and 'loading' in error


def test_without_a_node_there_is_nothing_to_attach_to(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(session, 'START_SECONDS', 1.0)
    bag = write_drive(tmp_path / 'drive', frames=2)
    assert evaluate(bag, model_path, '--attach') == 1
    error = capsys.readouterr().err
    assert 'Does a node run with the cameras camera, in the same ROS_DOMAIN_ID' in error


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (['--rate', '0'], 'the pace must lie in 0.01..100'),
        (['--attach', '--threads', '2'], '--threads cannot be given to a node that runs'),
        (['--params-file', 'nowhere.yaml'], 'nowhere.yaml: there is no such file'),
        (['--player', 'rosbag2'], 'there is no `ros2 bag` in this environment'),
        (['--cameras', 'left'], "no images of camera 'left'"),
        (['--duration', '-1'], '--duration is -1.0'),
        (['--require', 'speed>1'], "names no figure 'speed'"),
        (['--against', 'nowhere'], 'cannot be read as a report'),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_starts(
    tmp_path: Path,
    model_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=1)
    assert evaluate(bag, model_path, *arguments) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / 'out' / 'live').exists()


def test_a_drive_that_cannot_be_played_costs_no_earlier_report(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_live(tmp_path / 'out', dropped=())
    before = sorted((p.name, p.stat().st_size) for p in folder.iterdir())
    bag = tmp_path / 'elsewhere'
    write_rows(bag, [('/camera/other', *image_row(index)[1:]) for index in range(2)])
    assert evaluate(bag, model_path, '--restart', '--cameras', '/camera/other') == 1
    assert 'the node listens to /camera/other/image_raw' in capsys.readouterr().err
    assert sorted((p.name, p.stat().st_size) for p in folder.iterdir()) == before


def test_a_report_is_not_compared_with_the_one_that_replaces_it(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_live(tmp_path / 'out', dropped=())
    bag = write_drive(tmp_path / 'drive', frames=1)
    assert evaluate(bag, model_path, '--restart', '--against', str(folder)) == 1
    assert 'is the output of this run' in capsys.readouterr().err
    assert read_report(folder).total.decoded == 30


@pytest.mark.parametrize('number', STOPPING, ids=lambda each: each.name)
@pytest.mark.parametrize('module', ['evaluation.live', 'evaluation.demo', 'node.result_recorder'])
def test_a_signal_while_a_command_imports_ends_it_without_a_word(
    tmp_path: Path, module: str, number: signal.Signals
) -> None:
    ready = tmp_path / 'ready'
    os.mkfifo(ready)
    hanging = f'import time; open({str(ready)!r}, "w").write("here"); time.sleep(600)'
    (tmp_path / 'numpy.py').write_text(hanging)
    process = subprocess.Popen(
        [sys.executable, '-m', f'upsnet_ros.{module}'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'},
    )
    ready.read_text()
    process.send_signal(number)
    assert process.communicate(timeout=120) == (b'', b'') and process.returncode == 130
