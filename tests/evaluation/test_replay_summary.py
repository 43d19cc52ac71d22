# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page and the terminal say of a live report, without any node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluation.replay_folders import changed, write_street
from tests.live.rig import LIVE_SPEED, write_live
from tests.report.page_reader import ReadPage
from upsnet_ros.evaluation.compare import main as compare
from upsnet_ros.evaluation.replay_report import read_report
from upsnet_ros.evaluation.replay_sections import write_replay_page
from upsnet_ros.evaluation.replay_summary import summary_text


def page_of(folder: Path) -> ReadPage:
    page = ReadPage(write_replay_page(folder).read_text(encoding='utf-8'))
    page.assert_loads_nothing()
    return page


def test_the_section_tells_what_came_and_what_it_took(tmp_path: Path) -> None:
    folder = write_live(tmp_path / 'live', dropped=(3, 4, 9))
    page, report = page_of(folder), read_report(folder)
    for text in (
        'Live replay',
        'What the car would have seen',
        'at 0.5 times its pace. 3 frames got no label and are in no figure: 2 dropped by the node',
        '1 lost on the way',
        '27 of 30 · 3 dropped',
        'Age of the labels when they came',
    ):
        assert text in page.text
    for value in ('90.0 %', '89 % of a core', '406 MB', f'p95 {report.total.latency_ms.p95:.0f}'):
        assert value in page.text
    assert 'refused' not in page.text.split('Classes')[0]
    assert 'Frames labelled' not in page.text and 'Time a frame' not in page.text


def test_where_every_frame_came_there_is_no_alarm(tmp_path: Path) -> None:
    page = page_of(write_live(tmp_path / 'live', dropped=()))
    assert 'Every frame was answered' in page.text and 'Mind' not in page.text
    assert not [d for d in page.named('div') if d.get('class') == 'card alarm']


@pytest.mark.parametrize(
    ('measured_hz', 'is_alarm', 'told'),
    [
        # Of 30 frames 27 were answered.
        (None, True, 'at 0.5 times its pace, 2 Hz. 3 frames'),
        (2.9, True, 'labelled 2.9 of its frames a second. 3 frames'),
        (2.8, True, 'labelled 2.8 of its frames a second, too few to answer all. 3 frames'),
        (2.5, False, 'labelled 2.5 of its frames a second, too few to answer all. 3 frames'),
    ],
)
def test_a_computer_that_is_slower_than_its_camera_is_no_alarm(
    tmp_path: Path, measured_hz: float | None, is_alarm: bool, told: str
) -> None:
    folder = write_live(tmp_path / 'live', dropped=(3, 4, 9))
    changed(folder, speed=LIVE_SPEED | {'camera_hz': 2.0, 'measured_hz': measured_hz})
    page = page_of(folder)
    assert told in page.text and '27 of 30 · 3 dropped' in page.text
    alarms = [d for d in page.named('div') if d.get('class') == 'card alarm']
    assert len(alarms) == is_alarm


def test_frames_that_could_not_be_evaluated_are_not_said_to_be_answered(tmp_path: Path) -> None:
    text = page_of(write_live(tmp_path / 'live', dropped=(), unread=(5,))).text
    assert '1 image could not be labelled and is in no figure' in text
    assert 'Every other frame was answered' in text and 'Every frame was' not in text


def test_a_node_that_tells_nothing_of_itself_leaves_dashes(tmp_path: Path) -> None:
    folder = write_live(tmp_path / 'live', dropped=(1,))
    changed(folder, speed=dict.fromkeys(LIVE_SPEED))
    page = page_of(folder)
    assert 'the node did not tell why' in page.text and '– MB' in page.text


def test_the_terminal_tells_drops_cpu_memory_and_a_clock_that_was_set(tmp_path: Path) -> None:
    folder = write_live(tmp_path / 'live', dropped=(3, 4, 9))
    report = read_report(folder)
    text = summary_text(report, folder)
    for words in (
        '27 of 30 · 3 dropped',
        '3 frames got no label and are in no figure: 2 dropped by the node',
        '1 lost on the way',
        '89 % of a core  each frame answered 290 ms',
        '406 MB  the most that it held',
    ):
        assert words in text
    assert text.count('no label') == 1 and 'the clock was set' not in text
    stepped = replace(report, speed=report.speed | {'clock_step_ms': -7.5})
    assert 'the clock was set by -7.5 ms' in summary_text(stepped, folder)


@pytest.mark.parametrize('is_offline', [True, False])
def test_ages_are_compared_only_with_ages(tmp_path: Path, is_offline: bool) -> None:
    live, other = write_live(tmp_path / 'live', dropped=(2,)), tmp_path / 'other'
    if is_offline:
        write_street(other, seed=2)
    else:
        write_live(other, dropped=(), seed=2)
    output = ('--output', str(live), '--no-pictures', '--resamples', '20')
    assert compare([str(live), '--against', str(other), *output]) == 0
    card = page_of(live).text.split('Age of labels, median')[1].split('CPU of the node')[0]
    assert ('vs other' in card) != is_offline
