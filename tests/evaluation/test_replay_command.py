# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from tests.bags.blue_drive import blue_image, blue_rows, truth_row
from tests.bags.small_drive import stamp_of, write_rows
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.evaluation.replay import main
from upsnet_ros.evaluation.replay_report import read_report
from upsnet_ros.images.messages import label_image
from upsnet_ros.pipeline import PanopticPipeline

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    truth = np.zeros((64, 96), np.uint16)
    return write_rows(tmp_path / 'bag', [*blue_rows(6), truth_row(2, truth)])


def run(bag: Path, model: Path, *arguments: str) -> int:
    output = bag.parent / 'out'
    return main([str(bag), '--model', str(model), '--output', str(output), *arguments])


def test_the_command_writes_a_report_and_tells_the_figures(
    bag: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bag, model, '--threads', '1') == 0
    report = read_report(bag.parent / 'out')
    assert report.kind == 'offline' and report.total.decoded == 6
    assert report.command.startswith('python -m upsnet_ros.evaluation.replay ')
    assert '--threads 1' in report.command
    assert report.model.path == str(model) and report.model.backend == 'openvino'
    assert report.options['part'] == {
        'start_s': 0.0,
        'duration_s': None,
        'stride': 1,
        'limit': None,
    }
    told = capsys.readouterr().out
    assert '6 of 6  1 with ground truth' in told
    assert str(bag.parent / 'out' / 'report.json') in told


@pytest.mark.parametrize(
    ('requirements', 'status', 'told'),
    [
        (['frames>=6', 'drops==0'], 0, ''),
        (['frames>=7', 'pq>=99', 'drops==0'], 2, 'Requirement missed: frames >= 7 is required'),
        (['nonsense'], 1, 'The evaluation failed: the requirement'),
    ],
)
def test_requirements_decide_the_exit_status(
    bag: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    requirements: list[str],
    status: int,
    told: str,
) -> None:
    words = [word for text in requirements for word in ('--require', text)]
    assert run(bag, model, *words) == status
    assert told in capsys.readouterr().err
    # What cannot be read is refused before anything is done.
    assert (bag.parent / 'out').exists() == (status != 1)


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (['--cameras', 'rear'], "no images of camera 'rear'"),
        (['--ground-truth', '/lidar'], '/lidar .* is not there'),
        (['--stride', '0'], '--stride is 0'),
        (['--start', '900'], 'none of 0 images'),
        (['--require', 'node_peak_mb<=500'], 'for live evaluations only'),
        (['--output', '/dev/null/out'], 'Not a directory'),
    ],
)
def test_what_cannot_be_done_is_told(
    bag: Path, model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(bag, model, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('The evaluation failed: ')
    assert all(part in error for part in told.split('.*'))


def test_a_page_is_written_and_a_run_compared_with_another(
    bag: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = bag.parent / 'out'
    assert run(bag, model) == 0
    page = (output / 'report.html').read_text()
    assert '<html' in page and not (output / 'comparison.json').exists()
    again = [str(bag), '--model', str(model), '--output', str(bag.parent / 'new')]
    capsys.readouterr()
    assert main([*again, '--against', str(output)]) == 0
    assert (bag.parent / 'new' / 'comparison.json').exists()
    assert 'report.html' in capsys.readouterr().out
    assert main(again) == 0  # a comparison of an earlier report goes
    assert not (bag.parent / 'new' / 'comparison.json').exists()


def test_what_a_run_is_compared_with_is_looked_at_first(bag: Path, model: Path) -> None:
    assert run(bag, model, '--against', str(bag.parent / 'nowhere')) == 1
    assert not (bag.parent / 'out').exists()


def test_labels_are_written_as_a_bag_with_the_stamps_of_the_input(bag: Path, model: Path) -> None:
    labels = bag.parent / 'labels'
    assert run(bag, model, '--write-bag', str(labels)) == 0
    found = []
    with AnyReader([labels]) as reader:
        for connection, recorded_ns, data in reader.messages():
            if connection.topic == '/camera/panoptic/image':
                found.append((recorded_ns, reader.deserialize(data, connection.msgtype)))
    assert [recorded for recorded, _ in found] == [stamp_of(i) for i in range(6)]
    with PanopticPipeline.load(model) as pipeline:
        for index, (_, message) in enumerate(found):
            expected = pipeline.process(blue_image(index)).panoptic.label_image
            np.testing.assert_array_equal(label_image(message), expected)
            assert message.header.frame_id == 'camera_optical_frame'
    assert run(bag, model, '--write-bag', str(labels)) == 1  # it is never replaced


def test_a_bag_of_labels_begins_anew_after_an_interrupt(bag: Path, model: Path) -> None:
    assert run(bag, model, '--limit', '6') == 0
    labels = bag.parent / 'labels'
    assert run(bag, model, '--limit', '6', '--write-bag', str(labels)) == 0
    with AnyReader([labels]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
    assert counts['/camera/panoptic/image'] == counts['/camera/panoptic/instances'] == 6


def test_an_interrupt_of_the_process_leaves_what_the_next_run_goes_on_from(
    tmp_path: Path, model: Path
) -> None:
    bag = write_rows(tmp_path / 'long', blue_rows(600))
    command = [sys.executable, '-m', 'upsnet_ros.evaluation.replay', str(bag)]
    command += ['--model', str(model), '--output', str(tmp_path / 'out'), '--threads', '1']
    frames = tmp_path / 'out' / 'frames.jsonl'
    done = 1  # the header
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        while not frames.exists() or len(frames.read_text().splitlines()) < done + 10:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130 and b'The same command goes on' in error
        done = len(frames.read_text().splitlines())
        assert not (tmp_path / 'out' / 'report.json').exists()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=100)
    assert again.returncode == 0, again.stderr.decode()
    report = json.loads((tmp_path / 'out' / 'report.json').read_text())
    assert report['total']['decoded'] == 600
    assert 0 < report['speed']['frames'] <= 600 - 20 + 3


@pytest.mark.parametrize('module', ['replay', 'compare'])
@pytest.mark.parametrize('imported', ['upsnet_ros.core.errors', 'numpy', 'cv2'])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_are_imported_ends_it_quietly(
    tmp_path: Path, module: str, imported: str, number: signal.Signals
) -> None:
    endless = tmp_path / 'endless'  # nobody writes to it: the command never comes to its end
    os.mkfifo(endless)
    words = ['-X', 'importtime', '-m', f'upsnet_ros.evaluation.{module}', str(endless)]
    words += ['--against', str(endless), '--output', str(tmp_path / 'out')]
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        for line in process.stderr:
            if line.split(b'|')[-1].strip() == imported.encode():
                process.send_signal(number)
                break
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b'' and b'Traceback' not in error
