# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT's runtime: one engine with one context; the only file that imports `tensorrt`."""

from __future__ import annotations

import logging
from collections import deque
from functools import cache
from typing import Any

from upsnet_ros.core.errors import ModelError

_LOGGER = logging.getLogger(__name__)
_LEVELS = {
    'INTERNAL_ERROR': logging.CRITICAL,
    'ERROR': logging.ERROR,
    'WARNING': logging.WARNING,
    'INFO': logging.INFO,
    'VERBOSE': logging.DEBUG,
}
_ELEMENT_TYPES = {'UINT8': 'uint8', 'INT32': 'int32', 'FLOAT': 'float32', 'HALF': 'float16'}


def load_tensorrt_library() -> Any:
    """Return the module `tensorrt`, or raise ModelError saying what to install."""
    try:
        import tensorrt
    except Exception as error:  # a missing or broken library of its own raises many types
        raise ModelError(
            f"backend 'tensorrt' cannot be imported ({error}); install NVIDIA's TensorRT 10.13 or "
            "newer with its Python package ('tensorrt-cu13' for CUDA 13; on a Jetson it comes "
            "with JetPack 7.2 or newer), or use an ONNX file with backend 'onnxruntime'"
        ) from error
    return tensorrt


class EngineLog:
    """Passes TensorRT's messages to Python's logging and remembers the errors.

    Attributes:
        error_count: errors so far.
    """

    def __init__(self) -> None:
        self.error_count = 0
        self._errors: deque[str] = deque(maxlen=5)

    def record(self, severity: str, message: str) -> None:
        """Take a message with the name of TensorRT's severity."""
        level = _LEVELS.get(severity, logging.WARNING)
        _LOGGER.log(level, 'TensorRT: %s', message)
        if level >= logging.ERROR:
            self.error_count += 1
            self._errors.append(message)

    def take_errors(self) -> str:
        """Return the last errors as one text, and forget them."""
        text = ' | '.join(self._errors) or 'TensorRT gave no reason'
        self._errors.clear()
        return text


@cache
def _process_log(library: Any) -> tuple[Any, EngineLog]:
    """Return TensorRT's logger of this process, and where its messages go.

    The first logger that TensorRT is given becomes the process's own, for messages of no object in
    particular. TensorRT does not keep it alive, so one is made, and never freed.
    """
    log = EngineLog()

    class Logger(library.ILogger):  # a base that exists only once the library is imported
        def __init__(self) -> None:
            library.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            log.record(severity.name, message)

    return Logger(), log


class LoadedEngine:
    """An engine in the device's memory, with one execution context.

    Attributes:
        log: what TensorRT said.
        inputs: shape and type of each input by name, as a manifest writes them.
        outputs: likewise of each output.
    """

    def __init__(self, library: Any, content: bytes) -> None:
        """Deserialise an engine.

        Args:
            library: what `load_tensorrt_library` returns.
            content: the engine.

        Raises:
            ModelError: TensorRT does not take it.
        """
        # In the order in which they go where nobody closes: each needs those after it.
        self._context: Any = None
        self._engine: Any = None
        self._runtime: Any = None
        logger, self.log = _process_log(library)
        self.log.take_errors()  # those of an engine before this one explain nothing
        try:
            self._runtime = library.Runtime(logger)
            self._engine = self._runtime.deserialize_cuda_engine(content)
        except Exception as error:  # binding code raises many types
            self.close()
            raise ModelError(
                f'TensorRT did not start: {error} ({self.log.take_errors()}); check the GPU and '
                'its driver with nvidia-smi'
            ) from error
        if self._engine is None:
            self.close()
            raise ModelError(
                f'TensorRT does not load the engine: {self.log.take_errors()}; build it again on '
                'this computer (python -m training.build_engine)'
            )
        self.inputs, self.outputs = _describe_tensors(library, self._engine)

    def create_context(self) -> None:
        """Make a new context in place of the one there may be.

        Raises:
            ModelError: TensorRT makes none, most often for want of memory.
        """
        self._context = None  # first, so that two never need memory at once
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise ModelError(
                f'TensorRT makes no execution context: {self.log.take_errors()}; end other '
                'programs on the GPU, or build the engine with less workspace'
            )

    def set_address(self, name: str, address: int) -> None:
        """Say where on the device a tensor lies, or raise ModelError."""
        if not self._context.set_tensor_address(name, address):
            raise ModelError(
                f"TensorRT refuses the memory of tensor '{name}': {self.log.take_errors()}; build "
                'the engine again (python -m training.build_engine)'
            )

    def enqueue(self, stream: Any) -> None:
        """Queue one run on a stream, or raise ModelError."""
        try:
            is_queued = self._context.execute_async_v3(int(stream))
        except Exception as error:  # binding code raises many types
            raise ModelError(f'TensorRT cannot run the network: {error}; see its log') from error
        if not is_queued:
            raise ModelError(
                f'TensorRT cannot run the network: {self.log.take_errors()}; check the GPU with '
                'nvidia-smi, or build the engine again (python -m training.build_engine)'
            )

    def close(self) -> None:
        """Free context, engine and runtime in the order TensorRT asks for; safe to call twice."""
        self._context = None
        self._engine = None
        self._runtime = None


def _describe_tensors(
    library: Any, engine: Any
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return shape and type of inputs and of outputs by name, as a manifest writes them."""
    inputs: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(name) == library.TensorIOMode.INPUT
        dtype = engine.get_tensor_dtype(name).name
        (inputs if is_input else outputs)[name] = {
            'shape': list(engine.get_tensor_shape(name)),
            'dtype': _ELEMENT_TYPES.get(dtype, dtype),
        }
    return inputs, outputs
