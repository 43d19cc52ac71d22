# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node said of itself on /diagnostics: its stages, its counters, its engine."""

from __future__ import annotations

from dataclasses import dataclass

from upsnet_ros.bags.reader import BagReader

DIAGNOSTICS_TOPIC = '/diagnostics'
STAGES = ('preprocess', 'inference', 'panoptic_head', 'total')


@dataclass(frozen=True)
class Stage:
    """A step of the node's work on a frame: median and 95th percentile [ms]."""

    name: str
    p50: float
    p95: float


def last_statuses(recording: BagReader) -> dict[str, dict[str, str]]:
    """Keys and values of each status as last published, by its name without the node's.

    What a node says that is active goes before what it says as it ends, when it has forgotten its
    times. Empty where the node published no diagnostics.
    """
    statuses: dict[str, dict[str, str]] = {}
    if DIAGNOSTICS_TOPIC not in recording.topics:
        return statuses
    was_active = False
    for message in recording.messages([DIAGNOSTICS_TOPIC]):
        told = {
            status.name.split(': ', 1)[-1]: {entry.key: entry.value for entry in status.values}
            for status in recording.decode(message.topic, message.data).status
        }
        is_active = told.get('engine', {}).get('lifecycle_state', 'active') == 'active'
        if is_active or not was_active:
            statuses |= told
        was_active = was_active or is_active
    return statuses


def stages_of(statuses: dict[str, dict[str, str]]) -> list[Stage]:
    """The stages the node measured, in their order; those it had no value for are left out."""
    values = statuses.get('processing time', {})
    stages = []
    for name in STAGES:
        try:
            p50, p95 = (float(values[f'{name}_ms_p{share}']) for share in (50, 95))
        except (KeyError, ValueError):
            continue
        stages.append(Stage(name, p50, p95))
    return stages
