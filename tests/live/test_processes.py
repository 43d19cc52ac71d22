# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live import commands, processes
from upsnet_ros.evaluation.live.commands import LiveOptions, node_command, replay_environment
from upsnet_ros.evaluation.live.processes import Child, TellingChild

# It tells by an event that its signals are as it wants them. A background shell hands down an
# ignored SIGINT, which Python then leaves alone: so each is set.
SLEEPING = """
import signal, sys, time
for name in ('SIGINT', 'SIGTERM'):
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_IGN if name in sys.argv else signal.default_int_handler)
try:
    print('ready', file=open(sys.argv[1], 'w'), flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    pass
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, '-c', code, *map(str, arguments)]


def start(log: Path, code: str, *arguments: object) -> Child:
    return Child('node', python(code, *arguments), environment=os.environ, log=log)


def tell(log: Path, code: str) -> TellingChild:
    return TellingChild('player', python(code), environment=os.environ, log=log)


def wait_for_end(child: Child) -> None:
    """Wait, and leave its exit status to whoever started it."""
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def test_a_process_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; print('early'); sys.exit('no such model')"
    with start(tmp_path / 'log', code) as node:
        wait_for_end(node)
        with pytest.raises(ReplayError, match='(?s)node ended.*status 1.*early.*no such model'):
            node.check()


@pytest.mark.parametrize(
    ('ignored', 'status'), [([], 0), (['SIGINT'], 0), (['SIGINT', 'SIGTERM'], -9)]
)
def test_a_process_is_asked_to_end_then_told_then_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: list[str], status: int
) -> None:
    patience = [(number, 60.0 if not ignored else 0.1) for number, _ in processes.PATIENCE]
    if ignored == ['SIGINT']:
        patience[1] = (patience[1][0], 60.0)
    monkeypatch.setattr(processes, 'PATIENCE', patience)
    os.mkfifo(tmp_path / 'ready')
    with start(tmp_path / 'log', SLEEPING, tmp_path / 'ready', *ignored) as node:
        (tmp_path / 'ready').read_text()
        assert node.stop() == status


OUTLIVING = """
import os, sys
from pathlib import Path
from upsnet_ros.evaluation.live.processes import Child, TellingChild
code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'
command, log = [sys.executable, '-c', code], Path(sys.argv[1])
with Child('node', command, environment=os.environ, log=log) as node:
    with TellingChild('player', command, environment=os.environ, log=log) as player:
        print(node.pid, player.pid, flush=True)
        sys.stdin.read()
"""


def test_a_killed_parent_takes_its_processes_along(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    command = python(OUTLIVING, tmp_path / 'log')
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        children = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2
    # Where nobody reaps orphans they stay as zombies.
    for child in psutil.wait_procs(children, timeout=60)[1]:
        assert child.status() == psutil.STATUS_ZOMBIE


def test_events_come_in_order_and_other_lines_are_passed_over(tmp_path: Path) -> None:
    code = (
        'import sys; print(\'{"event": "a", "n": 1}\'); print("noise"); '
        'print(\'{"event": "b"}\', flush=True); sys.stdin.read(); print(\'{"event": "done"}\')'
    )
    with tell(tmp_path / 'log', code) as process:
        assert process.next_event(60) == {'event': 'a', 'n': 1}
        assert process.next_event(60) == {'event': 'b'}
        assert process.next_event() is None
        # The last one is told after it was asked to end.
        assert process.finish() == [{'event': 'done'}]


@pytest.mark.parametrize(
    ('code', 'told'),
    [
        ('print(\'{"event": "error", "message": "no bag"}\')', 'the player failed: no bag'),
        ('raise SystemExit("broken")', '(?s)player ended with status 1.*broken'),
    ],
)
def test_a_process_that_fails_is_reported_with_what_it_told(
    tmp_path: Path, code: str, told: str
) -> None:
    with tell(tmp_path / 'log', code) as process:
        wait_for_end(process)
        with pytest.raises(ReplayError, match=told):
            while True:
                process.next_event(0.01)


def test_the_command_of_the_node_quotes_what_yaml_would_misread() -> None:
    command = node_command(Path('/m/1e3.onnx'), ['front', 'rear/left'], {'process_all': True})
    assert "model_path:='/m/1e3.onnx'" in command
    assert "camera_names:=['front', 'rear/left']" in command
    assert 'process_all:=true' in command


def test_the_environment_keeps_what_the_user_set() -> None:
    given = {'ROS_DOMAIN_ID': '9', 'FASTRTPS_DEFAULT_PROFILES_FILE': '/mine.xml', 'OTHER': 'x'}
    completed = replay_environment(given, log_folder=Path('logs'))
    assert {name: completed[name] for name in given} == given
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in completed


def test_the_environment_brings_the_profile_and_a_domain_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    completed = replay_environment({}, log_folder=Path('logs'))
    assert Path(completed['FASTDDS_DEFAULT_PROFILES_FILE']).name == 'fastdds.xml'
    assert 1 <= int(completed['ROS_DOMAIN_ID']) <= 101
    assert 'ROS_DOMAIN_ID' not in replay_environment({}, log_folder=Path(), has_own_domain=False)
    monkeypatch.setattr(commands, 'find_installed', lambda _: None)
    with pytest.raises(ReplayError, match='config/fastdds.xml of the package was not found'):
        replay_environment({}, log_folder=Path('logs'))


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


@pytest.mark.parametrize('rate', [0.0, -1.0, 1e9, float('nan')])
def test_an_impossible_pace_is_refused(rate: float) -> None:
    with pytest.raises(ReplayError, match='pace must lie in'):
        LiveOptions(bag=Path('bag'), model=Path('model'), output=Path('out'), rate=rate)
