# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a model as the node's parameters say, and describing what was loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upsnet_ros.installed_files import default_model_path
from upsnet_ros.node.parameter_rule import MODEL_DEFAULT
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.pipeline import PanopticPipeline

PipelineLoader = Callable[..., Any]
# What a backend may count or say beside the protocol, and is shown where it does.
BACKEND_STATE = ('precision', 'failures', 'rebuilds', 'uses_graph')
THRESHOLDS = ('score_threshold', 'mask_overlap_threshold', 'stuff_area_limit')


@dataclass(frozen=True)
class Engine:
    """A loaded and warmed-up pipeline.

    Attributes:
        pipeline: from image to result.
        model_path: the file it came from.
        warm_up_ms: duration of each warm-up run.
        file_identity: of that file when it was loaded; None where there was none.
    """

    pipeline: Any
    model_path: Path
    warm_up_ms: tuple[float, ...]
    file_identity: tuple[int, ...] | None = None

    @property
    def model(self) -> str:
        """Name of the model in its manifest."""
        return self.pipeline.manifest.name

    @property
    def max_batch(self) -> int:
        """How many images it labels in one run."""
        return self.pipeline.max_batch

    @property
    def file_was_replaced(self) -> bool:
        """True when the file is no longer the one that was loaded."""
        return file_identity(self.model_path) != self.file_identity

    def facts(self) -> dict[str, str]:
        """What diagnostics and the log say of it."""
        backend = self.pipeline.backend
        height, width = backend.input_size
        return {
            'backend': backend.name,
            'device': backend.device,
            'model_path': str(self.model_path),
            'sha256': self.pipeline.manifest.sha256,
            'images_per_run': str(self.max_batch),
            'network_input_size': f'{width}x{height}',
            'warm_up_ms': ', '.join(f'{duration:.0f}' for duration in self.warm_up_ms) or 'none',
            **{
                name: str(getattr(backend, name))
                for name in BACKEND_STATE
                if hasattr(backend, name)
            },
        }


def file_identity(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or written; None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def load_engine(parameters: NodeParameters, *, load: PipelineLoader | None = None) -> Engine:
    """Loads and warms the model.

    Args:
        parameters: model path, backend, threads, stale engine and warm-up runs are used.
        load: makes the pipeline; another one than the real is for tests without a model.

    Raises:
        ModelError: the model is missing, altered or wrong.
    """
    load = load or PanopticPipeline.load
    path = Path(parameters.model_path) if parameters.model_path else default_model_path()
    identity = file_identity(path)  # before: what is replaced while it is read is not what runs
    pipeline = load(
        path,
        backend=parameters.backend,
        num_threads=parameters.num_threads,
        stale_engine=parameters.stale_engine,
    )
    warm_up_ms = pipeline.warm_up(parameters.warm_up_runs) if parameters.warm_up_runs else []
    return Engine(pipeline, path, tuple(warm_up_ms), identity)


def thresholds(parameters: NodeParameters, engine: Engine) -> dict[str, Any]:
    """The panoptic head's thresholds: from the parameters, or from the model where they say so."""
    own = engine.pipeline.manifest.panoptic_head
    return {
        name: own[name]
        if getattr(parameters, name) == MODEL_DEFAULT
        else getattr(parameters, name)
        for name in THRESHOLDS
    }
