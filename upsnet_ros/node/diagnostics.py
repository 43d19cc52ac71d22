# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's state as diagnostic messages: engine and every camera.

The functions here only turn values into messages. They are called from a timer on the steady
clock, so that a node whose cameras or whose simulated time stand still reports just that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from upsnet_ros.node.camera import CameraSnapshot

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
