# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs lint and all test suites, each in its environment, to the end even when one fails."""

from __future__ import annotations

import subprocess
import sys
import time

from ros_variables import ROOT, environment, venv_python

TRAINING_TESTS = ('tests/training', 'tests/parity')
TENSORRT_TESTS = 'tests/tensorrt'
BROWSER_TESTS = 'tests/browser'
PLUGIN_TEST = f'{TENSORRT_TESTS}/test_deform_conv_plugin.py'  # proven with two versions
ELSEWHERE = (*TRAINING_TESTS, TENSORRT_TESTS, BROWSER_TESTS)
RUNTIME_PYTEST = ['pytest', 'tests', *(f'--ignore={folder}' for folder in ELSEWHERE)]
TRAINING_PYTEST = ['pytest', *(folder for folder in TRAINING_TESTS if (ROOT / folder).is_dir())]

# Name, environment, arguments of `python -m`.
SUITES = (
    ('lint: rules', 'runtime', ['ruff', 'check', '.']),
    ('lint: format', 'runtime', ['ruff', 'format', '--check', '.']),
    ('runtime tests', 'runtime', RUNTIME_PYTEST),
    ('browser tests', 'runtime', ['pytest', BROWSER_TESTS]),
    ('training tests', 'training', TRAINING_PYTEST),
    ('TensorRT tests', 'tensorrt', ['pytest', TENSORRT_TESTS]),
    ('TensorRT 10 tests', 'tensorrt-10', ['pytest', PLUGIN_TEST]),
)


def run_suite(name: str, venv: str, arguments: list[str]) -> tuple[str, int, float]:
    """Runs one suite from the root of the checkout; returns its name, exit status and seconds."""
    print(f'\n=== {name} ===', flush=True)
    started = time.monotonic()
    command = [str(venv_python(venv)), '-m', *arguments]
    status = subprocess.run(
        command, cwd=ROOT, env=environment(venv), stdin=subprocess.DEVNULL
    ).returncode
    return name, status, time.monotonic() - started


def main() -> int:
    """Runs all suites; the exit status is that of the first that failed, or 0."""
    results = [run_suite(*suite) for suite in SUITES]
    print('\n=== all suites ===')
    for name, status, seconds in results:
        outcome = 'passed' if status == 0 else f'FAILED (status {status})'
        print(f'{name:18} {outcome} in {seconds:.0f} s')
    return next((status for _, status, _ in results if status), 0)


if __name__ == '__main__':
    sys.exit(main())
