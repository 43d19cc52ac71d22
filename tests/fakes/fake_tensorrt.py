# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the runtime part of `tensorrt`, which computes what `tiny_model` computes.

It works on the memory of a `FakeCuda` and holds its user to TensorRT's rules: objects must outlive
what they made, every tensor needs an address, and the default stream is not used.
"""

from __future__ import annotations

import weakref
from enum import Enum
from typing import Any

import numpy as np

from tests.fakes.fake_cuda import SHARED, FakeCuda
from tests.fakes.tiny_model import BOX, CAR, ROWS, TOP

CONTENT = b'a fake engine of the tiny model'

Severity = Enum('Severity', ['INTERNAL_ERROR', 'ERROR', 'WARNING', 'INFO', 'VERBOSE'])
DataType = Enum('DataType', ['FLOAT', 'HALF', 'INT8', 'INT32', 'UINT8'])
TensorIOMode = Enum('TensorIOMode', ['NONE', 'INPUT', 'OUTPUT'])
NUMPY_TYPES = {DataType.UINT8: np.uint8, DataType.INT32: np.int32, DataType.FLOAT: np.float32}


def tiny_tensors(images: int = 1) -> dict[str, tuple[TensorIOMode, tuple[int, ...], DataType]]:
    """Name, direction, shape and type of all inputs and outputs."""
    out = TensorIOMode.OUTPUT
    return {
        'image': (TensorIOMode.INPUT, (images, 64, 96, 3), DataType.UINT8),
        'semantic_logits': (out, (images, 19, 16, 24), DataType.FLOAT),
        'boxes': (out, (images, ROWS, 4), DataType.FLOAT),
        'scores': (out, (images, ROWS), DataType.FLOAT),
        'classes': (out, (images, ROWS), DataType.INT32),
        'mask_logits': (out, (images, ROWS, 28, 28), DataType.FLOAT),
        'count': (out, (images,), DataType.INT32),
    }


def tiny_answer(image: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs for images, uint8 [N, 64, 96, 3]."""
    images = len(image)
    blue = image[:, ::4, ::4, 0].astype(np.float32)
    class_ids = np.arange(19, dtype=np.float32)[None, :, None, None]
    return {
        'semantic_logits': TOP - np.abs(class_ids - blue[:, None]),
        'boxes': np.tile(np.array(BOX, np.float32), (images, ROWS, 1)),
        'scores': np.tile(np.array([0.9, 0, 0, 0], np.float32), (images, 1)),
        'classes': np.full((images, ROWS), CAR, np.int32),
        'mask_logits': np.full((images, ROWS, 28, 28), 30.0, np.float32),
        'count': np.ones(images, np.int32),
    }


class FakeTensorRt:
    """The module.

    Attributes:
        tensors: what an engine says of its inputs and outputs.
        answer: what it computes.
        refuse_content: whether deserialising gives None.
        refuse_context: how many contexts are None.
        refuse_enqueue: how many runs are refused.
        capture: what happens while recording: `works`, `refused`, `lost` (nothing is recorded and
            nothing said), `logged` (an error is logged only), `raises`.
    """

    __version__ = '10.16.1.11'
    DataType = DataType
    TensorIOMode = TensorIOMode

    class ILogger:
        """Base of loggers."""

        Severity = Severity

        def __init__(self) -> None:
            self.is_initialised = True

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.tensors = tiny_tensors()
        self.answer = tiny_answer
        self.refuse_content = False
        self.refuse_context = 0
        self.refuse_enqueue = 0
        self.capture = 'works'
        self._logger: weakref.ref | None = None
        self.violations: list[str] = []
        self.alive: list[str] = []

    def Runtime(self, logger: Any) -> FakeRuntime:
        assert logger.is_initialised, 'ILogger.__init__ was not called'
        # Like the real one it stays with the first logger, and does not keep it alive.
        self._logger = self._logger or weakref.ref(logger)
        return FakeRuntime(self)

    def log(self, severity: Severity, text: str) -> None:
        logger = self._logger()
        assert logger is not None, 'the first logger was freed'
        logger.log(severity, text)

    def note_birth(self, what: str) -> None:
        self.cuda.calls.append(f'{what} created')
        self.alive.append(what)

    def note_death(self, what: str) -> None:
        """Note that an object went; those it made must have gone before."""
        self.cuda.calls.append(f'{what} freed')
        self.alive.remove(what)
        order = ('runtime', 'engine', 'context')
        later = [name for name in order[order.index(what) + 1 :] if name in self.alive]
        if later:
            self.violations.append(f'{what} freed before {later}')


class FakeRuntime:
    """The runtime."""

    def __init__(self, library: FakeTensorRt) -> None:
        self.module = library
        library.note_birth('runtime')

    def __del__(self) -> None:
        self.module.note_death('runtime')

    def deserialize_cuda_engine(self, content: bytes) -> FakeEngine | None:
        self.module.cuda.calls.append('deserialize')
        self.module.log(Severity.INFO, f'Loaded engine size: {len(content)}')
        if self.module.refuse_content or content != CONTENT:
            self.module.log(Severity.ERROR, 'Serialization assertion magicTag failed')
            return None
        return FakeEngine(self.module)


class FakeEngine:
    """An engine; it does not keep its runtime alive."""

    def __init__(self, library: FakeTensorRt) -> None:
        self.module = library
        library.note_birth('engine')

    def __del__(self) -> None:
        self.module.note_death('engine')

    @property
    def num_io_tensors(self) -> int:
        return len(self.module.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.module.tensors)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return self.module.tensors[name][0]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.module.tensors[name][1]

    def get_tensor_dtype(self, name: str) -> DataType:
        return self.module.tensors[name][2]

    def create_execution_context(self) -> FakeContext | None:
        if self.module.refuse_context:
            self.module.refuse_context -= 1
            self.module.log(Severity.ERROR, 'OutOfMemory: no scratch memory')
            return None
        return FakeContext(self.module)


class FakeContext:
    """An execution context; it does not keep its engine alive."""

    def __init__(self, library: FakeTensorRt) -> None:
        self.module = library
        self.addresses: dict[str, int] = {}
        addresses = self.addresses  # no cycle: the context must go with its last reference
        self._use = lambda: set(addresses.values())
        library.cuda.users.append(self._use)
        library.note_birth('context')

    def __del__(self) -> None:
        self.module.cuda.users.remove(self._use)
        self.module.note_death('context')

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert 'engine' in self.module.alive and self.module.cuda.is_live(address)
        self.addresses[name] = address
        return name in self.module.tensors

    def execute_async_v3(self, handle: int) -> bool:
        library, cuda = self.module, self.module.cuda
        assert {'engine', 'runtime'} <= set(library.alive), 'used after it was freed'
        assert set(self.addresses) == set(library.tensors), 'a tensor has no address'
        assert handle in cuda.streams, 'no stream, or the default one'
        stream = cuda.streams[handle]
        is_recording = stream.recording is not None
        cuda.calls.append('enqueue recorded' if is_recording else 'enqueue')
        if cuda.sticky or library.refuse_enqueue:
            library.refuse_enqueue = max(library.refuse_enqueue - 1, 0)
            self.module.log(Severity.ERROR, 'enqueueV3: a kernel could not be launched')
            return False
        if is_recording and library.capture != 'works':
            return self._spoil_capture(stream)
        addresses, answer = dict(self.addresses), library.answer
        stream.queue(lambda: compute(cuda, library.tensors, addresses, answer))
        return True

    def _spoil_capture(self, stream: Any) -> bool:
        if self.module.capture == 'lost':
            return True
        if self.module.capture == 'raises':
            stream.is_invalidated = True
            raise RuntimeError('pybind says no')
        self.module.log(Severity.ERROR, 'operation not permitted when stream is capturing')
        if self.module.capture == 'logged':
            return True
        stream.is_invalidated = True
        return False


def compute(cuda: FakeCuda, tensors: dict, addresses: dict[str, int], answer: Any) -> None:
    """Read the input and write the outputs, in the memory of the device."""
    arrays = {}
    for name, (_, shape, kind) in tensors.items():
        content = cuda.memory(addresses[name])
        assert len(content) == np.prod(shape) * np.dtype(NUMPY_TYPES[kind]).itemsize
        arrays[name] = np.frombuffer(content, NUMPY_TYPES[kind]).reshape(shape)
    for name, value in answer(arrays['image'].copy()).items():
        arrays[name][...] = value


SHARED_TENSORRT = FakeTensorRt(SHARED)
