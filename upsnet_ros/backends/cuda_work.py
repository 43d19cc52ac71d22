# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What work on a GPU is made of: memory on both sides, kernels ready to launch, recordings.

Work that is recorded once is launched as a whole, which spares the processor the queueing.
"""

from __future__ import annotations

import ctypes
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime
from upsnet_ros.core.errors import ModelError

_LOGGER = logging.getLogger(__name__)
# As float32 no number, as int32 -1: no network answers that.
_SPOILT = 0xFF


class TensorMemory:
    """Page-locked memory of the host, and the device's memory that belongs to it.

    Where GPU and processor share their memory both are the same bytes, and nothing is copied.

    Attributes:
        host: the tensor in page-locked memory; only valid until `free`.
        address: where the device finds it.
    """

    def __init__(
        self, cuda: CudaRuntime, shape: tuple[int, ...], dtype: str, *, is_shared: bool
    ) -> None:
        """Allocate.

        Args:
            cuda: the device.
            shape: of the tensor.
            dtype: NumPy name of its element type.
            is_shared: whether the GPU shares its memory with the processor.

        Raises:
            CudaError: there is not enough memory; nothing stays allocated then.
        """
        self._cuda = cuda
        self._is_shared = is_shared
        self._size = math.prod(shape) * np.dtype(dtype).itemsize
        self._pinned = cuda.allocate_pinned(self._size, is_mapped=is_shared)
        try:
            self.address = (
                cuda.device_address(self._pinned) if is_shared else cuda.allocate(self._size)
            )
        except CudaError:
            cuda.free_pinned(self._pinned)
            raise
        content = (ctypes.c_ubyte * self._size).from_address(self._pinned)
        self.host = np.ctypeslib.as_array(content).view(dtype).reshape(shape)

    def queue_upload(self, stream: Any) -> None:
        """Queue the copy from host to device, where there is one to make."""
        if not self._is_shared:
            self._cuda.copy_to_device(self.address, self._pinned, self._size, stream)

    def queue_download(self, stream: Any) -> None:
        """Queue the copy from device to host, where there is one to make."""
        if not self._is_shared:
            self._cuda.copy_to_host(self._pinned, self.address, self._size, stream)

    def queue_spoiling(self, stream: Any) -> None:
        """Overwrite both sides, so that what is read later was written later.

        Nothing that uses the memory may be in work on the device.
        """
        self.host.view(np.uint8).fill(_SPOILT)
        if not self._is_shared:
            self._cuda.fill(self.address, _SPOILT, self._size, stream)

    def free(self) -> None:
        """Free both sides; `host` must not be used any more. Failures are only logged."""
        self.host = np.empty(0, self.host.dtype)
        frees = [(self._cuda.free_pinned, self._pinned)]
        if not self._is_shared:
            frees.insert(0, (self._cuda.free, self.address))
        for free, address in frees:
            try:
                free(address)
            except CudaError as error:  # a device that is lost has freed it already
                _LOGGER.warning('memory of the GPU was not freed: %s', error)


class CudaGraph:
    """Recorded work of one stream."""

    def __init__(self, cuda: CudaRuntime, stream: Any, queue_work: Callable[[], None]) -> None:
        """Record.

        Args:
            cuda: the device.
            stream: where the work is queued, and later launched; nothing may be in work on it.
            queue_work: queues the work; may raise ModelError.

        Raises:
            ModelError: the work cannot be recorded; nothing is left recording then.
        """
        self._cuda = cuda
        self._stream = stream
        graph = _record(cuda, stream, queue_work)
        try:
            self._executable = cuda.instantiate(graph)
        finally:
            cuda.destroy_graph(graph)

    def launch(self) -> None:
        """Queue the recorded work on its stream."""
        self._cuda.launch(self._executable, self._stream)

    def free(self) -> None:
        """Free the recording, which must not be in work. A failure is only logged."""
        try:
            self._cuda.destroy_executable(self._executable)
        except CudaError as error:  # a device that is lost has freed it already
            _LOGGER.warning('the CUDA graph was not freed: %s', error)


def _record(cuda: CudaRuntime, stream: Any, queue_work: Callable[[], None]) -> Any:
    """Return the graph of queued work; the recording ends also when queueing fails."""
    cuda.begin_capture(stream)
    try:
        queue_work()
    except ModelError:
        _discard_recording(cuda, stream)
        raise
    return cuda.end_capture(stream)


def _discard_recording(cuda: CudaRuntime, stream: Any) -> None:
    """End a recording whose content is worth nothing."""
    try:
        cuda.destroy_graph(cuda.end_capture(stream))
    except CudaError as error:  # usual: a recording that failed gives no graph
        _LOGGER.debug('the recording gave no graph: %s', error)


class KernelCall:
    """A kernel with everything that a launch of it takes, to be launched any number of times."""

    def __init__(
        self,
        cuda: CudaRuntime,
        function: Any,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        values: Sequence[int | float],
    ) -> None:
        """Lay out the parameters.

        Args:
            cuda: the device.
            function: from `CudaRuntime.load_kernel`.
            grid: blocks along x, y, z.
            block: threads along x, y, z.
            values: of the parameters, each of 64 bits.
        """
        self._cuda = cuda
        self._function, self._grid, self._block = function, grid, block
        self._values = [
            ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int64(value)
            for value in values
        ]
        addresses = (ctypes.addressof(value) for value in self._values)
        self._addresses = (ctypes.c_void_p * len(values))(*addresses)

    def queue(self, stream: Any) -> None:
        """Queue the launch on a stream."""
        parameters = ctypes.addressof(self._addresses)
        self._cuda.launch_kernel(self._function, self._grid, self._block, parameters, stream)
