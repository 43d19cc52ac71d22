# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs lint and the test suites, two at a time, each in its environment and to its end.

    python3 .ci/run_tests.py          everything: `make test`
    python3 .ci/run_tests.py check    what needs no ROS, no torch and no process: `make check`
    python3 .ci/run_tests.py lint     rules, format and types: `make lint`

Each line of a suite's output has its name in front. The last line says how many tests passed and
how many failed, all suites together.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ros_variables import DISTRIBUTIONS, ROOT, ROS, environment, venv_python

AT_A_TIME = 2
# A suite that takes longer hangs outside of its tests, which have deadlines: it is killed.
LONGEST_S = 3600.0
# Process groups of suites: their own, so that the processes of their tests end with them.
RUNNING: set[int] = set()
# Suites share the cores, and what tests compute is small: more threads only wait for each other.
ONE_THREAD = {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'}


EXECUTE = (sys.executable, str(ROOT / '.ci' / 'environment.py'), 'exec')
# What pytest counts, as in its last line: `2 failed, 31 passed, 1 error in 4.05s`.
SUMMARY = re.compile(r'^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in \d[\d.]*s')
COUNT = re.compile(r'(\d+) ([a-z]+)')
FAILURES = ('failed', 'error', 'errors')


@dataclass(frozen=True)
class Outcome:
    """What came of a suite.

    Attributes:
        status: exit status of its command.
        seconds: that it took.
        counts: of its tests by pytest's word for their outcome; empty where no test ran.
        was_killed: whether it took too long.
    """

    status: int
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    was_killed: bool = False

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self.counts.get('passed', 0)

    @property
    def failed(self) -> int:
        """Tests that failed, or could not be prepared or collected."""
        return sum(self.counts.get(word, 0) for word in FAILURES)


def read_counts(line: str) -> dict[str, int]:
    """Numbers of tests by outcome in pytest's last line; empty for any other line."""
    found = SUMMARY.match(line)
    return {word: int(number) for number, word in COUNT.findall(found[1])} if found else {}


@dataclass(frozen=True)
class Suite:
    """A command of an environment.

    Attributes:
        name: shown in front of each line.
        venv: name of the environment.
        arguments: those of `python -m`.
        ros: distribution whose wheels it runs on; '' for the chosen one.
    """

    name: str
    venv: str
    arguments: tuple[str, ...]
    ros: str = ''

    @property
    def has_tests(self) -> bool:
        """Whether it is one of pytest's, which has to have run some."""
        return self.arguments[0] == 'pytest'

    def run(self) -> Outcome:
        """Runs it from the root of the checkout."""
        started = time.monotonic()
        counts: dict[str, int] = {}
        process = subprocess.Popen(
            [*self._python(), '-u', '-m', *self.arguments],
            cwd=ROOT,
            env={**(os.environ if self.ros else environment(self.venv)), **ONE_THREAD},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            start_new_session=True,
        )
        RUNNING.add(process.pid)
        killed = threading.Event()

        def kill() -> None:
            killed.set()
            os.killpg(process.pid, signal.SIGKILL)

        deadline = threading.Timer(LONGEST_S, kill)
        deadline.start()
        for line in process.stdout or ():
            print(f'{self.name:>9} | {line}', end='', flush=True)
            counts = (self.has_tests and read_counts(line)) or counts
        status = process.wait()
        RUNNING.discard(process.pid)
        deadline.cancel()
        return Outcome(status, time.monotonic() - started, counts, killed.is_set())

    def _python(self) -> list[str]:
        """What begins the command; another distribution's environment is made by a process."""
        if not self.ros:
            return [str(venv_python(self.venv))]
        return ['env', f'ROS={self.ros}', *EXECUTE, self.venv, '--', 'python']

    def problem(self, outcome: Outcome) -> str:
        """What is wrong with an outcome; empty if nothing is."""
        if outcome.was_killed:
            return f'killed after {LONGEST_S:.0f} s'
        if outcome.status:
            return f'status {outcome.status}'
        return 'no test passed' if self.has_tests and not outcome.passed else ''


def tests(name: str, *arguments: str, venv: str = 'runtime', ros: str = '') -> Suite:
    """A suite of pytest."""
    return Suite(name, venv, ('pytest', *arguments), ros)


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
    'tests/label',
    'tests/test_import_rules.py',
    'tests/test_manifest.py',
    'tests/test_pipeline.py',
)
# For the other distribution: processes, lifecycle, messages and quality of service over its DDS.
OTHER_ROS = (
    'tests/node/test_process.py',
    'tests/node/test_lifecycle.py',
    'tests/node/test_outputs.py',
    'tests/node/test_qos_matrix.py',
    'tests/live/test_evaluation.py',
)
PLUGIN_TEST = 'tests/tensorrt/test_deform_conv_plugin.py'  # proven with two versions
SUITES = (
    tests('training', 'tests/training', 'tests/parity', venv='training'),
    tests('replays', 'tests/evaluation', 'tests/live'),
    tests('node', 'tests/node'),
    tests('tensorrt', 'tests/tensorrt', venv='tensorrt'),
    tests('browser', 'tests/browser'),
)
ELSEWHERE = [path for suite in SUITES for path in suite.arguments if path.startswith('tests/')]
COMMANDS = {
    'lint': LINT,
    'check': (*LINT, tests('tests', *QUICK, '-m', 'not heavy')),
    # The longest first, so that both lanes come to their end together.
    'all': (
        *LINT,
        SUITES[0],
        tests('others', 'tests', *(f'--ignore={folder}' for folder in ELSEWHERE)),
        *SUITES[1:],
        *(tests(name, *OTHER_ROS, ros=name) for name in DISTRIBUTIONS if name != ROS),
        tests('trt 10', PLUGIN_TEST, venv='tensorrt-10'),
    ),
}


def remove_leftovers() -> None:
    """Frees the shared memory of processes that died, as those do that tests kill: 100 MB each.

    Their queues stay: each of our processes begins in a DDS domain without any.
    """
    for path in Path('/dev/shm').glob(f'fast*_{"[0-9a-f]" * 16}_el'):
        with suppress(OSError), path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.with_name(path.name.removesuffix('_el')).unlink(missing_ok=True)
            path.unlink()


def hand_on(number: int, frame: FrameType | None) -> None:
    """Gives a signal to the suites that run; the command ends when they have."""
    for group in tuple(RUNNING):
        with suppress(ProcessLookupError):
            os.killpg(group, number)


def main(command: str = 'all') -> int:
    """Runs the suites of a command; the exit status is that of the first that failed, or 0."""
    suites = COMMANDS[command]
    if command == 'all':
        remove_leftovers()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = list(pool.map(Suite.run, suites))
    if command == 'all':
        remove_leftovers()
    print()
    for suite, outcome in zip(suites, outcomes, strict=True):
        problem = suite.problem(outcome)
        verdict = f'FAILED ({problem})' if problem else 'passed'
        counts = ', '.join(f'{number} {word}' for word, number in outcome.counts.items())
        print(
            f'{suite.name:>10} {verdict} in {outcome.seconds:.0f} s' + f': {counts}' * bool(counts)
        )
    if any(suite.has_tests for suite in suites):
        passed = sum(outcome.passed for outcome in outcomes)
        print(f'{passed} passed, {sum(outcome.failed for outcome in outcomes)} failed')
    problems = zip(suites, outcomes, strict=True)
    return next((outcome.status or 1 for suite, outcome in problems if suite.problem(outcome)), 0)


if __name__ == '__main__':
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    sys.exit(main(*sys.argv[1:]))
