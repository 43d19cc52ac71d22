# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs lint and the test suites, two at a time, each in its environment and to its end.

    python3 .ci/run_tests.py          everything: `make test`
    python3 .ci/run_tests.py check    what needs no ROS, no torch and no process: `make check`
    python3 .ci/run_tests.py lint     rules, format and types: `make lint`

Each line of a suite's output has its name in front.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ros_variables import ROOT, environment, venv_python

AT_A_TIME = 2
# Suites share the cores, and what tests compute is small: more threads only wait for each other.
ONE_THREAD = {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'}


@dataclass(frozen=True)
class Suite:
    """A command of an environment.

    Attributes:
        name: shown in front of each line.
        venv: name of the environment.
        arguments: those of `python -m`.
    """

    name: str
    venv: str
    arguments: tuple[str, ...]

    def run(self) -> tuple[int, float]:
        """Runs it from the root of the checkout; returns exit status and seconds."""
        started = time.monotonic()
        process = subprocess.Popen(
            [str(venv_python(self.venv)), '-u', '-m', *self.arguments],
            cwd=ROOT,
            env={**environment(self.venv), **ONE_THREAD},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        )
        for line in process.stdout or ():
            print(f'{self.name:>9} | {line}', end='', flush=True)
        return process.wait(), time.monotonic() - started


def tests(name: str, *arguments: str, venv: str = 'runtime') -> Suite:
    """A suite of pytest."""
    return Suite(name, venv, ('pytest', *arguments))


LINT = (
    Suite('types', 'runtime', ('mypy',)),
    Suite('rules', 'runtime', ('ruff', 'check', '.')),
    Suite('format', 'runtime', ('ruff', 'format', '--check', '.')),
)
# Without ROS, but for what is marked as heavy.
QUICK = (
    'tests/core',
    'tests/images',
    'tests/bags',
    'tests/report',
    'tests/test_import_rules.py',
    'tests/test_manifest.py',
    'tests/test_pipeline.py',
)
PLUGIN_TEST = 'tests/tensorrt/test_deform_conv_plugin.py'  # proven with two versions
SUITES = (
    tests('training', 'tests/training', 'tests/parity', venv='training'),
    tests('node', 'tests/node'),
    tests('replays', 'tests/evaluation', 'tests/live'),
    tests('tensorrt', 'tests/tensorrt', venv='tensorrt'),
    tests('browser', 'tests/browser'),
)
ELSEWHERE = [path for suite in SUITES for path in suite.arguments if path.startswith('tests/')]
COMMANDS = {
    'lint': LINT,
    'check': (*LINT, tests('tests', *QUICK, '-m', 'not heavy')),
    # The longest first, so that none is left alone at the end.
    'all': (
        *LINT,
        *SUITES[:2],
        tests('others', 'tests', *(f'--ignore={folder}' for folder in ELSEWHERE)),
        *SUITES[2:],
        tests('trt 10', PLUGIN_TEST, venv='tensorrt-10'),
    ),
}


def main(command: str = 'all') -> int:
    """Runs the suites of a command; the exit status is that of the first that failed, or 0."""
    suites = COMMANDS[command]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(Suite.run, suites))
    print()
    for suite, (status, seconds) in zip(suites, results, strict=True):
        outcome = 'passed' if status == 0 else f'FAILED (status {status})'
        print(f'{suite.name:>10} {outcome} in {seconds:.0f} s')
    return next((status for status, _ in results if status), 0)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
