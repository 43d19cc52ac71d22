# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The names of the backends, and making the one that a name stands for.

Whatever a backend needs is imported when it is made: the names are asked for where libraries are
missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from upsnet_ros.backends.backend import AUTOMATIC
from upsnet_ros.core.errors import ModelError, ParameterError, StaleEngineError
from upsnet_ros.core.model_files import ENGINE_SUFFIX, source_beside

if TYPE_CHECKING:
    from upsnet_ros.backends.backend import Backend
    from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)

REFUSE = 'refuse'
ONNX_RUNTIME = 'onnxruntime'
OPENVINO = 'openvino'
TENSORRT = 'tensorrt'
PRECISIONS = (AUTOMATIC, 'fp32', 'bf16', 'fp16')
_ONNX_PRECISIONS = (AUTOMATIC, 'fp32')
# What to do with an engine that was built for another computer, driver or TensorRT.
STALE_ENGINE_CHOICES = (REFUSE, ONNX_RUNTIME)
# Where images become labels: where the network runs, if it can, or on the processor.
LABELS_ON_CHOICES = (AUTOMATIC, 'cpu')
_CUDA = 'cuda'
_ANYWHERE = (AUTOMATIC, 'cpu')  # devices that both libraries for ONNX files have


@dataclass(frozen=True)
class _Wishes:
    """What `create_backend` is asked for beside the model."""

    device: str = AUTOMATIC
    precision: str = AUTOMATIC
    num_threads: int = 0
    cache_folder: Path | str | None = None
    labels_on: str = AUTOMATIC


class _NotInstalledError(ModelError):
    """A library cannot be imported."""


def _create_onnx_backend(model_path: Path, manifest: ModelManifest, wishes: _Wishes) -> Backend:
    _refuse_engine(model_path, ONNX_RUNTIME)
    if wishes.precision not in _ONNX_PRECISIONS:
        raise ParameterError(
            f"precision is '{wishes.precision}' and the network runs in ONNX Runtime, expected "
            f'{" or ".join(_ONNX_PRECISIONS)}; install the Python package openvino for other ones,'
            f" and use backend '{OPENVINO}'"
        )
    try:
        from upsnet_ros.backends.onnx_backend import OnnxBackend
    except Exception as error:  # a broken library raises many types
        raise _NotInstalledError(_not_importable(ONNX_RUNTIME, error)) from error
    device = 'cpu' if wishes.device == AUTOMATIC else wishes.device
    return OnnxBackend(model_path, manifest, num_threads=wishes.num_threads, device=device)


def _create_openvino_backend(
    model_path: Path, manifest: ModelManifest, wishes: _Wishes
) -> Backend:
    _refuse_engine(model_path, OPENVINO)
    try:
        from upsnet_ros.backends.openvino_backend import OpenVinoBackend
    except Exception as error:  # a broken library raises many types
        raise _NotInstalledError(_not_importable(OPENVINO, error)) from error
    return OpenVinoBackend(
        model_path,
        manifest,
        num_threads=wishes.num_threads,
        device=wishes.device,
        precision=wishes.precision,
        cache_folder=wishes.cache_folder,
    )


def _create_tensorrt_backend(
    model_path: Path, manifest: ModelManifest, wishes: _Wishes
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
    if wishes.device not in (AUTOMATIC, _CUDA):
        raise ParameterError(
            f"device is '{wishes.device}' and the model is the TensorRT engine '{model_path}', "
            f'expected {AUTOMATIC} or {_CUDA}'
        )
    from upsnet_ros.backends.tensorrt_backend import TensorRtBackend

    backend = TensorRtBackend(model_path, manifest, with_labels=wishes.labels_on == AUTOMATIC)
    if wishes.precision not in (AUTOMATIC, backend.precision):
        backend.close()
        raise ParameterError(
            f"precision is '{wishes.precision}' and the engine '{model_path}' was built for "
            f'{backend.precision}, expected {AUTOMATIC} or {backend.precision}; build another '
            'engine for another one'
        )
    return backend


def _refuse_engine(model_path: Path, name: str) -> None:
    if model_path.suffix == ENGINE_SUFFIX:
        raise ParameterError(
            f"backend is '{name}' and the model is the TensorRT engine '{model_path}', "
            f"expected an ONNX file; use '{source_beside(model_path, '.onnx')}' as model, or "
            f"backend '{TENSORRT}'"
        )


def _not_importable(name: str, error: Exception) -> str:
    return f"backend '{name}' cannot be imported ({error}); install the Python package {name}"


def _create_fastest_backend(model_path: Path, manifest: ModelManifest, wishes: _Wishes) -> Backend:
    """Run an ONNX file in OpenVINO, or in ONNX Runtime where that is not to be had."""
    if wishes.device.split(':')[0] == _CUDA:
        return _create_onnx_backend(model_path, manifest, wishes)
    try:
        return _create_openvino_backend(model_path, manifest, wishes)
    except ModelError as error:
        if wishes.precision not in _ONNX_PRECISIONS or wishes.device not in _ANYWHERE:
            raise  # ONNX Runtime could only say that it lacks the precision or the device
        level = logging.INFO if isinstance(error, _NotInstalledError) else logging.WARNING
        _LOGGER.log(level, 'the network runs in ONNX Runtime: %s', error)
    return _create_onnx_backend(model_path, manifest, wishes)


_CONSTRUCTORS: dict[str, Callable[[Path, ModelManifest, _Wishes], Backend]] = {
    ONNX_RUNTIME: _create_onnx_backend,
    OPENVINO: _create_openvino_backend,
    TENSORRT: _create_tensorrt_backend,
}
# Every name that `create_backend` takes.
BACKENDS = (AUTOMATIC, *_CONSTRUCTORS)


def needs_tensorrt(name: str, model_path: Path) -> bool:
    """Whether a model runs in TensorRT if this backend is asked for."""
    return name == TENSORRT or (name == AUTOMATIC and model_path.suffix == ENGINE_SUFFIX)


def create_backend(
    model_path: Path | str,
    manifest: ModelManifest,
    *,
    name: str = AUTOMATIC,
    device: str = AUTOMATIC,
    precision: str = AUTOMATIC,
    num_threads: int = 0,
    stale_engine: str = REFUSE,
    cache_folder: Path | str | None = None,
    labels_on: str = AUTOMATIC,
) -> Backend:
    """Return a loaded network.

    Args:
        model_path: the ONNX file, or a TensorRT engine (`.engine`).
        manifest: its manifest.
        name: one of `BACKENDS`; `auto` is TensorRT for an engine, and for an ONNX file OpenVINO
            where it is installed and takes the model, else ONNX Runtime.
        device: `auto` is the GPU for TensorRT, else the CPU. OpenVINO knows `cpu`, `gpu` (`gpu.1`
            and so on where there are several) and `npu`, ONNX Runtime `cpu` and `cuda`.
        precision: one of `PRECISIONS`. `auto` is that of the engine, for OpenVINO half the width
            where the device multiplies it in hardware, and `fp32` for ONNX Runtime.
        num_threads: CPU threads that work on one image; 0 for one per core. TensorRT needs none.
        stale_engine: what to do with an engine that was built for another computer, driver or
            TensorRT: `refuse` it, or run the ONNX file beside it in `onnxruntime`.
        cache_folder: where OpenVINO keeps compiled networks; None for the user's cache folder.
        labels_on: one of `LABELS_ON_CHOICES`; `auto` is the GPU for a TensorRT engine whose trial
            found the panoptic head's labels there, else the processor.

    Raises:
        ParameterError: there is no backend of this name, it does not run this kind of file, the
            device is not there or lacks the precision, or another parameter is impossible.
        ModelError: the model cannot be loaded or does not fit its manifest.
        StaleEngineError: the engine does not fit this computer, and shall be refused then.
    """
    model_path = Path(model_path)
    for what, value, choices in (
        ('backend', name, BACKENDS),
        ('precision', precision, PRECISIONS),
        ('stale_engine', stale_engine, STALE_ENGINE_CHOICES),
        ('labels_on', labels_on, LABELS_ON_CHOICES),
    ):
        if value not in choices:
            raise ParameterError(f"{what} is '{value}', expected one of {', '.join(choices)}")
    wishes = _Wishes(device, precision, num_threads, cache_folder, labels_on)
    try:
        if needs_tensorrt(name, model_path):
            return _create_tensorrt_backend(model_path, manifest, wishes)
        return _CONSTRUCTORS.get(name, _create_fastest_backend)(model_path, manifest, wishes)
    except StaleEngineError as error:
        if stale_engine == REFUSE:
            raise
        onnx_path = source_beside(model_path, '.onnx')
        _LOGGER.warning("%s\nThe model runs in ONNX Runtime from '%s'.", error, onnx_path)
    from upsnet_ros.manifest import ModelManifest

    # Loading the manifest again compares the file with its hash.
    source = ModelManifest.load(onnx_path)
    return _create_onnx_backend(onnx_path, source, _Wishes(num_threads=num_threads))
