# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's state as diagnostic messages: engine, worker, cameras, times and memory.

They are published from a timer on the steady clock, so that a node whose cameras or whose
simulated time stand still reports just that. The keys about limits of processing times are named
as Autoware names them, so that its monitors read them.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from upsnet_ros.core.own_process import pid_namespace
from upsnet_ros.node.camera import CameraSnapshot, CameraState
from upsnet_ros.node.engine import Engine
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.process import peak_resident_bytes, resident_bytes
from upsnet_ros.node.supervisor import WorkerState
from upsnet_ros.node.timing import DEADLINE_STAGE, Delays, NodeTiming, TimingWindow

NOT_AVAILABLE = 'n/a'


@dataclass(frozen=True)
class EngineState:
    """What the node runs.

    Attributes:
        lifecycle_state: 'unconfigured', 'inactive' or 'active'.
        enabled: False when intake was switched off by the enable service.
        model: name in the manifest; empty while unconfigured.
        values: further facts (backend, device, hash, input size), in the order to show them.
        failure: why the last transition failed; empty when it did not.
        file_was_replaced: the model's file is another one than that which runs.
    """

    lifecycle_state: str
    enabled: bool
    model: str
    values: Mapping[str, str]
    failure: str
    file_was_replaced: bool = False


def status_message(
    name: str, hardware_id: str, level: bytes, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    """A status message; every value becomes text."""
    return DiagnosticStatus(
        level=level,
        name=name,
        hardware_id=hardware_id,
        message=message,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def engine_status(node: str, state: EngineState) -> DiagnosticStatus:
    """ERROR after a failed transition, WARN while nothing or an old file is loaded, else OK."""
    if state.failure:
        level, message = DiagnosticStatus.ERROR, state.failure
    elif not state.model:
        level, message = DiagnosticStatus.WARN, 'not configured'
    elif state.file_was_replaced:
        level = DiagnosticStatus.WARN
        message = (
            f'{state.model}: {state.lifecycle_state}; the file of the model was replaced or '
            'removed since it was loaded, restart or reconfigure to use it'
        )
    else:
        level, message = DiagnosticStatus.OK, f'{state.model}: {state.lifecycle_state}'
    values = {
        'lifecycle_state': state.lifecycle_state,
        'enabled': state.enabled,
        'model': state.model or NOT_AVAILABLE,
        **state.values,
    }
    return status_message(f'{node}: engine', state.model or 'none', level, message, values)


def camera_status(
    node: str, camera: CameraSnapshot, *, is_open: bool, stale_after_s: float
) -> DiagnosticStatus:
    """One of the states closed, waiting, ok, stale, rejected, failed, with its reason.

    Args:
        node: name of the node with its namespace.
        camera: the camera's counters.
        is_open: whether the node takes frames at all.
        stale_after_s: longest time without a frame that is fine.
    """
    state, level, message = _camera_state(camera, is_open=is_open, stale_after_s=stale_after_s)
    size = camera.image_size
    values = {
        'state': state,
        'received': camera.received,
        'processed': camera.processed,
        'waiting': camera.waiting,
        'dropped': camera.dropped,
        'overflowed': camera.overflowed,
        'out_of_order': camera.out_of_order,
        'rate_limited': camera.rate_limited,
        'rejected': camera.rejected,
        'failed': camera.failed,
        'discarded': camera.discarded,
        'rate_hz': f'{camera.rate_hz:.1f}',
        'processed_hz': f'{camera.processed_hz:.1f}',
        'last_image_age_s': NOT_AVAILABLE
        if camera.last_age_s is None
        else f'{camera.last_age_s:.2f}',
        'encoding': camera.encoding or NOT_AVAILABLE,
        'image_size': f'{size[1]}x{size[0]}' if size else NOT_AVAILABLE,
        'last_reason': camera.last_reason or 'none',
    }
    return status_message(f'{node}: camera {camera.name}', camera.name, level, message, values)


def _camera_state(
    camera: CameraSnapshot, *, is_open: bool, stale_after_s: float
) -> tuple[str, bytes, str]:
    """State, level and message of a camera; the first rule that applies decides."""
    if not is_open:
        return 'closed', DiagnosticStatus.OK, 'intake is closed'
    if camera.qos_problem:
        return (
            'waiting',
            DiagnosticStatus.ERROR,
            f'a publisher offers another {camera.qos_problem} than this node asks for; set the '
            "parameter 'input_qos' to auto or sensor_data while the node is unconfigured, or "
            "change what 'qos_overrides' says of that topic",
        )
    silence_s = camera.open_for_s if camera.last_age_s is None else camera.last_age_s
    if silence_s > stale_after_s:
        since = ' since intake opened' if camera.last_age_s is None else ''
        message = f'no image{since} for {silence_s:.1f} s, limit {stale_after_s:g} s'
        return 'stale', DiagnosticStatus.ERROR, message
    if camera.last_age_s is None:
        return 'waiting', DiagnosticStatus.WARN, 'no image has arrived yet'
    loss = 'failed' if camera.last_reason_is_failure else 'rejected'
    last_loss = f'last frame {loss}: {camera.last_reason}' if camera.last_reason else ''
    if camera.is_overflowing:
        message = _overflow(camera) + (f'; {last_loss}' if last_loss else '')
        return 'overflowed', DiagnosticStatus.ERROR, message
    if last_loss:
        return loss, DiagnosticStatus.ERROR, last_loss
    return _working_state(camera)


def _overflow(camera: CameraSnapshot) -> str:
    """What was lost for want of memory, and what to do."""
    return (
        f'{camera.overflowed} frames lost: the images that wait fill the memory of parameter '
        "'process_all_memory'; raise it, or play the recording more slowly"
    )


def _working_state(camera: CameraSnapshot) -> tuple[str, bytes, str]:
    """State, level and message of a camera whose last frame was answered or is on its way."""
    if camera.order_is_broken:
        message = (
            f'{camera.out_of_order} images out of order dropped, their stamps are not later than '
            "the last one's; look at the camera's driver, or set 'drop_out_of_order' to false"
        )
        return 'ok', DiagnosticStatus.WARN, message
    if camera.overflowed:
        return 'ok', DiagnosticStatus.WARN, _overflow(camera)
    return (
        'ok',
        DiagnosticStatus.OK,
        f'{camera.rate_hz:.1f} images per second, {camera.processed_hz:.1f} processed',
    )


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


SHARES = (50, 95, 99)
TITLE = 'processing time'


@dataclass(frozen=True)
class Deadline:
    """How long a frame may take.

    Attributes:
        limit_ms: longest time from taking a frame to the end of publishing; 0 for no limit.
        max_consecutive: so many late frames in a row are an error; 0 for never.
    """

    limit_ms: float
    max_consecutive: int


def timing_statuses(
    node: str, timing: NodeTiming, deadline: Deadline, *, model: str
) -> list[DiagnosticStatus]:
    """The status of all frames together, then one for each camera.

    Args:
        node: name of the node with its namespace.
        timing: durations of the last frames.
        deadline: what is fine.
        model: its name, the hardware id of the first status; a camera's is its own name.
    """
    statuses = [
        timing_status(
            f'{node}: {TITLE}', timing.together, timing.delays(), deadline, hardware_id=model
        )
    ]
    for camera, window in timing.cameras.items():
        name = f'{node}: {TITLE} {camera}'
        statuses.append(
            timing_status(name, window, timing.delays(camera), deadline, hardware_id=camera)
        )
    return statuses


def timing_status(
    name: str, timing: TimingWindow, delays: Delays, deadline: Deadline, *, hardware_id: str
) -> DiagnosticStatus:
    """Percentiles of every stage; WARN or ERROR when frames are late.

    WARN when the last frame, or one of twenty, took longer than the limit; ERROR when as many in
    a row did as the deadline says.
    """
    last, (most,) = timing.last(DEADLINE_STAGE), timing.percentiles(DEADLINE_STAGE, (95,))
    row_is_fine = not deadline.max_consecutive or delays.in_a_row < deadline.max_consecutive
    is_fine = not deadline.limit_ms or (not delays.in_a_row and (most or 0) <= deadline.limit_ms)
    values: dict[str, object] = {
        'processing_time_ms': _milliseconds(last),
        'is_processing_time_ms_in_expected_range': is_fine,
        'consecutive_processing_delays': delays.in_a_row,
        'is_consecutive_processing_delay_in_range': row_is_fine,
        'delayed_frames': delays.total,
    }
    for stage in timing.stages() or [DEADLINE_STAGE]:
        for share, value in zip(SHARES, timing.percentiles(stage, SHARES), strict=True):
            values[f'{stage}_ms_p{share}'] = _milliseconds(value)
    level, message = DiagnosticStatus.OK, 'no frame yet'
    if most is not None:
        limit = f', limit {deadline.limit_ms:g} ms' if deadline.limit_ms else ''
        message = f'95 % of frames within {most:.1f} ms{limit}'
    if not is_fine:
        level = DiagnosticStatus.WARN
        message += f'; last frame {_milliseconds(last)} ms, {delays.in_a_row} late in a row'
    if not row_is_fine:
        level = DiagnosticStatus.ERROR
        message += f', limit {deadline.max_consecutive}'
    return status_message(name, hardware_id or 'none', level, message, values)


def _milliseconds(value: float | None) -> str:
    """A duration as text."""
    return NOT_AVAILABLE if value is None else f'{value:.1f}'


@dataclass(frozen=True)
class NodeParts:
    """What the report is about.

    Attributes:
        lifecycle_state: its name.
        is_enabled: False when intake was switched off by the enable service.
        failure: why the last transition failed or the node was stopped; empty when it was not.
        node_values: what else there is to say of the node as a whole, by name.
        engine: None while unconfigured.
        worker: None while unconfigured.
        cameras: none while unconfigured.
        timing: of the last frames.
    """

    lifecycle_state: str
    is_enabled: bool
    failure: str
    node_values: Mapping[str, object]
    engine: Engine | None
    worker: WorkerState | None
    cameras: Sequence[CameraState]
    timing: NodeTiming


def node_statuses(
    node: str, parts: NodeParts, parameters: NodeParameters
) -> list[DiagnosticStatus]:
    """The status of the engine, the worker, each camera, the times and the memory.

    Args:
        node: name of the node with its namespace.
        parts: what is reported on.
        parameters: the limits.
    """
    engine = parts.engine
    model = engine.model if engine else ''
    is_open = parts.lifecycle_state == 'active' and parts.is_enabled
    return [
        engine_status(node, _engine_state(parts, model)),
        worker_status(
            node,
            parts.worker,
            hardware_id=model,
            limit_s=parameters.watchdog_timeout,
            max_failures=parameters.max_consecutive_failures,
        ),
        *(
            camera_status(
                node, camera.snapshot(), is_open=is_open, stale_after_s=parameters.stale_after
            )
            for camera in parts.cameras
        ),
        *timing_statuses(
            node,
            parts.timing,
            Deadline(parameters.max_processing_time, parameters.max_consecutive_delays),
            model=model,
        ),
        memory_status(
            node,
            backend=engine.pipeline.backend if engine else None,
            limit_mib=parameters.max_memory,
        ),
    ]


def _engine_state(parts: NodeParts, model: str) -> EngineState:
    """What there is to say of the engine."""
    engine = parts.engine
    return EngineState(
        parts.lifecycle_state,
        parts.is_enabled,
        model,
        {**(engine.facts() if engine else {}), **parts.node_values},
        parts.failure,
        file_was_replaced=engine is not None and engine.file_was_replaced,
    )


class DiagnosticsOutput:
    """Publishes what the node's parts say of themselves, whether or not frames arrive.

    Args:
        node: publishes on /diagnostics.
        parts: gives the parts as they are now.
        parameters: gives the values that hold now.
    """

    def __init__(
        self,
        node: Node,
        *,
        parts: Callable[[], NodeParts],
        parameters: Callable[[], NodeParameters],
    ) -> None:
        self._node = node
        self._parts = parts
        self._parameters = parameters
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self._published_at = time.monotonic()

    def publish(self) -> None:
        """Publishes the state at this moment."""
        self._published_at = time.monotonic()
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name().lstrip('/')
        message.status = node_statuses(name, self._parts(), self._parameters())
        self._publisher.publish(message)

    def publish_when_due(self) -> None:
        """Publishes at the usual pace where no timer can: while the executor waits for a model."""
        if time.monotonic() - self._published_at < self._parameters().diagnostics_period:
            return
        try:
            self.publish()
        except Exception as error:  # the model is loaded whatever becomes of the diagnostics
            self._node.get_logger().error(f'the diagnostics could not be published: {error!r}')
