# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processing times as diagnostic messages: of all frames together, and of each camera.

The keys about the limits are named as Autoware names them, so that its monitors read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus

from upsnet_ros.node.diagnostics import NOT_AVAILABLE, status_message
from upsnet_ros.node.timing import DEADLINE_STAGE, Delays, NodeTiming, TimingWindow

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
