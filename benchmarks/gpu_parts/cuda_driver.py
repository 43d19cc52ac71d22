# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver's calls that load a PTX text and launch its kernel: as TensorRT runs the plugin.

Called through ctypes, since ``libcuda.so.1`` is there wherever a GPU works. PyTorch must have
used the device before in the same thread: its context is taken.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from upsnet_ros.core.errors import UpsnetError

LIBRARY = 'libcuda.so.1'
SUCCESS = 0
LOG_BYTES = 8192
# CUjit_option: where the translator of PTX writes what it has against a text.
JIT_ERROR_LOG, JIT_ERROR_LOG_BYTES = 5, 6


class DriverError(UpsnetError):
    """A call of the CUDA driver that failed."""


def load_driver() -> Any:
    """The driver's library.

    Raises:
        DriverError: If there is none.
    """
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise DriverError(f'no CUDA driver ({error}); install it, nvidia-smi shows it') from error


@dataclass(frozen=True)
class LoadedKernel:
    """A kernel on the device.

    Attributes:
        module: Handle of what holds it; see :meth:`CudaDriver.unload`.
        function: Handle of the kernel.
    """

    module: ctypes.c_void_p
    function: ctypes.c_void_p


class CudaDriver:
    """The driver of the current device.

    Args:
        library: From :func:`load_driver`.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._call('cuInit', ctypes.c_uint(0))

    def _call(self, name: str, *arguments: Any, log: ctypes.Array | None = None) -> None:
        code = getattr(self._library, name)(*arguments)
        if code != SUCCESS:
            text = log.value.decode(errors='replace').strip() if log is not None else ''
            raise DriverError(f'CUDA driver call {name} failed: {self._name(code)} {text}'.strip())

    def _name(self, code: int) -> str:
        name = ctypes.c_char_p()
        self._library.cuGetErrorName(ctypes.c_int(code), ctypes.byref(name))
        return name.value.decode(errors='replace') if name.value else f'error {code}'

    def version(self) -> str:
        """Newest CUDA version that the driver knows, such as ``13.0``."""
        version = ctypes.c_int()
        self._call('cuDriverGetVersion', ctypes.byref(version))
        return f'{version.value // 1000}.{version.value % 1000 // 10}'

    def load(self, text: str, entry: str) -> LoadedKernel:
        """Translate a text for the device.

        Args:
            text: PTX.
            entry: Name of the kernel in it.

        Raises:
            DriverError: With the translator's words, if it refuses the text.
        """
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        log = ctypes.create_string_buffer(LOG_BYTES)
        options = (ctypes.c_int * 2)(JIT_ERROR_LOG, JIT_ERROR_LOG_BYTES)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), LOG_BYTES)
        image = ctypes.create_string_buffer(text.encode())  # ends with a zero, as it must
        self._call(
            'cuModuleLoadDataEx',
            *(ctypes.byref(module), image, ctypes.c_uint(2), options, values),
            log=log,
        )
        name = ctypes.c_char_p(entry.encode())
        self._call('cuModuleGetFunction', ctypes.byref(function), module, name)
        return LoadedKernel(module, function)

    def launch(
        self,
        kernel: LoadedKernel,
        *,
        grid: Sequence[int],
        block: Sequence[int],
        shared: int,
        stream: int,
        parameters: Sequence[ctypes._SimpleCData],
    ) -> None:
        """Queue a kernel.

        Args:
            kernel: From :meth:`load`.
            grid: Programs along x, y, z.
            block: Threads along x, y, z.
            shared: Dynamic shared memory in bytes.
            stream: Handle, such as PyTorch's ``current_stream().cuda_stream``.
            parameters: Of the kernel, in order, each of the type that the kernel declares.

        Raises:
            DriverError: If the launch is refused; a kernel that fails is noticed later.
        """
        addresses = (ctypes.c_void_p * len(parameters))(
            *(ctypes.addressof(parameter) for parameter in parameters)
        )
        sizes = (ctypes.c_uint(size) for size in (*grid, *block, shared))
        self._call(
            'cuLaunchKernel',
            *(kernel.function, *sizes, ctypes.c_void_p(stream), addresses, None),
        )

    def unload(self, kernel: LoadedKernel) -> None:
        """Free a kernel that is not in work."""
        self._call('cuModuleUnload', kernel.module)
