# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory of one input or output of an engine, allocated once and used for every image."""

from __future__ import annotations

import ctypes
import logging
import math
from typing import Any

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime

_LOGGER = logging.getLogger(__name__)
_SPOILT = 0xFF  # as float32 no number, as int32 -1: no network answers that


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
                _LOGGER.warning('memory of the engine was not freed: %s', error)
