# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for `cuda.bindings.runtime` and `.driver` that holds its user to CUDA's rules.

Work that is queued is done when its stream is synchronised, not before. Memory is real, so copies
move bytes; using freed memory, freeing twice, or allocating while recording is an AssertionError.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace

import numpy as np


class Error(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class DriverError(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_INVALID_PTX = 218
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222
    CUDA_ERROR_NOT_FOUND = 500
    CUDA_ERROR_LAUNCH_FAILED = 719


class FakeStream:
    """A stream, or the default one of a process that must not be used."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.waiting: list[Callable[[], None]] = []
        self.recording: list[Callable[[], None]] | None = None
        self.is_invalidated = False

    def __int__(self) -> int:
        return self.handle

    def queue(self, work: Callable[[], None]) -> None:
        (self.waiting if self.recording is None else self.recording).append(work)


class FakeCuda:
    """The functions of the runtime that are used, over memory of this process."""

    cudaError_t = Error
    CUresult = DriverError
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    cudaStreamNonBlocking = 1
    cudaHostAllocDefault = 0
    cudaHostAllocMapped = 2

    def __init__(self, *, integrated: bool = False, name: str = 'Fake GPU') -> None:
        self.properties = SimpleNamespace(
            name=name.encode(), major=8, minor=7, integrated=int(integrated)
        )
        self.driver = 13000
        self.free_memory = 6 * 2**30
        self.calls: list[str] = []
        self.counts: Counter[str] = Counter()
        self.streams: dict[int, FakeStream] = {}
        self.host: dict[int, ctypes.Array] = {}
        self.device: dict[int, ctypes.Array] = {}
        self.mapped: dict[int, int] = {}  # address of the device: address of the host
        self.graphs: set[int] = set()
        self.modules: dict[int, str] = {}  # handle: PTX
        self.launches: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
        self.driver_failures: dict[str, list[DriverError]] = {}
        self.sticky: Error | None = None
        self.users: list[Callable[[], set[int]]] = []
        self._last = Error.cudaSuccess
        self._failures: dict[str, list[Error | None]] = {}
        self._sticks = False
        self._next_handle = 100

    # --- what tests do

    def fail(self, name: str, error: Error, *, after: int = 0, sticky: bool = False) -> None:
        """Let a call of a function fail, the next one or that after some good ones."""
        self._failures[name] = [None] * after + [error]
        self._sticks = sticky

    @property
    def live(self) -> int:
        """How many things are allocated."""
        return sum(map(len, (self.streams, self.host, self.device, self.graphs, self.modules)))

    def is_live(self, address: int) -> bool:
        return address in self.device or self.mapped.get(address) in self.host

    def memory(self, address: int) -> ctypes.Array:
        """The memory at an address of the device."""
        assert self.is_live(address), f'{address:#x} is no memory of the device, or was freed'
        return self.device[address] if address in self.device else self.host[self.mapped[address]]

    # --- the library

    def _enter(self, name: str) -> Error:
        """Note a call; returns the error it shall give."""
        self.calls.append(name)
        self.counts[name] += 1
        if self.sticky is not None:
            return self.sticky
        planned = self._failures.get(name)
        error = planned.pop(0) if planned else None
        if error is None:
            return Error.cudaSuccess
        self._last = error
        if self._sticks:
            self.sticky = error
        return error

    def _handle(self) -> int:
        self._next_handle += 1
        return self._next_handle

    def _assert_not_recording(self) -> None:
        assert all(s.recording is None for s in self.streams.values()), 'not while recording'

    def _assert_unused(self, address: int) -> None:
        assert all(address not in used() for used in self.users), 'a context still uses it'

    def _stream(self, stream: FakeStream) -> FakeStream:
        assert self.streams.get(int(stream)) is stream, 'the stream was destroyed'
        return stream

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, f'words for {int(error)}'.encode()

    def cudaGetLastError(self) -> tuple[Error]:
        self.calls.append('cudaGetLastError')
        last, self._last = self._last, Error.cudaSuccess
        return (self.sticky or last,)

    def cudaDeviceSynchronize(self) -> tuple[Error]:
        self._assert_not_recording()
        error = self._enter('cudaDeviceSynchronize')
        if error:
            return (error,)
        self._do_waiting()
        return (self._last,) if self._last else (Error.cudaSuccess,)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Error, object]:
        assert device == 0
        return self._enter('cudaGetDeviceProperties'), self.properties

    def cudaDriverGetVersion(self) -> tuple[Error, int]:
        return self._enter('cudaDriverGetVersion'), self.driver

    def cudaRuntimeGetVersion(self) -> tuple[Error, int]:
        return self._enter('cudaRuntimeGetVersion'), 13020

    def cudaMemGetInfo(self) -> tuple[Error, int, int]:
        return self._enter('cudaMemGetInfo'), self.free_memory, 8 * 2**30

    def cudaSetDevice(self, device: int) -> tuple[Error]:
        assert device == 0
        return (self._enter('cudaSetDevice'),)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Error, int | None]:
        self._assert_not_recording()
        if error := self._enter('cudaHostAlloc'):
            return error, None
        content = (ctypes.c_ubyte * size)()
        address = ctypes.addressof(content)
        self.host[address] = content
        if flags & self.cudaHostAllocMapped:
            # Another number than the host's, so that mistaking one for the other is found.
            self.mapped[address | 1 << 60] = address
        return error, address

    def cudaHostGetDevicePointer(self, host: int, flags: int) -> tuple[Error, int | None]:
        assert flags == 0 and host in self.host
        if error := self._enter('cudaHostGetDevicePointer'):
            return error, None
        (address,) = (device for device, pinned in self.mapped.items() if pinned == host)
        return error, address

    def cudaFreeHost(self, address: int) -> tuple[Error]:
        if error := self._enter('cudaFreeHost'):
            return (error,)
        assert address in self.host, 'freed twice, or never allocated'
        for device, pinned in list(self.mapped.items()):
            if pinned == address:
                self._assert_unused(device)
                del self.mapped[device]
        del self.host[address]
        return (error,)

    def cudaMalloc(self, size: int) -> tuple[Error, int | None]:
        self._assert_not_recording()
        if error := self._enter('cudaMalloc'):
            return error, None
        content = (ctypes.c_ubyte * size)()
        self.device[ctypes.addressof(content)] = content
        return error, ctypes.addressof(content)

    def cudaFree(self, address: int) -> tuple[Error]:
        if error := self._enter('cudaFree'):
            return (error,)
        assert address in self.device, 'freed twice, or never allocated'
        self._assert_unused(address)
        del self.device[address]
        return (error,)

    def cudaMemcpyAsync(
        self, target: int, source: int, size: int, kind: int, stream: FakeStream
    ) -> tuple[Error]:
        if error := self._enter('cudaMemcpyAsync'):
            return (error,)

        def copy() -> None:
            sides = (self.device, self.host) if kind == 1 else (self.host, self.device)
            assert size == len(sides[0][target]) == len(sides[1][source])
            ctypes.memmove(sides[0][target], sides[1][source], size)

        self._stream(stream).queue(copy)
        return (error,)

    def cudaMemsetAsync(
        self, address: int, value: int, size: int, stream: FakeStream
    ) -> tuple[Error]:
        if error := self._enter('cudaMemsetAsync'):
            return (error,)
        self._stream(stream).queue(lambda: ctypes.memset(self.memory(address), value, size))
        return (error,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, FakeStream | None]:
        assert flags == self.cudaStreamNonBlocking
        if error := self._enter('cudaStreamCreateWithFlags'):
            return error, None
        stream = FakeStream(self._handle())
        self.streams[stream.handle] = stream
        return error, stream

    def cudaStreamDestroy(self, stream: FakeStream) -> tuple[Error]:
        if error := self._enter('cudaStreamDestroy'):
            return (error,)
        del self.streams[self._stream(stream).handle]
        return (error,)

    def cudaStreamSynchronize(self, stream: FakeStream) -> tuple[Error]:
        assert self._stream(stream).recording is None
        if error := self._enter('cudaStreamSynchronize'):
            stream.waiting.clear()
            return (error,)
        self._do_waiting()
        return (error,)

    def _do_waiting(self) -> None:
        for stream in self.streams.values():
            waiting, stream.waiting = stream.waiting, []
            for work in waiting:
                work()

    def cudaStreamBeginCapture(self, stream: FakeStream, mode: int) -> tuple[Error]:
        if error := self._enter('cudaStreamBeginCapture'):
            return (error,)
        assert self._stream(stream).recording is None and not stream.waiting
        stream.recording, stream.is_invalidated = [], False
        return (error,)

    def cudaStreamEndCapture(self, stream: FakeStream) -> tuple[Error, object | None]:
        recorded, stream.recording = self._stream(stream).recording, None
        assert recorded is not None, 'nothing was recording'
        error = self._enter('cudaStreamEndCapture')
        if stream.is_invalidated:
            error = self._last = Error.cudaErrorStreamCaptureInvalidated
        if error:
            return error, None
        return error, self._new_graph(recorded)

    def _new_graph(self, work: list[Callable[[], None]]) -> SimpleNamespace:
        graph = SimpleNamespace(handle=self._handle(), work=tuple(work))
        self.graphs.add(graph.handle)
        return graph

    def cudaGraphInstantiate(self, graph: SimpleNamespace, flags: int) -> tuple[Error, object]:
        assert flags == 0 and graph.handle in self.graphs
        if error := self._enter('cudaGraphInstantiate'):
            return error, None
        return error, self._new_graph(graph.work)

    def cudaGraphLaunch(self, executable: SimpleNamespace, stream: FakeStream) -> tuple[Error]:
        assert executable.handle in self.graphs, 'the graph was destroyed'
        if error := self._enter('cudaGraphLaunch'):
            return (error,)
        for work in executable.work:
            self._stream(stream).queue(work)
        return (error,)

    def cudaGraphDestroy(self, graph: SimpleNamespace) -> tuple[Error]:
        if error := self._enter('cudaGraphDestroy'):
            return (error,)
        self.graphs.remove(graph.handle)
        return (error,)

    def cudaGraphExecDestroy(self, executable: SimpleNamespace) -> tuple[Error]:
        if error := self._enter('cudaGraphExecDestroy'):
            return (error,)
        self.graphs.remove(executable.handle)
        return (error,)

    # --- the driver

    def cuGetErrorString(self, error: DriverError) -> tuple[DriverError, bytes]:
        return DriverError.CUDA_SUCCESS, f'driver words for {int(error)}'.encode()

    def _enter_driver(self, name: str) -> DriverError:
        self.calls.append(name)
        self.counts[name] += 1
        if self.sticky is not None:
            return DriverError.CUDA_ERROR_LAUNCH_FAILED
        planned = self.driver_failures.get(name)
        return planned.pop(0) if planned else DriverError.CUDA_SUCCESS

    def cuModuleLoadData(self, image: bytes) -> tuple[DriverError, int | None]:
        self._assert_not_recording()
        assert image.endswith(b'\0'), 'the driver reads on until there is a zero'
        if error := self._enter_driver('cuModuleLoadData'):
            return error, None
        if b'.version 8.5' not in image:
            return DriverError.CUDA_ERROR_INVALID_PTX, None
        handle = self._handle()
        self.modules[handle] = image[:-1].decode()
        return DriverError.CUDA_SUCCESS, handle

    def cuModuleGetFunction(
        self, module: int, name: bytes
    ) -> tuple[DriverError, SimpleNamespace | None]:
        if error := self._enter_driver('cuModuleGetFunction'):
            return error, None
        if f'.entry {name.decode()}(' not in self.modules[module]:
            return DriverError.CUDA_ERROR_NOT_FOUND, None
        function = SimpleNamespace(module=module, name=name.decode())
        return DriverError.CUDA_SUCCESS, function

    def cuModuleUnload(self, module: int) -> tuple[DriverError]:
        if error := self._enter_driver('cuModuleUnload'):
            return (error,)
        del self.modules[module]
        return (DriverError.CUDA_SUCCESS,)

    def cuLaunchKernel(
        self,
        function: SimpleNamespace,
        grid_x: int,
        grid_y: int,
        grid_z: int,
        block_x: int,
        block_y: int,
        block_z: int,
        shared: int,
        stream: int,
        parameters: int,
        extra: int,
    ) -> tuple[DriverError]:
        if error := self._enter_driver('cuLaunchKernel'):
            return (error,)
        assert function.module in self.modules, 'the module was unloaded'
        assert extra == 0 and shared == 0 and stream in self.streams
        assert all(1 <= size <= 65535 for size in (grid_y, grid_z)) and grid_x >= 1
        assert block_x * block_y * block_z <= 1024
        grid, block = (grid_x, grid_y, grid_z), (block_x, block_y, block_z)
        self.launches.append((function.name, grid, block))
        # The driver copies the parameters now, so that they may go before the work is done.
        arguments = self._arguments(function, parameters)

        def run() -> None:
            from tests.fakes.compiled_grid import (
                run_kernel,
            )  # compiles: not where none is launched

            assert function.module in self.modules, 'unloaded before its work was done'
            arrays = [value() if callable(value) else value for value in arguments]
            run_kernel(function.name, grid, block, arrays)

        self.streams[stream].queue(run)
        return (DriverError.CUDA_SUCCESS,)

    def _arguments(self, function: SimpleNamespace, parameters: int) -> list[object]:
        """Numbers as they are, arrays as functions that find them in the device's memory."""
        from training.panoptic_kernels.kernels import KERNELS

        kinds = KERNELS[function.name].parameters.values()
        declared = self.modules[function.module].count('.param .')
        addresses = (ctypes.c_void_p * declared).from_address(parameters)
        raw = [ctypes.c_int64.from_address(address).value for address in addresses]
        arguments: list[object] = []
        place = 0
        for kind in kinds:
            dtype, _, axes = kind.rstrip(']').partition('[')
            if not axes:
                number = ctypes.c_int64 if dtype == 'int64' else ctypes.c_double
                arguments.append(number.from_address(addresses[place]).value)
                place += 1
                continue
            count = int(axes)
            owners, size, item, address = raw[place : place + 2], *raw[place + 2 : place + 5]
            shape = tuple(raw[place + 5 : place + 5 + count])
            steps = tuple(raw[place + 5 + count : place + 5 + 2 * count])
            array = np.empty(0, dtype)
            assert owners == [0, 0] and item == array.itemsize and size == np.prod(shape)
            assert steps == np.empty(shape, dtype).strides
            assert size * item <= len(self.memory(address)), 'larger than its memory'
            arguments.append(
                lambda address=address, dtype=dtype, shape=shape: np.frombuffer(
                    self.memory(address), dtype, int(np.prod(shape))
                ).reshape(shape)
            )
            place += 5 + 2 * count
        assert place == declared
        return arguments


# What child processes import in place of the library.
SHARED = FakeCuda()
