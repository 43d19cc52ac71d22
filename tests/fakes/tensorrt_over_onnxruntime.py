# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for `tensorrt` whose engines are ONNX files that ONNX Runtime computes.

With it the whole way of an engine can be gone on a computer without a GPU: parse, build, load,
run, compare. What it cannot show is TensorRT's own behaviour.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tests.fakes.fake_cuda import SHARED, FakeCuda
from tests.fakes.fake_tensorrt import (
    DataType,
    FakeEngine,
    FakeRuntime,
    FakeTensorRt,
    Severity,
    TensorIOMode,
)

MAGIC = b'fake engine:'
TYPES = {
    'tensor(uint8)': DataType.UINT8,
    'tensor(int32)': DataType.INT32,
    'tensor(float)': DataType.FLOAT,
}


class Flag(Enum):
    STRONGLY_TYPED = 0
    PREFER_AOT_PYTHON_PLUGINS = 1

    def __int__(self) -> int:
        return self.value


class Network:
    """What was parsed."""

    def __init__(self) -> None:
        self.content = b''
        self.num_outputs = 0
        self.num_layers = 0


class Parser:
    """Reads ONNX; a file that is none is an error with the name of a node."""

    def __init__(self, network: Network, logger: Any) -> None:
        self._network = network
        self.num_errors = 0

    def parse(self, content: bytes) -> bool:
        try:
            model = onnx.load_from_string(content)
            onnx.checker.check_model(model)
        except Exception as error:  # protobuf and the checker raise types of their own
            self._error, self.num_errors = str(error), 1
            return False
        self._network.content = content
        self._network.num_outputs = len(model.graph.output)
        self._network.num_layers = len(model.graph.node)
        return True

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(node_name=lambda: 'a_node', desc=lambda: self._error)


class Config:
    """Options of a build; a timing cache is any content that begins with `times`."""

    progress_monitor: Any = None
    builder_optimization_level = 3

    def __init__(self) -> None:
        self.cleared: list[Any] = []

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        assert pool == 'workspace' and size > 0

    def clear_flag(self, flag: str) -> None:
        self.cleared.append(flag)

    def create_timing_cache(self, content: bytes) -> Any:
        if content and not content.startswith(b'times'):
            return None
        return SimpleNamespace(serialize=lambda: b'times of this GPU')

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        return True


class TensorRtOverOnnxRuntime(FakeTensorRt):
    """The module.

    Attributes:
        distort: what becomes of every output, by name; for engines that compute wrongly.
        refuse_build: whether the builder gives nothing.
    """

    NetworkDefinitionCreationFlag = Flag
    MemoryPoolType = SimpleNamespace(WORKSPACE='workspace')
    BuilderFlag = SimpleNamespace(TF32='tf32')

    class IProgressMonitor:
        """Base of monitors."""

    def __init__(self, cuda: FakeCuda) -> None:
        super().__init__(cuda)
        self.distort: Callable[[str, np.ndarray], np.ndarray] = lambda _, value: value
        self.refuse_build = False
        self.OnnxParser = Parser

    def Builder(self, logger: Any) -> Any:
        self._logger = self._logger or (lambda: logger)
        return SimpleNamespace(
            create_network=self._create_network,
            create_builder_config=Config,
            build_serialized_network=self._build,
        )

    def _create_network(self, flags: int) -> Network:
        assert flags == 0b11, 'explicit types and PTX in the engine were asked for'
        return Network()

    def _build(self, network: Network, config: Config) -> bytes | None:
        monitor = config.progress_monitor
        monitor.phase_start('Building Engine', None, 2)
        for step in range(2):
            assert monitor.step_complete('Building Engine', step)
        monitor.phase_finish('Building Engine')
        if self.refuse_build:
            self.log(Severity.ERROR, 'Could not find any implementation for node first')
            return None
        self.log(Severity.WARNING, 'a layer is slow')
        return MAGIC + network.content

    def Runtime(self, logger: Any) -> FakeRuntime:
        super().Runtime(logger)
        return OnnxRuntime(self)

    def load(self, content: bytes) -> None:
        """Let inputs, outputs and answers be those of a file."""
        session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
        self.tensors = {}
        for mode, entries in (
            (TensorIOMode.INPUT, session.get_inputs()),
            (TensorIOMode.OUTPUT, session.get_outputs()),
        ):
            for entry in entries:
                self.tensors[entry.name] = (mode, tuple(entry.shape), TYPES[entry.type])
        names = [entry.name for entry in session.get_outputs()]
        self.answer = lambda image: {
            name: self.distort(name, value)
            for name, value in zip(names, session.run(None, {'image': image}), strict=True)
        }


class OnnxRuntime(FakeRuntime):
    """Loads what the builder made."""

    def deserialize_cuda_engine(self, content: bytes) -> FakeEngine | None:
        self.module.cuda.calls.append('deserialize')
        self.module.log(Severity.INFO, f'Loaded engine size: {len(content)}')
        if not content.startswith(MAGIC):
            self.module.log(Severity.ERROR, 'Serialization assertion magicTag failed')
            return None
        self.module.load(content[len(MAGIC) :])
        return FakeEngine(self.module)


def plugin_module() -> ModuleType:
    """`tensorrt.plugin`, which takes what it is given."""
    module = ModuleType('tensorrt.plugin')
    for name in ('register', 'autotune', 'aot_impl'):
        setattr(module, name, lambda identity: lambda function: function)
    for name in (
        'TensorDesc', 'AutoTuneCombination', 'KernelLaunchParams', 'SymIntExprs', 'SymInt32',
    ):  # fmt: skip
        setattr(module, name, type(name, (), {}))
    return module


SHARED_TENSORRT = TensorRtOverOnnxRuntime(SHARED)
SHARED_TENSORRT.plugin = plugin_module()


def install() -> None:
    """Be what `import tensorrt` finds in this process."""
    sys.modules['tensorrt'] = SHARED_TENSORRT
    sys.modules['tensorrt.plugin'] = SHARED_TENSORRT.plugin
