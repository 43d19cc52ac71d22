# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live replay says beside the labels: pace, losses, CPU and memory of the node."""

from __future__ import annotations

from collections.abc import Sequence

from upsnet_ros.evaluation.figures import CameraFigures, Json, rounded
from upsnet_ros.evaluation.frames import ReceivedLabel, SentFrame
from upsnet_ros.evaluation.live.live_settings import ReplayRecord
from upsnet_ros.evaluation.live.node_state import Counters

BYTES_PER_MB = 1e6


def live_speed(rate: float, player: str, record: ReplayRecord, total: CameraFigures) -> Json:
    """The entry `speed` of a live report; docs/replay_evaluation.md says what is in it.

    Args:
        rate: pace that was asked for.
        player: who played.
        record: what happened.
        total: figures of all cameras.
    """
    cost, wall_s = record.cost, record.wall_s
    cpu_s = cost.cpu_s if cost else None
    cpu_ms = 1e3 * cpu_s / total.decoded if cpu_s is not None and total.decoded else None
    return {
        'frames': total.decoded,
        'wall_s': rounded(wall_s),
        'frames_per_second': rounded(total.decoded / wall_s) if wall_s > 0 else None,
        'rate': rate,
        'player': player,
        'node_cpu_percent': rounded(cost.cpu_percent, 1) if cost else None,
        'node_cpu_ms_per_frame': rounded(cpu_ms, 2),
        'node_peak_mb': rounded(cost.peak_bytes / BYTES_PER_MB, 1)
        if cost and cost.peak_bytes
        else None,
        'node_start_s': rounded(record.node_start_seconds, 2),
        **_losses(record),
        'player_late_ms': rounded(record.latest_ms, 2),
        'clock_step_ms': rounded(record.clock_step_ms, 2),
    }


def _losses(record: ReplayRecord) -> dict[str, int | None]:
    """Where images without a label were lost; None where the node does not count for itself."""
    if set(record.counters) != set(record.sent):
        return {'dropped_by_node': None, 'refused_by_node': None, 'lost_on_the_way': None}
    counters = record.counters
    return {
        'dropped_by_node': sum(each.left_out for each in counters.values()),
        'refused_by_node': sum(each.refused for each in counters.values()),
        'lost_on_the_way': sum(
            _lost(counters[name], sent=len(frames), came=_answered(frames, record.labels[name]))
            for name, frames in record.sent.items()
        ),
    }


def _answered(sent: Sequence[SentFrame], labels: Sequence[ReceivedLabel]) -> int:
    """Images whose label came; a label of an image that was not sent is nobody's answer."""
    return len({frame.stamp_ns for frame in sent} & {label.stamp_ns for label in labels})


def _lost(counters: Counters, *, sent: int, came: int) -> int:
    """Images that did not come to the node, and labels that did not come back."""
    return max(sent - counters.received, 0) + max(counters.processed - came, 0)
