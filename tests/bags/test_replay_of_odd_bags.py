# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay says of odd recordings, on the terminal, in the report and on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bags.small_drive import PERIOD, image_row, write_rows
from tests.bags.test_odd_bags import HOUR, stamped_rows
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.evaluation.comparison import read_comparison
from upsnet_ros.evaluation.replay import main as replay
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report

FRAMES = 6


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp('model'))


def evaluated(bag: Path, model: Path) -> ReplayReport:
    output = bag.with_name(f'{bag.name}_report')
    arguments = [str(bag), '--model', str(model), '--output', str(output), '--threads', '1']
    assert replay(arguments) == 0
    return read_report(output)


def test_images_without_stamps_are_labelled_and_left_out_topics_are_named(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in stamped_rows([0] * FRAMES)]
    rows += [('/oak/depth/image', *row[1:]) for row in rows[1::2]]
    report = evaluated(write_rows(tmp_path / 'bag', rows), model)
    total = report.total
    assert (total.frames, total.decoded, total.skipped) == (FRAMES, FRAMES, ())
    assert total.truth_frames == 0
    left_out, no_stamps = report.bag.notes
    assert report.bag.problems == ()
    assert 'left out: /oak/depth/image;' in left_out and 'have no stamps (0)' in no_stamps
    page = (tmp_path / 'bag_report' / 'report.html').read_text()
    told = ' '.join(capsys.readouterr().out.split())
    for text in (left_out, no_stamps):
        assert text in page and text in told


def test_every_frame_without_a_stamp_is_compared_and_repeated_stamps_are_none(
    tmp_path: Path, model: Path
) -> None:
    begin = 10**18
    for name, stamps, labelled in (
        ('unstamped', [0] * FRAMES, FRAMES),
        ('repeated', [begin, begin, *(begin + i * PERIOD for i in range(1, FRAMES - 1))], 5),
    ):
        bag = write_rows(tmp_path / name, stamped_rows(stamps))
        evaluated(bag, model)
        first = bag.with_name(f'{name}_report')
        second = tmp_path / f'{name}_again'
        words = ['--model', str(model), '--output', str(second), '--against', str(first)]
        assert replay([str(bag), *words]) == 0
        frames = read_comparison(second).frames
        assert (frames.both, frames.only_this, frames.only_against) == (labelled, 0, 0)


def test_a_clock_that_is_set_changes_no_figure(tmp_path: Path, model: Path) -> None:
    steady = [HOUR + index * PERIOD for index in range(FRAMES)]
    jumping = [stamp + HOUR * (index < 4) for index, stamp in enumerate(steady)]
    plain, odd = (
        evaluated(write_rows(tmp_path / name, stamped_rows(stamps)), model).cameras['camera']
        for name, stamps in (('plain', steady), ('odd', jumping))
    )
    assert plain.truth_frames == odd.truth_frames == FRAMES
    assert [point.flip_share is None for point in odd.series] == [True] + [False] * (FRAMES - 1)
    assert (plain.stability, plain.pq, plain.miou) == (odd.stability, odd.pq, odd.miou)


def test_cameras_of_any_name_are_all_labelled(tmp_path: Path, model: Path) -> None:
    rows = [
        (topic, *image_row(index)[1:])
        for index in range(2)
        for topic in ('/front/image_raw/compressed', '/rear/image_rect_color/compressed')
    ]
    report = evaluated(write_rows(tmp_path / 'bag', rows), model)
    assert {name: figures.decoded for name, figures in report.cameras.items()} == {
        'front': 2,
        'rear/image_rect_color': 2,
    }
    assert report.bag.notes == ()
