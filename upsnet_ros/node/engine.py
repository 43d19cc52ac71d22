# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a model as the node's parameters say, and describing what was loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.installed_files import default_model_path
from upsnet_ros.node.parameters import MODEL_DEFAULT, NodeParameters
from upsnet_ros.pipeline import PanopticPipeline

PipelineLoader = Callable[..., Any]
# What a backend may count or say beside the protocol, and is shown where it does.
BACKEND_STATE = ('uses_graph', 'is_from_cache', 'can_label')
LOADING_POLL_S = 0.05
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

    def follow(self, parameters: NodeParameters) -> None:
        """Has the panoptic head use the thresholds of the parameters, the model's own where -1."""
        own = self.pipeline.manifest.panoptic_head
        given = {name: getattr(parameters, name) for name in THRESHOLDS}
        self.pipeline.set_thresholds(
            **{n: own[n] if value == MODEL_DEFAULT else value for n, value in given.items()}
        )

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
            'precision': backend.precision,
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
        parameters: those about the model, its backend and its warm-up are used.
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
        device=parameters.device,
        precision=parameters.precision,
        num_threads=parameters.num_threads,
        stale_engine=parameters.stale_engine,
        cache_folder=parameters.cache_folder or None,
        labels_on=parameters.labels_on,
    )
    warm_up_ms = pipeline.warm_up(parameters.warm_up_runs) if parameters.warm_up_runs else []
    return Engine(pipeline, path, tuple(warm_up_ms), identity)


class LoadingStopped(UpsnetError):
    """The process was asked to end before its model was loaded."""


class ModelLoading:
    """Loads models, each in a thread of its own.

    A library that loads a model cannot be interrupted and may take a minute. Meanwhile the node
    says what it does, and ends when it is asked to.

    Args:
        is_stopping: whether the process was asked to end; looked at all the time.
        meanwhile: called again and again while a load is waited for.
    """

    def __init__(self, *, is_stopping: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        self._is_stopping = is_stopping
        self._meanwhile = meanwhile
        self._began_at: float | None = None

    @property
    def loading_for_s(self) -> float:
        """Seconds since the load began; 0 while nothing is loaded."""
        return 0.0 if self._began_at is None else time.monotonic() - self._began_at

    def run(self, load: Callable[[], Engine]) -> Engine:
        """Returns what a load gives, or raises what it raises.

        Raises:
            LoadingStopped: the process was asked to end; the load goes on, and nobody heeds it.
        """
        loaded: Future[Engine] = Future()

        def carry() -> None:
            try:
                loaded.set_result(load())
            except BaseException as error:  # it belongs to the thread that waits
                loaded.set_exception(error)

        self._began_at = time.monotonic()
        threading.Thread(target=carry, name='model_loader', daemon=True).start()
        while not wait([loaded], LOADING_POLL_S).done:
            if self._is_stopping():
                raise LoadingStopped('the node was asked to end while its model was being loaded')
            self._meanwhile()
        self._began_at = None
        return loaded.result()
