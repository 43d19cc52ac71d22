# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The names of the backends, and making the one that a name stands for.

Whatever a backend needs is imported when it is made: the names are asked for where libraries are
missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from upsnet_ros.core.errors import ModelError, ParameterError, StaleEngineError
from upsnet_ros.core.model_files import ENGINE_SUFFIX, source_beside

if TYPE_CHECKING:
    from upsnet_ros.backends.backend import Backend
    from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)

AUTOMATIC = 'auto'
REFUSE = 'refuse'
ONNX_RUNTIME = 'onnxruntime'
TENSORRT = 'tensorrt'
# What to do with an engine that was built for another computer, driver or TensorRT.
STALE_ENGINE_CHOICES = (REFUSE, ONNX_RUNTIME)


def _create_onnx_backend(model_path: Path, manifest: ModelManifest, num_threads: int) -> Backend:
    if model_path.suffix == ENGINE_SUFFIX:
        raise ParameterError(
            f"backend is '{ONNX_RUNTIME}' and the model is the TensorRT engine '{model_path}', "
            f"expected an ONNX file; use '{source_beside(model_path, '.onnx')}' as model, or "
            f"backend '{TENSORRT}'"
        )
    try:
        from upsnet_ros.backends.onnx_backend import OnnxBackend
    except ImportError as error:
        raise ModelError(
            f"backend '{ONNX_RUNTIME}' cannot be imported ({error}); install the Python package "
            'onnxruntime'
        ) from error
    return OnnxBackend(model_path, manifest, num_threads=num_threads)


def _create_tensorrt_backend(
    model_path: Path, manifest: ModelManifest, num_threads: int
) -> Backend:
    if model_path.suffix != ENGINE_SUFFIX:
        engine_path = model_path.with_suffix(ENGINE_SUFFIX)
        remedy = (
            f"use the engine '{engine_path}' beside it as model"
            if engine_path.is_file()
            else f'build one: python -m training.build_engine --model {model_path} '
            f'--output {engine_path}'
        )
        raise ParameterError(
            f"backend is '{TENSORRT}' and the model is '{model_path}', expected an engine "
            f'({ENGINE_SUFFIX}); {remedy}'
        )
    from upsnet_ros.backends.tensorrt_backend import TensorRtBackend

    return TensorRtBackend(model_path, manifest)


_CONSTRUCTORS: dict[str, Callable[[Path, ModelManifest, int], Backend]] = {
    ONNX_RUNTIME: _create_onnx_backend,
    TENSORRT: _create_tensorrt_backend,
}
# Every name that `create_backend` takes.
BACKENDS = (AUTOMATIC, *_CONSTRUCTORS)


def backend_of(name: str, model_path: Path) -> str:
    """The backend that a name stands for: `auto` is TensorRT for an engine, else ONNX Runtime."""
    automatic = TENSORRT if model_path.suffix == ENGINE_SUFFIX else ONNX_RUNTIME
    return automatic if name == AUTOMATIC else name


def create_backend(
    model_path: Path | str,
    manifest: ModelManifest,
    *,
    name: str = AUTOMATIC,
    num_threads: int = 0,
    stale_engine: str = REFUSE,
) -> Backend:
    """Return a loaded network.

    Args:
        model_path: the ONNX file, or a TensorRT engine (`.engine`).
        manifest: its manifest.
        name: one of `BACKENDS`.
        num_threads: CPU threads that work on one image; 0 for one per core. TensorRT needs none.
        stale_engine: what to do with an engine that was built for another computer, driver or
            TensorRT: `refuse` it, or run the ONNX file beside it in `onnxruntime`.

    Raises:
        ParameterError: there is no backend of this name, it does not run this kind of file, or
            another parameter is impossible.
        ModelError: the model cannot be loaded or does not fit its manifest.
        StaleEngineError: the engine does not fit this computer, and shall be refused then.
    """
    model_path = Path(model_path)
    wanted = backend_of(name, model_path)
    if wanted not in _CONSTRUCTORS:
        raise ParameterError(f"backend is '{name}', expected one of {', '.join(BACKENDS)}")
    if stale_engine not in STALE_ENGINE_CHOICES:
        raise ParameterError(
            f"stale_engine is '{stale_engine}', expected one of {', '.join(STALE_ENGINE_CHOICES)}"
        )
    try:
        return _CONSTRUCTORS[wanted](model_path, manifest, num_threads)
    except StaleEngineError as error:
        if stale_engine == REFUSE:
            raise
        onnx_path = source_beside(model_path, '.onnx')
        _LOGGER.warning("%s\nThe model runs in ONNX Runtime from '%s'.", error, onnx_path)
    from upsnet_ros.manifest import ModelManifest

    # Loading the manifest again compares the file with its hash.
    source = ModelManifest.load(onnx_path)
    return _create_onnx_backend(onnx_path, source, num_threads)
