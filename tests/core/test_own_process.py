# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals end real processes with the status that was asked for, and without a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from upsnet_ros.core.own_process import STOPPING, interrupted_by_signals

pytestmark = pytest.mark.heavy


def start(code: str) -> subprocess.Popen[str]:
    """A process that has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, '-u', '-c', code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == 'ready\n'
    return process


@pytest.mark.parametrize('number', STOPPING)
def test_a_process_ends_quietly_also_while_it_imports(number: signal.Signals) -> None:
    code = (
        'from upsnet_ros.core.own_process import end_quietly\n'
        'end_quietly(7)\n'
        'class Finder:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        '        print("ready")\n'
        '        import time\n'
        '        try:\n'
        '            time.sleep(60)\n'
        '        except BaseException as error:\n'
        '            raise ImportError("swallowed")\n'
        'import sys\n'
        'sys.meta_path.insert(0, Finder())\n'
        'import never_there\n'
    )
    process = start(code)
    process.send_signal(number)
    assert process.communicate(timeout=30.0) == ('', '')
    assert process.returncode == 7


@pytest.mark.parametrize('number', STOPPING)
def test_work_is_interrupted_once_and_ended_in_peace(number: signal.Signals) -> None:
    code = (
        'import os, signal, time\n'
        'from upsnet_ros.core.own_process import STOPPING, interrupted_by_signals\n'
        'try:\n'
        '    with interrupted_by_signals():\n'
        '        try:\n'
        '            print("ready")\n'
        '            time.sleep(60)\n'
        '        finally:\n'
        '            for number in STOPPING:\n'
        '                os.kill(os.getpid(), number)\n'
        '            print("ended")\n'
        'except KeyboardInterrupt:\n'
        '    raise SystemExit(9)\n'
    )
    process = start(code)
    process.send_signal(number)
    assert process.communicate(timeout=30.0) == ('ended\n', '')
    assert process.returncode == 9


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with pytest.raises(KeyboardInterrupt), interrupted_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in STOPPING] == before
