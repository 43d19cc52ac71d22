# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from upsnet_ros.core.own_process import pid_namespace
from upsnet_ros.evaluation.live import tally
from upsnet_ros.evaluation.live.tally import (
    Counters,
    NodeCost,
    NodeWatch,
    counted_since,
    counters_of,
    engine_of,
    is_busy,
    local_process,
)


def status(**values: object) -> dict[str, object]:
    return {'hardware_id': 'front', 'values': {name: str(v) for name, v in values.items()}}


def test_counters_are_read_by_camera_and_other_statuses_passed_over() -> None:
    statuses = {
        '/car/node: camera front': status(received=9, processed=5, dropped=3, waiting=1, rate='x'),
        '/car/node: camera rear/left': status(received=2, processed='n/a'),
        '/car/node: processing time front': status(received=4),
        'lidar': status(received=7),
    }
    assert counters_of(statuses) == {
        'front': Counters(received=9, processed=5, dropped=3, waiting=1),
        'rear/left': Counters(received=2),
    }
    assert counters_of({}) == {}


def test_what_was_counted_before_is_taken_off_unless_counting_began_anew() -> None:
    before = Counters(received=10, processed=8, dropped=2, waiting=1)
    now = Counters(received=15, processed=11, dropped=4, failed=1)
    assert counted_since(before, now) == dict(received=5, processed=3, dropped=2, failed=1)
    anew = Counters(received=3, processed=3)
    assert counted_since(before, anew) == anew


@pytest.mark.parametrize(
    ('waiting', 'busy_for_s', 'expected'),
    [(0, '0.00', False), (1, '0.00', True), (0, '1.2', True)],
)
def test_a_node_is_busy_while_it_works_or_frames_wait(
    waiting: int, busy_for_s: str, expected: bool
) -> None:
    statuses = {
        'node: worker': status(busy_for_s=busy_for_s),
        'node: camera front': status(received=1, waiting=waiting),
    }
    assert is_busy(statuses) == expected
    assert not is_busy({})


def test_only_a_process_of_this_computer_is_looked_at() -> None:
    values = {'process_id': '77', 'pid_namespace': os.readlink('/proc/self/ns/pid')}
    memory = {'hardware_id': socket.gethostname(), 'values': values}
    assert local_process({'node: memory': memory}) == 77
    assert local_process({'node: memory': memory | {'hardware_id': 'other'}}) is None
    for other in ({'pid_namespace': 'pid:[1]'}, {'pid_namespace': 'n/a'}, {'process_id': 'n/a'}):
        assert local_process({'node: memory': memory | {'values': values | other}}) is None
    for known in ({}, {'process_id': '77'}):
        assert local_process({'node: memory': memory | {'values': known}}) is None
    assert local_process({}) is None
    assert engine_of({'node: engine': status(backend='b')}) == {'backend': 'b'}


def test_work_is_measured_in_seconds_of_a_core() -> None:
    def work(seconds: float) -> float:
        begin = time.process_time()
        while time.process_time() < begin + seconds:
            pass
        return time.process_time() - begin

    watch = NodeWatch(os.getpid())
    watch.look()
    done = work(0.4)
    watch.look()
    cost = watch.cost()
    # The system counts in hundredths of a second.
    assert cost.cpu_s == pytest.approx(done, abs=0.1)
    assert cost.wall_s >= 0.4 and cost.peak_bytes > 10e6
    assert NodeCost(1.0, 2.0, None).cpu_percent == 50.0
    assert NodeCost(0.0, 0.0, None).cpu_percent is None


def test_one_look_tells_the_memory_and_no_work() -> None:
    watch = NodeWatch(os.getpid())
    for _ in range(2):
        watch.begin()
        cost = watch.cost()
        assert cost is not None and cost.cpu_s is None and cost.cpu_percent is None
        assert cost.peak_bytes > 10e6
    watch.look()
    assert watch.cost().cpu_s is not None


def test_where_the_system_does_not_name_the_namespace_no_process_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pid_namespace() == os.readlink('/proc/self/ns/pid')
    assert pid_namespace(tmp_path / 'missing') is None
    monkeypatch.setattr(tally, 'pid_namespace', lambda: None)
    for name in ('n/a', 'None', ''):
        values = {'process_id': '77', 'pid_namespace': name}
        memory = {'hardware_id': socket.gethostname(), 'values': values}
        assert local_process({'node: memory': memory}) is None


def test_the_peak_stays_after_the_memory_was_given_back() -> None:
    code = "block = bytearray(200_000_000); del block; print('ready', flush=True); input()"
    command = [sys.executable, '-c', code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        watch = NodeWatch(process.pid)
        watch.look()
        assert 200e6 < watch.cost().peak_bytes < 300e6 and not watch.is_gone
        process.kill()
        process.wait()
        assert watch.is_gone


def test_a_process_that_is_gone_or_unknown_costs_nothing_that_is_known() -> None:
    for pid in (None, 2**22 + 5):
        watch = NodeWatch(pid)
        watch.look()
        assert watch.cost() is None
