# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `make test` says in the end: every suite's tests counted, and none that did not run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / '.ci'))

import run_tests  # noqa: E402

TESTS = {
    'good': 'def test_a(): pass\ndef test_b(): pass\n',
    'bad': 'import pytest\n@pytest.fixture\ndef broken(): raise OSError\n'
    'def test_a(): pass\ndef test_b(): assert False\ndef test_c(broken): pass\n',
    'skipped': 'import pytest\npytest.skip("all of it", allow_module_level=True)\n',
    'none': '',
}
HANGING_TEST = 'import threading\ndef test_a(): pass\ndef test_b(): threading.Event().wait()\n'
HANGING_END = 'import atexit, sys, time\ndef test_a(): pass\natexit.register(time.sleep, 3600)\n'


@pytest.mark.parametrize(
    ('line', 'counts'),
    [
        ('31 passed in 4.05s\n', {'passed': 31}),
        (
            '2 failed, 31 passed, 1 error in 75.31s (0:01:15)\n',
            {'failed': 2, 'passed': 31, 'error': 1},
        ),
        ('==== 1 passed, 3 warnings in 0.50s ====\n', {'passed': 1, 'warnings': 3}),
        ('FAILED tests/test_a.py - 3 passed in 4 steps\n', {}),
        ('no tests ran in 0.01s\n', {}),
    ],
)
def test_the_numbers_of_a_suite_are_read_from_its_last_line(line, counts) -> None:
    assert run_tests.read_counts(line) == counts


def test_all_suites_add_up_and_one_without_tests_fails(tmp_path, monkeypatch, capsys) -> None:
    suites = {}
    for name, code in TESTS.items():
        path = tmp_path / f'test_{name}.py'
        path.write_text(code)
        suites[name] = run_tests.tests(name, str(path), '--noconftest')
    monkeypatch.setitem(run_tests.COMMANDS, 'mixed', tuple(suites.values()))
    monkeypatch.setitem(run_tests.COMMANDS, 'fine', (suites['good'],))
    monkeypatch.setitem(run_tests.COMMANDS, 'empty', (suites['good'], suites['skipped']))

    assert run_tests.main('fine') == 0
    assert capsys.readouterr().out.splitlines()[-1] == '2 passed, 0 failed'

    assert run_tests.main('mixed') == 1
    *_, good, bad, skipped, none, total = capsys.readouterr().out.splitlines()
    assert 'good passed in' in good and good.endswith(': 2 passed')
    assert 'bad FAILED (status 1)' in bad
    assert 'skipped FAILED' in skipped and 'none FAILED (status 5)' in none
    assert total == '3 passed, 2 failed'

    assert run_tests.main('empty') != 0
    assert capsys.readouterr().out.splitlines()[-1] == '2 passed, 0 failed'


def test_a_hang_fails_with_its_place_and_holds_up_no_other_suite(
    tmp_path, monkeypatch, capsys
) -> None:
    suites = {}
    for name, code in {'test': HANGING_TEST, 'end': HANGING_END, 'good': TESTS['good']}.items():
        path = tmp_path / f'test_{name}.py'
        path.write_text(code)
        options = ('-o', 'faulthandler_timeout=1') if name == 'test' else ()
        options = ('--noconftest', '-c', str(run_tests.ROOT / 'pyproject.toml'), *options)
        suites[name] = run_tests.tests(name, str(path), *options)
    monkeypatch.setitem(run_tests.COMMANDS, 'hanging', (suites['test'],))
    assert run_tests.main('hanging') == 1
    output = capsys.readouterr().out
    assert 'in test_b' in output and 'FAILED (status 1)' in output

    monkeypatch.setattr(run_tests, 'LONGEST_S', 5.0)
    monkeypatch.setitem(run_tests.COMMANDS, 'endless', (suites['end'], suites['good']))
    assert run_tests.main('endless') != 0
    *_, endless, good, total = capsys.readouterr().out.splitlines()
    assert 'end FAILED (killed after 5 s)' in endless
    assert 'good passed' in good and total == '3 passed, 0 failed'


def test_an_interrupt_reaches_the_processes_of_the_suites(tmp_path) -> None:
    (tmp_path / 'test_endless.py').write_text(
        'import subprocess, sys\n'
        'def test_a(): subprocess.run([sys.executable, "-c", CODE])\n'
        'CODE = "import time; print(\'here\', flush=True); time.sleep(3600)"\n'
    )
    code = (
        'import signal, run_tests; signal.signal(signal.SIGINT, run_tests.hand_on);'
        f'suite = run_tests.tests("endless", {str(tmp_path)!r}, "-s", "--noconftest");'
        'run_tests.COMMANDS["one"] = (suite,); print("ended", run_tests.main("one"))'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=Path(run_tests.__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if 'here' in line:
            process.send_signal(signal.SIGINT)
            break
    assert 'ended' in process.communicate(timeout=60)[0].splitlines()[-1]
