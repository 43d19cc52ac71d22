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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.duration import Duration
from rclpy.node import Node

from upsnet_ros.core.own_process import pid_namespace
from upsnet_ros.node.camera import COUNTERS, CameraSnapshot
from upsnet_ros.node.configured_parts import ConfiguredParts
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.process import peak_resident_bytes, resident_bytes
from upsnet_ros.node.timing import DEADLINE_STAGE, Delays, NodeTiming, TimingWindow
from upsnet_ros.node.topics import DIAGNOSTICS

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
NOT_AVAILABLE = 'n/a'
MEBIBYTE = 1 << 20
SHARES = (50, 95, 99)
TIMING_TITLE = 'processing time'
_LAST_WORD = Duration(seconds=1)


@dataclass(frozen=True)
class NodeReport:
    """What there is to say of the node at one moment.

    Attributes:
        lifecycle_state: its name.
        parts: what depends on the model; None while unconfigured.
        is_enabled: False when intake was switched off by the enable service.
        failure: why the last transition failed or the process ends; empty when it does not.
        values: what else there is to say of the node as a whole, by name.
    """

    lifecycle_state: str
    parts: ConfiguredParts | None = None
    is_enabled: bool = True
    failure: str = ''
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """Name of the model; empty while unconfigured."""
        return self.parts.engine.model if self.parts is not None else ''


class DiagnosticsOutput:
    """Publishes what the node says of itself, whether or not frames arrive.

    Args:
        node: publishes on /diagnostics.
        report: gives what there is to say now.
        parameters: gives the values that hold now.
    """

    def __init__(
        self,
        node: Node,
        *,
        report: Callable[[], NodeReport],
        parameters: Callable[[], NodeParameters],
    ) -> None:
        self._node = node
        self._report = report
        self._parameters = parameters
        self._message = DIAGNOSTICS.message_class()
        self._publisher = node.create_publisher(self._message, DIAGNOSTICS.name, 1)
        self._published_at = time.monotonic()

    def publish(self) -> None:
        """Publishes the state at this moment; what fails at that is logged, and costs no more."""
        self._published_at = time.monotonic()
        try:
            message = self._message()
            message.header.stamp = self._node.get_clock().now().to_msg()
            name = self._node.get_fully_qualified_name().lstrip('/')
            message.status = node_statuses(name, self._report(), self._parameters())
            self._publisher.publish(message)
        except Exception as error:
            self._node.get_logger().error(
                f'the diagnostics could not be published: {error!r}', throttle_duration_sec=5.0
            )

    def publish_last(self) -> None:
        """Publishes, and waits a moment for readers to have it: what a process leaves is lost."""
        self.publish()
        self._publisher.wait_for_all_acked(_LAST_WORD)

    def publish_when_due(self) -> None:
        """Publishes at the usual pace where no timer can: while the executor waits for a model."""
        if time.monotonic() - self._published_at >= self._parameters().diagnostics_period:
            self.publish()


def node_statuses(node: str, report: NodeReport, values: NodeParameters) -> list[DiagnosticStatus]:
    """The status of the engine, the worker, each camera, the times and the memory.

    Args:
        node: name of the node with its namespace.
        report: what there is to say.
        values: the limits.
    """
    is_open = report.lifecycle_state == 'active' and report.is_enabled
    parts = report.parts
    return [
        engine_status(node, report),
        worker_status(node, report, values),
        *(
            camera_status(
                node, camera.snapshot(), is_open=is_open, stale_after_s=values.stale_after
            )
            for camera in (parts.cameras if parts is not None else ())
        ),
        *timing_statuses(
            node,
            parts.timing if parts is not None else NodeTiming(),
            values,
            model=report.model,
        ),
        memory_status(
            node,
            backend=parts.engine.pipeline.backend if parts is not None else None,
            limit_mib=values.max_memory,
        ),
    ]


def status_message(
    name: str, hardware_id: str, level: bytes, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    """A status message; every value becomes text."""
    return DiagnosticStatus(
        level=level,
        name=name,
        hardware_id=hardware_id or 'none',
        message=message,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def engine_status(node: str, report: NodeReport) -> DiagnosticStatus:
    """ERROR after a failure, WARN while nothing or an old file is loaded, else OK."""
    state = report.lifecycle_state
    engine = report.parts.engine if report.parts is not None else None
    if report.failure:
        level, message = ERROR, report.failure
    elif engine is None:
        level, message = WARN, 'not configured'
    elif engine.file_was_replaced:
        level = WARN
        message = (
            f'{engine.model}: {state}; the file of the model was replaced or removed since it was '
            'loaded, restart or reconfigure to use it'
        )
    else:
        level, message = OK, f'{engine.model}: {state}'
    values = {
        'lifecycle_state': state,
        'enabled': report.is_enabled,
        'model': report.model or NOT_AVAILABLE,
        **(engine.facts() if engine is not None else {}),
        **report.values,
    }
    return status_message(f'{node}: engine', report.model, level, message, values)


def worker_status(node: str, report: NodeReport, limits: NodeParameters) -> DiagnosticStatus:
    """ERROR from a failure until a frame succeeds; the message says what happened.

    Args:
        node: name of the node with its namespace.
        report: what there is to say.
        limits: longest time for one frame and most failures in a row.
    """
    name = f'{node}: worker'
    if report.parts is None:
        return status_message(name, '', OK, 'not configured', {})
    worker, failures = report.parts.worker, report.parts.processor.failures
    limit_s, most = limits.watchdog_timeout, limits.max_consecutive_failures
    busy_s, death = worker.busy_for_s, worker.death
    values = {
        'busy_for_s': f'{busy_s:.2f}',
        'watchdog_timeout_s': f'{limit_s:g}',
        'failures': failures.total,
        'failures_in_a_row': failures.in_a_row,
        'max_consecutive_failures': most,
        'last_failure': death or failures.reason or 'none',
    }
    level, message = OK, 'waits for frames'
    if death:
        level, message = ERROR, f'the worker died of {death}'
    elif failures.reason:
        limit = f', limit {most}' if most else ''
        level = ERROR
        message = f'{failures.in_a_row} failures in a row{limit}: {failures.reason}'
    elif busy_s:
        limit = f', limit {limit_s:g} s' if limit_s else ''
        message = f'a frame is in work for {busy_s:.2f} s{limit}'
    return status_message(name, report.model, level, message, values)


# --- cameras


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
    size, age_s = camera.image_size, camera.last_age_s
    values = {
        'state': state,
        **{name: getattr(camera, name) for name in COUNTERS},
        'waiting': camera.waiting,
        'rate_hz': f'{camera.rate_hz:.1f}',
        'processed_hz': f'{camera.processed_hz:.1f}',
        'last_image_age_s': NOT_AVAILABLE if age_s is None else f'{age_s:.2f}',
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
        return 'closed', OK, 'intake is closed'
    if camera.qos_problem:
        return (
            'waiting',
            ERROR,
            f'a publisher offers another {camera.qos_problem} than this node asks for; set the '
            "parameter 'input_qos' to auto or sensor_data while the node is unconfigured, or "
            "change what 'qos_overrides' says of that topic",
        )
    silence_s = camera.open_for_s if camera.last_age_s is None else camera.last_age_s
    if silence_s > stale_after_s:
        since = ' since intake opened' if camera.last_age_s is None else ''
        return (
            'stale',
            ERROR,
            f'no image{since} for {silence_s:.1f} s, limit {stale_after_s:g} s',
        )
    if camera.last_age_s is None:
        return 'waiting', WARN, 'no image has arrived yet'
    last_loss = (
        f'last frame {camera.last_loss}: {camera.last_reason}' if camera.last_reason else ''
    )
    if camera.is_overflowing:
        message = _overflow(camera) + (f'; {last_loss}' if last_loss else '')
        return 'overflowed', ERROR, message
    if last_loss:
        return camera.last_loss, ERROR, last_loss
    if camera.order_is_broken:
        return (
            'ok',
            WARN,
            f'{camera.out_of_order} images out of order dropped, their stamps are not later than '
            "the last one's; look at the camera's driver, or set 'drop_out_of_order' to false",
        )
    if camera.overflowed:
        return 'ok', WARN, _overflow(camera)
    return (
        'ok',
        OK,
        f'{camera.rate_hz:.1f} images per second, {camera.processed_hz:.1f} processed',
    )


def _overflow(camera: CameraSnapshot) -> str:
    """What was lost for want of memory, and what to do."""
    return (
        f'{camera.overflowed} frames lost: the images that wait fill the memory of parameter '
        "'process_all_memory'; raise it, or play the recording more slowly"
    )


# --- times


def timing_statuses(
    node: str, timing: NodeTiming, limits: NodeParameters, *, model: str
) -> list[DiagnosticStatus]:
    """The status of all frames together, then one for each camera.

    Args:
        node: name of the node with its namespace.
        timing: durations of the last frames.
        limits: longest time for one frame, and most late ones in a row.
        model: its name, the hardware id of the first status; a camera's is its own name.
    """
    title = f'{node}: {TIMING_TITLE}'
    return [
        timing_status(title, timing.together, timing.delays, limits, hardware_id=model),
        *(
            timing_status(f'{title} {camera}', window, window.delays, limits, hardware_id=camera)
            for camera, window in timing.cameras.items()
        ),
    ]


def timing_status(
    name: str, timing: TimingWindow, delays: Delays, limits: NodeParameters, *, hardware_id: str
) -> DiagnosticStatus:
    """Percentiles of every stage; WARN or ERROR when frames are late.

    WARN when the last frame, or one of twenty, took longer than the limit; ERROR when too many in
    a row did.
    """
    limit_ms, most_late = limits.max_processing_time, limits.max_consecutive_delays
    last, (most,) = timing.last(DEADLINE_STAGE), timing.percentiles(DEADLINE_STAGE, (95,))
    row_is_fine = not most_late or delays.in_a_row < most_late
    is_fine = not limit_ms or (not delays.in_a_row and (most or 0) <= limit_ms)
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
    level, message = OK, 'no frame yet'
    if most is not None:
        limit = f', limit {limit_ms:g} ms' if limit_ms else ''
        message = f'95 % of frames within {most:.1f} ms{limit}'
    if not is_fine:
        level = WARN
        message += f'; last frame {_milliseconds(last)} ms, {delays.in_a_row} late in a row'
    if not row_is_fine:
        level = ERROR
        message += f', limit {most_late}'
    return status_message(name, hardware_id, level, message, values)


def _milliseconds(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f'{value:.1f}'


# --- memory


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
    return status_message(
        f'{node}: memory', socket.gethostname(), OK if is_fine else WARN, message, values
    )


def _mebibytes(size: int | None) -> str:
    return NOT_AVAILABLE if size is None else f'{size / MEBIBYTE:.1f}'
