# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The health check, as a process beside a running node."""

import subprocess
import sys
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from upsnet_ros.node.health import find_engine, judge

ROOT = Path(__file__).parents[2]


def check(node: str, *options: str) -> tuple[int, str]:
    """Exit status and line of the command."""
    command = [sys.executable, '-m', 'upsnet_ros.node.health', '--node', node, *options]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert answer.stderr == ''
    return answer.returncode, answer.stdout.strip()


def test_a_node_is_well_while_it_is_active(start_node) -> None:
    harness = start_node(diagnostics_period=0.1).activate()
    name = f'/{harness.namespace}/perception_node'
    assert check(name, '--timeout', '20') == (0, f'{name}: well')
    assert harness.change_state('deactivate')
    status, line = check(name, '--timeout', '20')
    assert status == 1 and "is 'inactive', expected 'active'" in line
    assert check(name, '--timeout', '20', '--may-be-inactive')[0] == 0


def test_a_node_that_is_not_there_is_not_well() -> None:
    status, line = check('/nobody', '--timeout', '0.5')
    assert (status, line) == (1, '/nobody: no state of /nobody on /diagnostics for 0.5 s')


@pytest.mark.parametrize(
    ('level', 'state', 'reason'),
    [
        (DiagnosticStatus.OK, 'active', ''),
        (DiagnosticStatus.WARN, 'active', ''),
        (DiagnosticStatus.ERROR, 'active', 'engine: broken'),
        (DiagnosticStatus.STALE, 'active', 'engine: broken'),
        (
            DiagnosticStatus.WARN,
            'unconfigured',
            "lifecycle state is 'unconfigured', expected 'active'",
        ),
    ],
)
def test_level_and_state_decide(level, state, reason) -> None:
    values = [KeyValue(key='lifecycle_state', value=state)]
    status = DiagnosticStatus(level=level, name='n: engine', message='broken', values=values)
    assert judge(status) == reason


def test_only_the_engine_of_the_asked_node_counts() -> None:
    message = DiagnosticArray(
        status=[DiagnosticStatus(name='car/n: camera a'), DiagnosticStatus(name='car/n: engine')]
    )
    assert find_engine(message, '/car/n') is message.status[1]
    assert find_engine(message, '/n') is None
    assert find_engine(DiagnosticArray(), '/car/n') is None
