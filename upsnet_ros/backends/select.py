# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Making the backend that a name stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from upsnet_ros.backends.backend import Backend
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.manifest import ModelManifest

AUTOMATIC = 'auto'


def _create_onnx_backend(
    model_path: Path | str, manifest: ModelManifest, num_threads: int
) -> Backend:
    """Return ONNX Runtime on the CPU; the library is imported only now."""
    try:
        from upsnet_ros.backends.onnx_backend import OnnxBackend
    except ImportError as error:
        raise ModelError(
            f"backend 'onnxruntime' cannot be imported ({error}); install the Python package "
            'onnxruntime'
        ) from error
    return OnnxBackend(model_path, manifest, num_threads=num_threads)


_CONSTRUCTORS: dict[str, Callable[[Path | str, ModelManifest, int], Backend]] = {
    'onnxruntime': _create_onnx_backend,
}
# What `auto` stands for.
_DEFAULT = 'onnxruntime'


def backend_names() -> tuple[str, ...]:
    """Return every name that `create_backend` takes."""
    return (AUTOMATIC, *_CONSTRUCTORS)


def create_backend(
    model_path: Path | str,
    manifest: ModelManifest,
    *,
    name: str = AUTOMATIC,
    num_threads: int = 0,
) -> Backend:
    """Return a loaded network.

    Args:
        model_path: the ONNX file.
        manifest: its manifest.
        name: one of `backend_names()`.
        num_threads: CPU threads that work on one image; 0 for one per core.

    Raises:
        ParameterError: there is no backend of this name, or the number of threads is negative.
        ModelError: the model cannot be loaded or does not fit its manifest.
    """
    wanted = _DEFAULT if name == AUTOMATIC else name
    if wanted not in _CONSTRUCTORS:
        raise ParameterError(f"backend is '{name}', expected one of {', '.join(backend_names())}")
    return _CONSTRUCTORS[wanted](model_path, manifest, num_threads)
