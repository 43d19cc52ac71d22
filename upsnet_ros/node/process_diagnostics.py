# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The state of the worker and of the memory as diagnostic messages."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticStatus

from upsnet_ros.core.pid_namespace import pid_namespace
from upsnet_ros.node.diagnostics import NOT_AVAILABLE, status_message
from upsnet_ros.node.process_memory import peak_resident_bytes, resident_bytes
from upsnet_ros.node.supervisor import WorkerState

MEBIBYTE = 1 << 20


def worker_status(
    node: str, state: WorkerState | None, *, hardware_id: str, limit_s: float, max_failures: int
) -> DiagnosticStatus:
    """ERROR from a failure until a frame succeeds; the message says what is being done.

    Args:
        node: name of the node with its namespace.
        state: None while the node is unconfigured.
        hardware_id: name of the model.
        limit_s: longest time for one frame, 0 for any.
        max_failures: so many in a row have the model loaded anew, 0 for never.
    """
    name = f'{node}: worker'
    if state is None:
        return status_message(name, 'none', DiagnosticStatus.OK, 'not configured', {})
    failures = state.failures
    values = {
        'busy_for_s': f'{state.busy_for_s:.2f}',
        'watchdog_timeout_s': f'{limit_s:g}',
        'failures': failures.total,
        'failures_in_a_row': failures.in_a_row,
        'max_consecutive_failures': max_failures,
        'worker_restarts': state.restarts,
        'model_reloads': state.reloads,
        'last_failure': failures.reason or 'none',
    }
    level = DiagnosticStatus.ERROR
    if failures.stop_reason:
        message = failures.stop_reason
    elif state.is_reloading or failures.wants_reload:
        message = f'the model is loaded anew after: {failures.reason or "an earlier failure"}'
    elif failures.reason:
        limit = f', limit {max_failures}' if max_failures else ''
        message = f'{failures.in_a_row} failures in a row{limit}: {failures.reason}'
    else:
        level = DiagnosticStatus.OK
        limit = f', limit {limit_s:g} s' if limit_s else ''
        busy = f'a frame is in work for {state.busy_for_s:.2f} s{limit}'
        message = busy if state.busy_for_s else 'waits for frames'
    return status_message(name, hardware_id, level, message, values)


def memory_status(
    node: str,
    *,
    backend: object | None,
    limit_mib: int,
    resident: Callable[[], int | None] = resident_bytes,
) -> DiagnosticStatus:
    """Memory of the process, and of the device where the backend tells it; WARN over a limit.

    Its hardware id is the computer, on which `process_id` says who can be looked at further by
    those of the same `pid_namespace`: ids of a container mean others outside.

    Args:
        node: name of the node with its namespace.
        backend: asked for `device_memory_bytes`, which it may lack.
        limit_mib: most MiB of the process that are fine, 0 for any.
        resident: tells the bytes in memory, None where nobody knows.
    """
    size = resident()
    values: Mapping[str, object] = {
        'resident_mib': _mebibytes(size),
        'peak_resident_mib': _mebibytes(peak_resident_bytes()),
        'device_mib': _mebibytes(getattr(backend, 'device_memory_bytes', None)),
        'limit_mib': limit_mib or 'none',
        'process_id': os.getpid(),
        'pid_namespace': pid_namespace() or NOT_AVAILABLE,
    }
    limit = f', limit {limit_mib} MiB' if limit_mib else ''
    message = f'{values["resident_mib"]} MiB in memory{limit}'
    is_fine = size is None or not limit_mib or size <= limit_mib * MEBIBYTE
    level = DiagnosticStatus.OK if is_fine else DiagnosticStatus.WARN
    return status_message(f'{node}: memory', socket.gethostname(), level, message, values)


def _mebibytes(size: int | None) -> str:
    """A number of bytes as text."""
    return NOT_AVAILABLE if size is None else f'{size / MEBIBYTE:.1f}'
