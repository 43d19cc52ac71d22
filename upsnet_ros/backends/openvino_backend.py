# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inference with OpenVINO, on the CPU, or on an Intel GPU or NPU."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset15
from openvino.frontend.onnx import ConversionExtension

from upsnet_ros.backends import openvino_precision
from upsnet_ros.backends.backend import AUTOMATIC, threads_for
from upsnet_ros.backends.compiled_cache import CompiledCache
from upsnet_ros.backends.graph_interface import (
    check_graph,
    check_network_image,
    to_network_output,
)
from upsnet_ros.backends.openvino_precision import reason_of
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)
_CPU = 'CPU'
# What OpenVINO calls them; the keys in capitals are its names of what a device is capable of.
_TYPES = {'fp32': 'f32', 'bf16': 'bf16', 'fp16': 'f16'}
_OPENING = threading.Lock()
_OPEN: list[openvino.Core] = []  # the library, once it was asked for


class OpenVinoBackend:
    """A network in OpenVINO.

    Attributes:
        name: `openvino`.
        device: `cpu`, `gpu`, `gpu.1`, `npu`, ...
        precision: `fp32`, `bf16` or `fp16`, of the products; coordinates, scores and all that
            follows the last product are single precision in each.
        input_size: (height, width) of the images it takes [px].
        is_from_cache: whether the compiled network was found in the cache.
    """

    name = 'openvino'

    def __init__(
        self,
        model_path: Path | str,
        manifest: ModelManifest,
        *,
        num_threads: int = 0,
        device: str = AUTOMATIC,
        precision: str = AUTOMATIC,
        cache_folder: Path | str | None = None,
    ) -> None:
        """Load a model.

        Args:
            model_path: the ONNX file.
            manifest: its manifest.
            num_threads: threads of the CPU that work on one image; 0 for one per core that this
                process may use.
            device: a device of OpenVINO in lower case; `auto` is the CPU.
            precision: `fp32`, `bf16` or `fp16`; `auto` is half the width where the device
                multiplies it in hardware and the library can compile the network for it.
            cache_folder: where compiled networks are kept; None for the user's cache folder.

        Raises:
            ModelError: the file cannot be loaded, or has an operator that OpenVINO lacks.
            ManifestError: an input or output of the graph is not what the manifest says.
            ParameterError: the number of threads is negative, or the device is not there or not
                capable of the precision.
        """
        threads = threads_for(num_threads)
        core = open_core()
        target = _find_device(core, device)
        self.device = target.lower()
        self.precision = _choose_precision(core, target, precision)
        self.input_size = manifest.input_size
        self._input_name = manifest.input.name
        self._output_names = list(manifest.outputs)
        self._in_use = threading.Lock()
        try:
            compiled = self._compile(
                core, target, Path(model_path), manifest, cache_folder, threads
            )
        except ModelError as error:
            if precision != AUTOMATIC or self.precision == 'fp32':
                raise
            narrow, self.precision = self.precision, 'fp32'
            compiled = self._compile(
                core, target, Path(model_path), manifest, cache_folder, threads
            )
            _LOGGER.warning('the network runs in fp32 instead of %s: %s', narrow, error)
        _check(compiled, manifest)
        self._request: openvino.InferRequest | None = compiled.create_infer_request()

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """Run the network on one uint8 [H, W, 3] BGR image of the input size; see `Backend`."""
        request = self._request  # kept until the answer is there, also where another thread closes
        if request is None:
            raise ModelError('the model is closed; load it again to use it')
        check_network_image(image_bgr, self.input_size)
        batch = np.ascontiguousarray(image_bgr)[None]  # [1, H, W, 3]
        with self._in_use:
            try:
                answer = request.infer({self._input_name: batch}, share_inputs=True)
            except Exception as error:  # the library raises many types
                raise ModelError(f'OpenVINO failed on an image: {reason_of(error)}') from error
        return to_network_output({name: answer[name] for name in self._output_names})

    def close(self) -> None:
        """Free the network's memory; safe to call twice."""
        self._request = None

    def _compile(
        self,
        core: openvino.Core,
        target: str,
        model_path: Path,
        manifest: ModelManifest,
        cache_folder: Path | str | None,
        num_threads: int,
    ) -> openvino.CompiledModel:
        """Return the network compiled for `precision`, from the cache if it is there."""
        key = _cache_key(core, target, manifest.sha256, self.precision)
        cache = CompiledCache(cache_folder, key)
        settings = _settings(target, self.precision, num_threads)
        self.is_from_cache = False
        blob = cache.read()
        if blob is not None:
            try:
                compiled = core.import_model(blob, target, settings)
            except Exception as error:  # the library raises many types
                _LOGGER.warning(
                    "compiled network '%s' is not taken (%s), and compiled anew",
                    cache.path,
                    reason_of(error),
                )
            else:
                self.is_from_cache = True
                return compiled
        model = _read_model(core, model_path, manifest)
        if self.precision != 'fp32':
            model = openvino_precision.keep_single(core, model)
        try:
            compiled = core.compile_model(model, target, settings)
        except Exception as error:  # the library raises many types
            raise ModelError(
                f"OpenVINO cannot compile '{model_path}' for {self.device}: {reason_of(error)}; "
                "use another device, or backend 'onnxruntime'"
            ) from error
        cache.write(compiled.export_model)
        return compiled


def open_core() -> openvino.Core:
    """Return OpenVINO's library, the one of this process, with a rule for our operator.

    Its part for processors gives the thread that loads it another stack for signals, and frees
    that with the library. Where a second library came between, or another thread ends it, the
    thread keeps the freed one, and the next signal ends the process: so none is ever freed.
    """
    with _OPENING:
        if not _OPEN:
            core = openvino.Core()
            core.add_extension(ConversionExtension('DeformConv2d', 'upsnet', _deform_conv))
            _OPEN.append(core)
        return _OPEN[0]


def _find_device(core: openvino.Core, device: str) -> str:
    """Return OpenVINO's name of a device, or raise ParameterError if it is not there."""
    target = _CPU if device == AUTOMATIC else device.upper()
    there = core.available_devices  # with several GPUs: GPU.0, GPU.1, and GPU is the first
    if not any(name == target or name.startswith(f'{target}.') for name in there):
        raise ParameterError(
            f"device is '{device}', expected one of {AUTOMATIC}, "
            f'{", ".join(name.lower() for name in there)}, which OpenVINO finds here; check the '
            'driver of the device'
        )
    return target


def precisions_of(device: str) -> list[str]:
    """The precisions that a device of this computer computes in by hardware."""
    able = open_core().get_property(device.upper(), 'OPTIMIZATION_CAPABILITIES')
    return [name for name in _TYPES if name.upper() in able]


def _choose_precision(core: openvino.Core, target: str, asked: str) -> str:
    """Return the precision to compute in, or raise ParameterError if the device lacks it."""
    known = precisions_of(target)
    if asked == AUTOMATIC:
        # Graphics compute in fp16 by nature; a processor is only known to be right in bf16.
        wanted = 'bf16' if target == _CPU else 'fp16'
        return wanted if wanted in known else 'fp32'
    if asked not in known:
        raise ParameterError(
            f"precision is '{asked}', expected one of {', '.join((AUTOMATIC, *known))}, which "
            f'{core.get_property(target, "FULL_DEVICE_NAME")} can compute in'
        )
    return asked


def _settings(target: str, precision: str, num_threads: int) -> dict[str, Any]:
    """Return OpenVINO's settings for one image at a time."""
    settings: dict[str, Any] = {
        'INFERENCE_PRECISION_HINT': _TYPES[precision],
        'PERFORMANCE_HINT': 'LATENCY',
    }
    if target == _CPU:
        settings |= {
            # The library would count the cores of the whole machine.
            'INFERENCE_NUM_THREADS': num_threads,
            # A thread that may not leave its core waits there for whoever else is on it.
            'ENABLE_CPU_PINNING': False,
        }
    return settings


def _cache_key(core: openvino.Core, target: str, sha256: str, precision: str) -> list[str]:
    """Return everything on which the compiled form depends."""
    abilities = sorted(core.get_property(target, 'OPTIMIZATION_CAPABILITIES'))
    name = core.get_property(target, 'FULL_DEVICE_NAME')
    files = (__file__, openvino_precision.__file__)
    rules = hashlib.sha256(b''.join(Path(file).read_bytes() for file in files)).hexdigest()
    return [sha256, rules, openvino.get_version(), target, name, *abilities, precision]


def _read_model(core: openvino.Core, model_path: Path, manifest: ModelManifest) -> openvino.Model:
    """Return the graph, or raise ModelError with the library's reason."""
    if not model_path.is_file():
        raise ModelError(f"model file '{model_path}' does not exist; check the path of the model")
    remedy = "export the model again, or use backend 'onnxruntime'"
    try:
        model = core.read_model(model_path)
    except Exception as error:  # the library raises many types
        raise ModelError(
            f"OpenVINO cannot load '{model_path}': {reason_of(error)}; {remedy}"
        ) from error
    _check(model, manifest)
    # With one thread and such shapes OpenVINO 2026.4 loses its own errors and answers garbage.
    if model.is_dynamic():
        raise ModelError(f"'{model_path}' has values without a fixed shape; {remedy}")
    return model


def _deform_conv(node: Any) -> list[openvino.Output]:
    """Convert `upsnet::DeformConv2d`: data, weight, offset and bias, see training/onnx_graph.py.

    Values beyond the border count as 0 and the border pixels fade into them, as in ONNX and in
    torchvision; OpenVINO calls that padding of the interpolation.
    """
    data, weight, offset, bias = (node.get_input(index) for index in range(4))
    pads = node.get_attribute('pads')
    product = opset15.deformable_convolution(
        data,
        offset,
        weight,
        strides=node.get_attribute('strides'),
        pads_begin=pads[:2],
        pads_end=pads[2:],
        dilations=node.get_attribute('dilations'),
        bilinear_interpolation_pad=True,
    )
    shape = opset15.constant(np.array([1, -1, 1, 1]))
    return opset15.add(product, opset15.reshape(bias, shape, special_zero=False)).outputs()


def _check(graph: openvino.Model | openvino.CompiledModel, manifest: ModelManifest) -> None:
    """Raise ManifestError unless inputs and outputs are what the manifest says."""
    check_graph(_describe(graph.inputs), _describe(graph.outputs), manifest)


def _describe(ports: list[Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            'shape': [
                size.get_length() if size.is_static else str(size) for size in port.partial_shape
            ],
            'dtype': port.element_type.to_dtype().name,
        }
        for port in ports
        for name in port.names
    }
