# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inference with ONNX Runtime, on the CPU or on a CUDA device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from upsnet_ros.backends.backend import threads_for
from upsnet_ros.backends.graph_interface import (
    check_graph,
    check_network_image,
    to_network_output,
)
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

_CPU, _CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'
_ELEMENT_TYPES = {
    'tensor(uint8)': 'uint8',
    'tensor(int32)': 'int32',
    'tensor(float)': 'float32',
}


class OnnxBackend:
    """A network in ONNX Runtime.

    Attributes:
        name: `onnxruntime`.
        device: `cpu` or `cuda:0`.
        precision: `fp32`, of the arithmetic; weights may lie in the file as half precision.
        input_size: (height, width) of the images it takes [px].
    """

    name = 'onnxruntime'
    precision = 'fp32'

    def __init__(
        self,
        model_path: Path | str,
        manifest: ModelManifest,
        *,
        num_threads: int = 0,
        device: str = 'cpu',
    ) -> None:
        """Load a model.

        Args:
            model_path: the ONNX file.
            manifest: its manifest.
            num_threads: threads that work on one image; 0 for one per core that this
                process may use.
            device: `cpu` or `cuda`; CUDA needs the GPU build of ONNX Runtime.

        Raises:
            ModelError: the file cannot be loaded.
            ManifestError: an input or output of the graph is not what the manifest says.
            ParameterError: the number of threads is negative, or the device is not available.
        """
        threads = threads_for(num_threads)
        self.device = 'cuda:0' if device == 'cuda' else 'cpu'
        self.input_size = manifest.input_size
        self._input_name = manifest.input.name
        self._output_names = list(manifest.outputs)
        self._session: onnxruntime.InferenceSession | None = _load(
            Path(model_path), _session_options(threads), _providers(device)
        )
        check_graph(
            {entry.name: _describe(entry) for entry in self._session.get_inputs()},
            {entry.name: _describe(entry) for entry in self._session.get_outputs()},
            manifest,
        )

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """Run the network on one uint8 [H, W, 3] BGR image of the input size; see `Backend`."""
        session = self._session  # kept until the answer is there, also where another thread closes
        if session is None:
            raise ModelError('the model is closed; load it again to use it')
        check_network_image(image_bgr, self.input_size)
        batch = np.ascontiguousarray(image_bgr)[None]  # [1, H, W, 3]
        try:
            values = session.run(self._output_names, {self._input_name: batch})
        except Exception as error:  # the library raises many types, some of them its own
            raise ModelError(f'ONNX Runtime failed on an image: {error}') from error
        return to_network_output(dict(zip(self._output_names, values, strict=True)))

    def close(self) -> None:
        """Free the network's memory; safe to call twice."""
        self._session = None


def _session_options(num_threads: int) -> onnxruntime.SessionOptions:
    """Return options for one image at a time with fixed shapes."""
    options = onnxruntime.SessionOptions()
    # The library would count the cores of the whole machine.
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Shapes are fixed, so the plan made at the first image holds for all: the arena reuses its
    # memory and stops growing there. Without it every image would fetch fresh pages.
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = True
    # A thread that spins while its partner waits for a core takes that core from it.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 3
    return options


def _providers(device: str) -> list[str]:
    """Return the execution providers for a device, or raise ParameterError if it has none."""
    available = onnxruntime.get_available_providers()
    if device == 'cpu':
        return [_CPU]
    if device == 'cuda' and _CUDA in available:
        return [_CUDA, _CPU]
    raise ParameterError(
        f"device is '{device}', expected 'cpu', or 'cuda' with the GPU build of ONNX Runtime "
        f'(this build has {", ".join(available)})'
    )


def _load(
    model_path: Path, options: onnxruntime.SessionOptions, providers: list[str]
) -> onnxruntime.InferenceSession:
    """Return a session, or raise ModelError with the library's reason."""
    if not model_path.is_file():
        raise ModelError(f"model file '{model_path}' does not exist; check the path of the model")
    try:
        return onnxruntime.InferenceSession(str(model_path), options, providers=providers)
    except Exception as error:  # the library raises many types, some of them its own
        raise ModelError(
            f"ONNX Runtime cannot load '{model_path}': {error}; export the model again"
        ) from error


def _describe(entry: Any) -> dict[str, Any]:
    return {
        'shape': list(entry.shape),
        'dtype': _ELEMENT_TYPES.get(entry.type, entry.type),
    }
