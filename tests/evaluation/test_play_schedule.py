# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time
from threading import Event, Thread

import pytest

from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.play_schedule import PlaySchedule

SECOND = 10**9


class HandClock:
    """A steady clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 5 * SECOND
        monkeypatch.setattr(time, 'monotonic_ns', lambda: self.now_ns)

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    return HandClock(monkeypatch)


@pytest.mark.parametrize('rate', [0.5, 1.0, 4.0])
def test_time_runs_at_the_pace_once_play_has_begun(clock: HandClock, rate: float) -> None:
    schedule = PlaySchedule(100 * SECOND, rate=rate)
    clock.advance(7)
    assert schedule.position_ns == 100 * SECOND
    schedule.begin()
    clock.advance(2)
    assert schedule.position_ns == round((100 + 2 * rate) * SECOND)


def test_time_stands_while_paused_and_goes_on_from_there(clock: HandClock) -> None:
    schedule = PlaySchedule(0, rate=2.0)
    schedule.begin()
    clock.advance(1)
    assert schedule.set_paused(True)
    clock.advance(60)
    assert not schedule.set_paused(True)
    assert schedule.position_ns == 2 * SECOND
    assert schedule.set_paused(False)
    assert not schedule.set_paused(False)
    clock.advance(1)
    assert schedule.position_ns == 4 * SECOND


def test_a_pause_before_the_beginning_holds(clock: HandClock) -> None:
    schedule = PlaySchedule(SECOND)
    schedule.toggle()
    schedule.begin()
    clock.advance(3)
    assert schedule.position_ns == SECOND
    schedule.toggle()
    clock.advance(3)
    assert schedule.position_ns == 4 * SECOND


@pytest.mark.parametrize('is_paused', [False, True])
def test_a_round_sets_time_back_and_loses_nothing(clock: HandClock, is_paused: bool) -> None:
    schedule = PlaySchedule(0)
    schedule.begin()
    clock.advance(5)
    schedule.set_paused(is_paused)
    schedule.move(-3 * SECOND)
    assert schedule.position_ns == 2 * SECOND


def test_what_is_due_is_sent_with_its_delay(clock: HandClock) -> None:
    schedule = PlaySchedule(0, rate=2.0)
    schedule.begin()
    clock.advance(3)
    late: list[float] = []
    assert schedule.send_at(4 * SECOND, late.append)
    assert late == [1.0]


def test_pauses_are_told(clock: HandClock, capsys: pytest.CaptureFixture[str]) -> None:
    schedule = PlaySchedule(SECOND)
    schedule.begin()
    clock.advance(0.25)
    schedule.set_paused(True)
    schedule.set_paused(True)
    schedule.set_paused(False)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {'event': 'paused', 'bag_ns': 1_250_000_000},
        {'event': 'resumed', 'bag_ns': 1_250_000_000},
    ]


@pytest.mark.parametrize('has_begun', [False, True])
def test_a_wait_ends_when_the_player_shall_end(has_begun: bool) -> None:
    stopped = Event()
    schedule = PlaySchedule(0, is_stopped=stopped.is_set)
    if has_begun:
        schedule.begin()
    answers: list[bool] = []
    thread = Thread(
        target=lambda: answers.append(schedule.send_at(10**6 * SECOND, answers.append))
    )
    thread.start()
    stopped.set()
    thread.join(20)
    assert answers == [False]


def test_a_pause_gets_its_turn_while_the_player_is_behind() -> None:
    schedule, stopped, sent = PlaySchedule(SECOND), Event(), []

    def send_all() -> None:
        while not stopped.is_set() and schedule.send_at(0, sent.append):
            pass

    schedule.is_stopped = stopped.is_set
    schedule.begin()
    thread = Thread(target=send_all)
    thread.start()
    try:
        for _ in range(20):
            before = len(sent)
            while len(sent) < before + 50:
                time.sleep(0.001)
            schedule.set_paused(True)
            count = len(sent)
            time.sleep(0.005)
            assert len(sent) == count
            schedule.set_paused(False)
    finally:
        stopped.set()
        thread.join(20)


@pytest.mark.parametrize('rate', [0.0, -2.0, float('nan'), float('inf')])
def test_a_pace_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(BagPlayError, match='rate must be above 0'):
        PlaySchedule(0, rate=rate)
