# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `make test` says in the end: every suite's tests counted, and none that did not run."""

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
