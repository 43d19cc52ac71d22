# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals end real processes with the status asked for, without a word; memory is kept."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from upsnet_ros.core.own_process import STOPPING, Interrupted, interrupted_by_signals

pytestmark = pytest.mark.heavy


def start(*command: str) -> subprocess.Popen[str]:
    """A process of Python that has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, '-u', *command],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
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
    process = start('-c', code)
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
    process = start('-c', code)
    process.send_signal(number)
    assert process.communicate(timeout=30.0) == ('ended\n', '')
    assert process.returncode == 9


@pytest.mark.parametrize(
    'work',
    [
        'try:\n    work()\nexcept BaseException as error:\n    raise ImportError("no library")',
        'try:\n    work()\nexcept BaseException:\n    pass\nwork()',
        'exec("work()")',
    ],
    ids=['made another error', 'swallowed', 'passed through exec'],
)
def test_an_interrupt_ends_the_work_whatever_a_library_makes_of_it(
    work: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        'import time\n'
        'from upsnet_ros.core.own_process import interrupted_by_signals\n'
        'def work():\n'
        '    print("ready")\n'
        '    time.sleep(60)\n'
        'try:\n'
        '    with interrupted_by_signals():\n'
        f'{textwrap.indent(work, 8 * " ")}\n'
        'except KeyboardInterrupt:\n'
        '    raise SystemExit(9)\n'
    )
    (tmp_path / 'at_work.py').write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    process = start('-m', 'at_work')
    process.send_signal(signal.SIGINT)
    if work.endswith('\nwork()'):
        assert process.stdout is not None and process.stdout.readline() == 'ready\n'
        process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30.0) == ('', '')
    assert process.returncode == 9


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with pytest.raises(Interrupted), interrupted_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_pictures_that_come_and_go_take_the_memory_of_those_before() -> None:
    code = (
        'import resource, threading\n'
        'from upsnet_ros.core.own_process import keep_memory\n'
        'def pages():\n'
        '    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
        'def frames(number):\n'
        '    for _ in range(number):\n'
        '        pictures = [bytes([1]) * (6 << 20) for _ in range(3)]\n'
        'def work():\n'
        '    frames(5)\n'
        '    before = pages()\n'
        '    frames(20)\n'
        '    print(pages() - before)\n'
        'print("ready")\n'
        'keep_memory()\n'
        'thread = threading.Thread(target=work)\n'
        'thread.start()\n'
        'thread.join()\n'
    )
    one_picture = (6 << 20) // resource.getpagesize()
    assert int(start('-c', code).communicate(timeout=30.0)[0]) < one_picture
