# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.event_process import EventProcess
from upsnet_ros.evaluation.live.processes import NodeProcess, node_command, peak_memory_bytes
from upsnet_ros.evaluation.live.replay_environment import package_file, replay_environment
from upsnet_ros.evaluation.live.session import ReplaySettings

STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(60)
"""

# A background shell hands down an ignored SIGINT, which Python then leaves alone: listen anyway.
LISTENING = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print('ready', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    pass
"""


def python(code: str) -> list[str]:
    return [sys.executable, '-c', code]


def wait_for_log(path: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_node_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; print('early'); sys.exit('no such model')"
    with NodeProcess(python(code), environment=os.environ, log=tmp_path / 'log') as node:
        node.process.wait()
        with pytest.raises(ReplayError, match='(?s)status 1.*early.*no such model'):
            node.check()


def test_an_interrupt_is_enough_for_a_node_that_listens(tmp_path: Path) -> None:
    with NodeProcess(python(LISTENING), environment=os.environ, log=tmp_path / 'log') as node:
        wait_for_log(node.log, 'ready')
        assert node.stop() == 0


def test_a_node_that_ignores_the_interrupt_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('upsnet_ros.evaluation.live.processes.INTERRUPT_SECONDS', 0.2)
    with NodeProcess(python(STUBBORN), environment=os.environ, log=tmp_path / 'log') as node:
        wait_for_log(node.log, 'ready')
        assert node.stop() == -15


OUTLIVING = """
import os, sys, time
from pathlib import Path
from upsnet_ros.evaluation.live.event_process import EventProcess
from upsnet_ros.evaluation.live.processes import NodeProcess
code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'
command = [sys.executable, '-c', code]
log = Path(sys.argv[1])
with (
    NodeProcess(command, environment=os.environ, log=log) as node,
    EventProcess('player', command, environment=os.environ, log=log) as player,
):
    print(node.process.pid, player._process.pid, flush=True)
    time.sleep(60)
"""


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_killed_parent_takes_its_processes_along(tmp_path: Path) -> None:
    command = [*python(OUTLIVING), str(tmp_path / 'log')]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(map(is_running, pids))
        parent.kill()
    deadline = time.monotonic() + 20
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_peak_stays_after_the_memory_was_given_back(tmp_path: Path) -> None:
    code = (
        "import time; block = bytearray(200_000_000); del block; print('ready', flush=True); "
        'time.sleep(60)'
    )
    with NodeProcess(python(code), environment=os.environ, log=tmp_path / 'log') as node:
        wait_for_log(node.log, 'ready')
        node.check()
        assert 200e6 < node.peak_bytes < 300e6


def test_a_process_that_is_gone_has_no_memory() -> None:
    assert peak_memory_bytes(2**22 + 5) is None


def test_events_come_in_order_and_other_lines_are_passed_over(tmp_path: Path) -> None:
    code = (
        'import sys; print(\'{"event": "a", "n": 1}\'); print("noise"); '
        'print(\'{"event": "b"}\', flush=True); sys.stdin.read()'
    )
    with EventProcess(
        'test', python(code), environment=os.environ, log=tmp_path / 'log'
    ) as process:
        assert process.next_event(20) == {'event': 'a', 'n': 1}
        assert process.next_event(20) == {'event': 'b'}
        assert process.next_event(0.05) is None


def test_a_process_tells_its_last_event_after_it_was_asked_to_end(tmp_path: Path) -> None:
    code = 'import sys; sys.stdin.read(); print(\'{"event": "done"}\')'
    with EventProcess(
        'test', python(code), environment=os.environ, log=tmp_path / 'log'
    ) as process:
        assert process.finish() == [{'event': 'done'}]


def test_an_error_event_is_raised_with_its_message(tmp_path: Path) -> None:
    code = 'print(\'{"event": "error", "message": "no bag"}\')'
    with (
        EventProcess(
            'player', python(code), environment=os.environ, log=tmp_path / 'log'
        ) as process,
        pytest.raises(ReplayError, match='the player failed: no bag'),
    ):
        process.next_event(20)


def test_a_process_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with EventProcess(
        'player', python('raise SystemExit("broken")'), environment=os.environ, log=tmp_path / 'l'
    ) as process:
        process._process.wait()
        process._reader.join()
        with pytest.raises(ReplayError, match='(?s)player ended with status 1.*broken'):
            process.next_event(0.1)


def test_the_command_of_the_node_quotes_what_yaml_would_misread() -> None:
    command = node_command(Path('/m/1e3.onnx'), ['front', 'rear/left'])
    assert "model_path:='/m/1e3.onnx'" in command
    assert "camera_names:=['front', 'rear/left']" in command


def test_the_environment_keeps_what_the_user_set() -> None:
    given = {'ROS_DOMAIN_ID': '9', 'FASTRTPS_DEFAULT_PROFILES_FILE': '/mine.xml', 'OTHER': 'x'}
    completed = replay_environment(given, log_folder=Path('logs'))
    assert {name: completed[name] for name in given} == given
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in completed


def test_the_environment_brings_the_profile_and_a_domain_of_its_own() -> None:
    completed = replay_environment({}, log_folder=Path('logs'))
    assert Path(completed['FASTDDS_DEFAULT_PROFILES_FILE']).name == 'fastdds.xml'
    assert 1 <= int(completed['ROS_DOMAIN_ID']) <= 101


@pytest.mark.parametrize('home', [None, '', 'relative', '/proc/none/such', '/dev/null/home'])
def test_without_a_usable_home_ros_logs_beside_the_report(tmp_path: Path, home: str) -> None:
    given = {} if home is None else {'HOME': home}
    assert replay_environment(given, log_folder=tmp_path)['ROS_LOG_DIR'] == str(tmp_path)


@pytest.mark.parametrize('name', ['ROS_LOG_DIR', 'ROS_HOME', 'HOME'])
def test_a_log_folder_of_the_user_is_kept(tmp_path: Path, name: str) -> None:
    given = {name: str(tmp_path / 'mine')}
    completed = replay_environment(given, log_folder=tmp_path / 'ours')
    assert completed[name] == given[name]
    assert completed.get('ROS_LOG_DIR') != str(tmp_path / 'ours')


def test_a_missing_file_of_the_package_is_named() -> None:
    with pytest.raises(ReplayError, match='config/nothing.xml was found in none of'):
        package_file('config/nothing.xml')


@pytest.mark.parametrize('rate', [0.0, -1.0, 1e9, float('nan')])
def test_an_impossible_pace_is_refused(rate: float) -> None:
    with pytest.raises(ReplayError, match='pace must lie in'):
        ReplaySettings(Path('bag'), Path('model'), Path('work'), rate_scale=rate)
