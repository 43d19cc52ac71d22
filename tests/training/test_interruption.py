# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A signal ends a command quietly while it imports, and with a line while it works."""

import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.interruption import interruptible
from upsnet_ros.core.own_process import INTERRUPTED, STOPPING

ROOT = Path(__file__).parents[2]
COMMANDS = ('train', 'evaluate', 'export', 'data_check', 'import_official', 'inspect')
COMMANDS += ('build_engine', 'ablation')


def catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f'/proc/{process.pid}/status').read_text()
    return bool(int(re.findall(r'SigCgt:\s+(\w+)', status)[0], 16) >> (number - 1) & 1)


@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_ends_quietly_while_it_imports(name: str) -> None:
    process = subprocess.Popen(
        [sys.executable, '-m', f'training.{name}', '--help'],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not catches(process, signal.SIGTERM):  # Python itself leaves it to the system
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60.0) == ('', '')
    assert process.returncode == INTERRUPTED


@pytest.mark.parametrize('number', STOPPING)
def test_a_command_at_work_says_how_it_goes_on(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = [signal.getsignal(each) for each in STOPPING]

    def main() -> int:
        os.kill(os.getpid(), number)
        signal.pause()
        return 0

    assert interruptible(main, 'go on so') == INTERRUPTED
    assert caplog.messages == ['go on so']
    assert [signal.getsignal(each) for each in STOPPING] == before
    assert interruptible(lambda: 3) == 3
