# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that the node says on /diagnostics, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.diagnostics import EngineState, camera_status, engine_status
from upsnet_ros.node.engine import Engine
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.process_diagnostics import memory_status, worker_status
from upsnet_ros.node.supervisor import WorkerState
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.timing_diagnostics import Deadline, timing_statuses


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
