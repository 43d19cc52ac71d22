# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
import resource
import socket
from types import SimpleNamespace

import numpy as np
import pytest

from tests.node.node_harness import find_status, status_values
from upsnet_ros.node.diagnostics import memory_status, worker_status
from upsnet_ros.node.process import peak_resident_bytes, resident_bytes
from upsnet_ros.node.recovery import FailureState
from upsnet_ros.node.supervisor import WorkerState

OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'
MEBIBYTE = 1 << 20


def test_memory_is_that_of_the_process() -> None:
    before = resident_bytes()
    block = np.ones(64 * MEBIBYTE, np.uint8)
    assert resident_bytes() - before >= 60 * MEBIBYTE
    assert peak_resident_bytes() >= resident_bytes()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak_resident_bytes() == pytest.approx(most, rel=0.05)
    assert block[-1] == 1


def test_memory_is_unknown_where_the_system_does_not_tell(tmp_path) -> None:
    assert resident_bytes(tmp_path / 'missing') is None
    (tmp_path / 'other').write_text('Name:\tpython\n')
    assert peak_resident_bytes(tmp_path / 'other') is None
    status = memory_status('node', backend=None, limit_mib=1, resident=lambda: None)
    assert (status.level, status_values(status)['resident_mib']) == (OK, 'n/a')


@pytest.mark.parametrize(('limit', 'level'), [(0, OK), (100, OK), (99, WARN)])
def test_memory_over_its_limit_is_a_warning_with_both(limit: int, level: bytes) -> None:
    backend = SimpleNamespace(device_memory_bytes=5 * MEBIBYTE)
    status = memory_status(
        'node', backend=backend, limit_mib=limit, resident=lambda: 100 * MEBIBYTE
    )
    assert (status.level, status.name) == (level, 'node: memory')
    assert '100.0 MiB' in status.message
    assert (f'limit {limit} MiB' in status.message) == bool(limit)
    values = status_values(status)
    assert (values['device_mib'], values['limit_mib']) == ('5.0', str(limit or 'none'))
    assert (status.hardware_id, values['process_id']) == (socket.gethostname(), str(os.getpid()))
    assert values['pid_namespace'] == os.readlink('/proc/self/ns/pid')


@pytest.mark.parametrize(
    ('failures', 'changes', 'level', 'texts'),
    [
        ({}, {}, OK, ['waits']),
        ({}, {'busy_for_s': 2.5}, OK, ['2.50 s', 'limit 7 s']),
        ({'in_a_row': 2, 'reason': 'broke'}, {}, ERROR, ['2 failures', 'limit 5', 'broke']),
        ({'reason': 'broke', 'wants_reload': True}, {}, ERROR, ['loaded anew', 'broke']),
        ({}, {'is_reloading': True}, ERROR, ['loaded anew']),
        ({'reason': 'broke', 'stop_reason': 'no use'}, {}, ERROR, ['no use']),
    ],
)
def test_worker_levels(failures, changes, level, texts) -> None:
    values = {'restarts': 3, 'reloads': 1, 'busy_for_s': 0.0, 'is_reloading': False, **changes}
    state = WorkerState(failures=FailureState(total=9, **failures), **values)
    status = worker_status('node', state, hardware_id='tiny', limit_s=7.0, max_failures=5)
    assert (status.level, status.name, status.hardware_id) == (level, 'node: worker', 'tiny')
    for text in texts:
        assert text in status.message
    shown = status_values(status)
    assert (shown['failures'], shown['worker_restarts'], shown['model_reloads']) == ('9', '3', '1')


def test_the_memory_limit_is_live(start_node) -> None:
    harness = start_node(diagnostics_period=0.05)
    diagnostics = harness.diagnostics()
    diagnostics.wait_for(lambda seen: find_status(seen, 'memory').level == OK, 'no limit')
    assert harness.set_parameters(max_memory=1).successful
    diagnostics.wait_for(lambda seen: find_status(seen, 'memory').level == WARN, 'over 1 MiB')
