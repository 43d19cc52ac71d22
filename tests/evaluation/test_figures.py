# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one table of figures: a row is all that a figure needs to be told everywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bags.blue_drive import blue_rows
from tests.bags.small_drive import write_rows
from tests.evaluation.replay_reports import random_records, write_replay
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.evaluation.figures import FIGURES, parts_of
from upsnet_ros.evaluation.replay_report import read_report

ROOT = Path(__file__).parents[2]
ROW = """
    Figure(
        'network_ms', 'Time in the network', 'ms', frame=lambda record: record.ms['inference'],
        higher_is_better=False, has_card=True, column='network [ms]',
    ),
)  # fmt: skip
BY_KEY"""


def test_keys_are_different_and_parts_stand_beside_a_headline() -> None:
    keys = [figure.key for figure in FIGURES]
    assert len(set(keys)) == len(keys)
    headlines = {figure.key for figure in FIGURES if figure.has_card}
    assert {figure.part_of for figure in FIGURES if figure.part_of} <= headlines
    assert all(figure.short for figure in FIGURES if figure.part_of)
    (pq,) = (figure for figure in FIGURES if figure.key == 'pq')
    assert [part.key for part in parts_of(pq)] == ['pq_things', 'pq_stuff']


def test_a_figure_is_shown_in_its_unit(tmp_path: Path) -> None:
    report = read_report(write_replay(tmp_path / 'one', random_records(1, frames=5)))
    (unknown,) = (figure for figure in FIGURES if figure.key == 'unknown_share')
    assert unknown.value(report.total) == report.total.unknown_share
    assert unknown.shown(report.total) == 100 * report.total.unknown_share
    course = unknown.course(report.cameras['front'])
    assert sum(course) / len(course) == pytest.approx(unknown.shown(report.total), abs=1e-3)


def test_a_new_row_is_required_compared_and_shown(tmp_path: Path) -> None:
    shutil.copytree(ROOT / 'upsnet_ros', tmp_path / 'upsnet_ros')
    table = tmp_path / 'upsnet_ros' / 'evaluation' / 'figures.py'
    text = table.read_text()
    assert text.count('\n)  # fmt: skip\nBY_KEY') == 1
    table.write_text(text.replace('\n)  # fmt: skip\nBY_KEY', ROW))
    (tmp_path / 'model').mkdir()
    model = write_tiny_model(tmp_path / 'model')
    bag = write_rows(tmp_path / 'bag', [*blue_rows(4), *blue_rows(4, camera='rear')])
    command = [sys.executable, '-m', 'upsnet_ros.evaluation.replay', str(bag)]
    command += ['--model', str(model), '--require', 'network_ms<1e6']
    for name, more in (('one', []), ('two', ['--against', 'one'])):
        done = subprocess.run(
            [*command, '--output', name, *more], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    report, comparison = (
        json.loads((tmp_path / 'two' / name).read_text())
        for name in ('report.json', 'comparison.json')
    )
    frames = [json.loads(line) for line in (tmp_path / 'two' / 'frames.jsonl').open()][1:]
    mean = sum(frame['ms']['inference'] for frame in frames) / len(frames)
    assert report['total']['means'] == {'network_ms': pytest.approx(mean)}
    assert comparison['totals']['network_ms']['this'] == pytest.approx(mean)
    page = (tmp_path / 'two' / 'report.html').read_text()
    assert 'Time in the network' in page and 'network [ms]' in page
    assert done.stdout.count('Time in the network') == 2  # the figures, and the comparison
