# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.evaluation.replay_folders import changed, write_street
from tests.report.page_reader import ReadPage
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.evaluation.compare import main as compare
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, FrameRecord, read_frames
from upsnet_ros.evaluation.label_files import write_label
from upsnet_ros.evaluation.replay_report import SkippedMessage, read_report
from upsnet_ros.evaluation.replay_sections import replay_report, write_replay_page
from upsnet_ros.report.document import Film, Frame, Picture
from upsnet_ros.report.page import render_page


def page_of(folder: Path) -> ReadPage:
    page = ReadPage(write_replay_page(folder).read_text(encoding='utf-8'))
    page.assert_loads_nothing()
    return page


def test_the_page_tells_figures_classes_command_and_environment(tmp_path) -> None:
    folder = write_street(tmp_path / 'one')
    report, page = read_report(folder), page_of(folder)
    for label_class in cityscapes_label_set().classes:
        assert label_class.name in page.text
    assert report.command in page.text
    assert f'{report.total.pq["all"]["pq"]:.1f}' in page.text
    assert f'{report.total.miou["miou"]:.1f}' in page.text
    assert '30 frames of 1 camera labelled' in page.text
    for words in (report.model.sha256, report.environment['cpu'], 'Offline replay', 'street'):
        assert words in page.text
    assert 'Against' not in page.text and 'Left out' not in page.text and 'Mind' not in page.text
    # Times of stages, of which the page tells the medians.
    lines = [line for line in read_frames(folder / FRAMES_FILE) if isinstance(line, FrameRecord)]
    assert 'panoptic head' in page.text.split('Where the time goes')[1]
    assert f'{np.median([line.ms["inference"] for line in lines]):.1f}' in page.text


def test_pictures_of_the_worst_frames_are_in_the_page(tmp_path) -> None:
    page = page_of(write_street(tmp_path / 'one'))
    assert len(page.named('img')) == 8
    assert page.text.count('ground truth') >= 2 and 'where the class differs' in page.text


def test_pictures_that_are_gone_are_left_out(tmp_path) -> None:
    folder = write_street(tmp_path / 'one')
    shutil.rmtree(folder / 'worst')
    page = page_of(folder)
    assert page.named('img') == []
    assert 'no longer in the folder' in page.text


@pytest.mark.parametrize('name', ['../outside.jpg', '/etc/hostname', 'worst'])
def test_no_picture_is_read_outside_the_folder(tmp_path, name: str) -> None:
    folder = write_street(tmp_path / 'one')
    cv2.imwrite(str(tmp_path / 'outside.jpg'), np.zeros((8, 8, 3), np.uint8))
    (frame, *_) = read_report(folder).worst
    changed(folder, worst=(replace(frame, pictures={'image': name}),))
    assert page_of(folder).named('img') == []


def test_without_truth_the_page_shows_what_needs_none(tmp_path) -> None:
    page = page_of(write_street(tmp_path / 'one', with_truth=False))
    assert 'Panoptic quality of each frame' not in page.text
    assert 'Without ground truth there is no quality' in page.text
    assert 'flicker' in page.text and 'Pixels that flip' in page.text
    assert 'Largest share of unknown pixels' in page.text


def test_every_camera_has_a_row_and_a_line(tmp_path) -> None:
    cameras = ('front', 'left', 'rear/wide')
    page = page_of(write_street(tmp_path / 'one', cameras=cameras))
    for camera in cameras:
        assert camera in page.text
    for line in range(3):
        assert f'stroke: var(--line{line})' in page.source
    assert '90 frames of 3 cameras labelled' in page.text


def test_frames_that_were_lost_are_told_of_and_marked(tmp_path) -> None:
    folder = write_street(tmp_path / 'one')
    report = read_report(folder)
    stamp_ns = report.cameras['front'].series[4].stamp_ns
    skipped = (SkippedMessage(stamp_ns, 'the JPEG ends too early'),)
    changed(
        folder,
        cameras={'front': replace(report.cameras['front'], skipped=skipped)},
        total=replace(report.total, skipped=skipped, frames=31, truth_unmatched=2),
        bag=replace(report.bag, problems=('the index is missing',)),
    )
    page = page_of(folder)
    for words in ('the JPEG ends too early', 'the index is missing', '2 images of ground truth'):
        assert words in page.text
    assert page.source.count('stroke: var(--alarm)') == 5  # a mark in each chart over time


def test_a_film_and_samples_of_the_drive_have_their_places(tmp_path) -> None:
    picture = np.full((8, 16, 3), 99, np.uint8)
    sample = Frame('camera at 1 s', (Picture('labels of the node', picture),))
    folder = write_street(tmp_path / 'one')
    path = write_replay_page(folder, film=Film('drive.webm', 'the drive'), samples=(sample,))
    page = ReadPage(path.read_text(encoding='utf-8'))
    page.assert_loads_nothing()
    assert [film['src'] for film in page.named('video')] == ['drive.webm']
    parts = ('the drive', 'Classes', 'Worst frames', 'labels of the node', 'How this was measured')
    places = [page.text.index(words) for words in parts]
    assert places == sorted(places)


@pytest.mark.parametrize('frames', [1, 2])
def test_very_short_drives_have_a_page(tmp_path, frames: int) -> None:
    folder = write_street(tmp_path / 'one', frames=frames, cameras=('a', 'b'))
    assert f'{2 * frames} frames of 2 cameras' in page_of(folder).text


def test_long_drives_do_not_make_long_pages(tmp_path) -> None:
    folder = write_street(tmp_path / 'one', frames=20)
    report = read_report(folder)
    camera = report.cameras['front']
    points = tuple(
        replace(camera.series[i % 20], stamp_ns=camera.series[0].stamp_ns + i * 100_000_000)
        for i in range(20_000)
    )
    long = changed(folder, cameras={'front': replace(camera, series=points)})
    text = render_page(replay_report(long, tmp_path / 'nowhere'))
    assert len(text) < 130_000
    assert 'band' in text and 'from the least to the greatest value' in text


def test_a_comparison_beside_the_report_becomes_a_section(tmp_path, capsys) -> None:
    one = write_street(tmp_path / 'one', model='newer')
    other = write_street(tmp_path / 'other', seed=2, model='older')
    status = compare(
        [str(one), '--against', str(other), '--output', str(one), '--resamples', '50']
    )
    assert status == 0
    assert 'frames that got better' in capsys.readouterr().out
    for page in (page_of(one), ReadPage((one / 'comparison.html').read_text(encoding='utf-8'))):
        page.assert_loads_nothing()
        assert 'older' in page.text and 'Change of PQ by class' in page.text
        assert 'Frames that got better most' in page.text
        whiskers = [d for d in page.named('div') if d.get('class', '').startswith('whisker')]
        assert len(whiskers) == 11 + 3  # totals and the classes that occur


def test_labels_on_disk_are_shown_side_by_side(tmp_path) -> None:
    one = write_street(tmp_path / 'one', model='newer')
    other = write_street(tmp_path / 'other', seed=2, model='older')
    for folder in (one, other):
        for point in read_report(folder).cameras['front'].series:
            labels = np.full((20, 30), 13 << 8 | 1, np.uint16)
            write_label(folder, 'front', point.stamp_ns, labels)
    compare([str(one), '--against', str(other), '--output', str(one), '--resamples', '10'])
    page = ReadPage((one / 'comparison.html').read_text(encoding='utf-8'))
    assert page.text.count('labels of the other') == page.text.count('labels of this') == 12


def test_comparing_needs_two_reports(tmp_path, capsys) -> None:
    one = write_street(tmp_path / 'one')
    arguments = [str(one), '--against', str(tmp_path / 'none'), '--output', str(tmp_path / 'out')]
    assert compare(arguments) == 1
    assert 'none' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_impossible_options_are_told(tmp_path, capsys) -> None:
    one = str(write_street(tmp_path / 'one'))
    arguments = [one, '--against', one, '--output', one, '--confidence', '95']
    assert compare(arguments) == 1
    assert 'confidence is 95.0' in capsys.readouterr().err


def test_a_damaged_comparison_is_not_left_out_silently(tmp_path) -> None:
    folder = write_street(tmp_path / 'one')
    (folder / 'comparison.json').write_text('{')
    with pytest.raises(EvaluationError, match='remove it, or compare again'):
        write_replay_page(folder)
