# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA runtime calls that inference needs, each checked; the only file that imports `cuda`."""

from __future__ import annotations

import logging
import re
from dataclasses import asdict, dataclass
from typing import Any

from upsnet_ros.core.errors import ModelError

_LOGGER = logging.getLogger(__name__)
_REMEDIES = {
    'cudaErrorMemoryAllocation': 'end other programs on the GPU, or use a smaller model',
    'cudaErrorNoDevice': 'check that the computer has an NVIDIA GPU and nvidia-smi shows it',
    'cudaErrorInsufficientDriver': 'install or update the NVIDIA driver (nvidia-smi shows it)',
    'CUDA_ERROR_UNSUPPORTED_PTX_VERSION': 'update the NVIDIA driver to that of CUDA 12.5 or newer',
}
_OTHER_REMEDY = "look for messages of the NVIDIA driver in the system's log (dmesg)"


@dataclass(frozen=True)
class Gpu:
    """A CUDA device.

    Attributes:
        name: as the driver gives it.
        compute_capability: for example `8.7`.
        integrated: whether it shares its memory with the processor.
    """

    name: str
    compute_capability: str
    integrated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, so that 10.9 comes before 10.16."""
    return tuple(int(number) for number in re.findall(r'\d+', version))


class CudaError(ModelError):
    """A CUDA call that failed.

    Attributes:
        call: the function.
        code: name of the error, for example `cudaErrorIllegalAddress`.
    """

    def __init__(self, call: str, code: str, text: str) -> None:
        """Build the message from what CUDA said."""
        self.call = call
        self.code = code
        self.text = text
        super().__init__(
            f'CUDA call {call} failed: {code} ({text}); {_REMEDIES.get(code, _OTHER_REMEDY)}'
        )

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Keep the attributes across process borders, where exceptions are pickled."""
        return type(self), (self.call, self.code, self.text)


def load_cuda_library() -> Any:
    """Return the module `cuda.bindings.runtime`, or raise ModelError saying what to install."""
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise ModelError(
            f"CUDA's Python interface cannot be imported ({error}); install the Python package "
            "cuda-bindings, of the CUDA version of TensorRT ('cuda-bindings==13.*' for CUDA 13)"
        ) from error
    return runtime


def load_driver_library() -> Any:
    """Return the module `cuda.bindings.driver`, or raise ModelError saying what to install."""
    try:
        from cuda.bindings import driver
    except ImportError as error:
        raise ModelError(
            f'the interface of the CUDA driver cannot be imported ({error}); install the Python '
            'package cuda-bindings anew'
        ) from error
    return driver


class CudaRuntime:
    """One CUDA device.

    Handles of streams and graphs are the library's own objects; addresses are whole numbers.
    Every method raises CudaError when its call fails.
    """

    def __init__(self, library: Any, *, device: int = 0) -> None:
        """Use a device.

        Args:
            library: what `load_cuda_library` returns.
            device: its number.
        """
        self._library = library
        self._device = device

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the library; returns its first result, or None if it has none."""
        code, *results = getattr(self._library, name)(*arguments)
        if code != self._library.cudaError_t.cudaSuccess:
            raise CudaError(name, code.name, self._text(code))
        return results[0] if results else None

    def _text(self, code: Any) -> str:
        """What an error means, in CUDA's words."""
        _, text = self._library.cudaGetErrorString(code)
        return text.decode(errors='replace') if isinstance(text, bytes) else str(text)

    # --- the device

    def gpu(self) -> Gpu:
        """The device's description."""
        properties = self._call('cudaGetDeviceProperties', self._device)
        return Gpu(
            name=properties.name.decode(errors='replace').rstrip('\0'),
            compute_capability=f'{properties.major}.{properties.minor}',
            integrated=bool(properties.integrated),
        )

    def driver_version(self) -> str:
        """Newest CUDA version that the driver can run, for example `13.0`."""
        version = self._call('cudaDriverGetVersion')
        if version == 0:
            raise ModelError(
                'there is no NVIDIA driver, expected one for TensorRT; install it and check it '
                'with nvidia-smi'
            )
        return f'{version // 1000}.{version % 1000 // 10}'

    def runtime_version(self) -> str:
        """CUDA version of the runtime library, for example `13.0`."""
        version = self._call('cudaRuntimeGetVersion')
        return f'{version // 1000}.{version % 1000 // 10}'

    def free_memory(self) -> int:
        """Memory of the device in use that nobody has taken [bytes]."""
        return int(self._call('cudaMemGetInfo'))

    def use_device(self) -> None:
        """Make the device that of the calling thread."""
        self._call('cudaSetDevice', self._device)

    def is_usable(self) -> bool:
        """Whether the device still works after a failure, which is forgotten if it does.

        Some errors, such as an illegal address, stay with the process: every later call fails.
        """
        try:
            self._library.cudaGetLastError()  # takes away errors that do not stay
            self._call('cudaDeviceSynchronize')
        except CudaError as error:
            _LOGGER.error('the CUDA device does not recover: %s', error)
            return False
        return True

    # --- memory

    def allocate_pinned(self, size: int, *, is_mapped: bool) -> int:
        """Return the address of page-locked memory; the device can address it if it is mapped."""
        flags = 'cudaHostAllocMapped' if is_mapped else 'cudaHostAllocDefault'
        return int(self._call('cudaHostAlloc', size, getattr(self._library, flags)))

    def free_pinned(self, address: int) -> None:
        """Free page-locked memory."""
        self._call('cudaFreeHost', address)

    def device_address(self, pinned: int) -> int:
        """Return the device's address of mapped memory."""
        return int(self._call('cudaHostGetDevicePointer', pinned, 0))

    def allocate(self, size: int) -> int:
        """Return the address of device memory."""
        return int(self._call('cudaMalloc', size))

    def free(self, address: int) -> None:
        """Free device memory."""
        self._call('cudaFree', address)

    def copy_to_device(self, device: int, pinned: int, size: int, stream: Any) -> None:
        """Queue a copy of page-locked memory to the device."""
        kind = self._library.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call('cudaMemcpyAsync', device, pinned, size, kind, stream)

    def copy_to_host(self, pinned: int, device: int, size: int, stream: Any) -> None:
        """Queue a copy of device memory to page-locked memory."""
        kind = self._library.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call('cudaMemcpyAsync', pinned, device, size, kind, stream)

    def fill(self, device: int, value: int, size: int, stream: Any) -> None:
        """Queue setting every byte of device memory to a value."""
        self._call('cudaMemsetAsync', device, value, size, stream)

    # --- kernels, which the driver has

    def _drive(self, name: str, *arguments: Any) -> Any:
        """Call a function of the driver; returns its first result, or None if it has none."""
        driver = load_driver_library()
        code, *results = getattr(driver, name)(*arguments)
        if code != driver.CUresult.CUDA_SUCCESS:
            _, text = driver.cuGetErrorString(code)
            words = text.decode(errors='replace') if isinstance(text, bytes) else str(text)
            raise CudaError(name, code.name, words)
        return results[0] if results else None

    def load_kernel(self, text: str, name: str) -> tuple[Any, Any]:
        """Have the driver translate a text of PTX; returns its module, and the function in it."""
        module = self._drive('cuModuleLoadData', text.encode() + b'\0')
        try:
            return module, self._drive('cuModuleGetFunction', module, name.encode())
        except CudaError:
            self.unload_kernel(module)
            raise

    def unload_kernel(self, module: Any) -> None:
        """Free a module, none of whose functions may be in work."""
        self._drive('cuModuleUnload', module)

    def launch_kernel(
        self,
        function: Any,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        parameters: int,
        stream: Any,
    ) -> None:
        """Queue a kernel.

        Args:
            function: from `load_kernel`.
            grid: blocks along x, y, z.
            block: threads along x, y, z.
            parameters: address of the addresses of its parameters.
            stream: where it is queued.
        """
        self._drive('cuLaunchKernel', function, *grid, *block, 0, int(stream), parameters, 0)

    # --- streams and graphs

    def create_stream(self) -> Any:
        """Return a stream that does not wait for the default one."""
        return self._call('cudaStreamCreateWithFlags', self._library.cudaStreamNonBlocking)

    def destroy_stream(self, stream: Any) -> None:
        """Free a stream."""
        self._call('cudaStreamDestroy', stream)

    def synchronise(self, stream: Any) -> None:
        """Wait until all that was queued on a stream is done."""
        self._call('cudaStreamSynchronize', stream)

    def begin_capture(self, stream: Any) -> None:
        """Record what this thread queues on a stream from now on, in place of doing it."""
        mode = self._library.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call('cudaStreamBeginCapture', stream, mode)

    def end_capture(self, stream: Any) -> Any:
        """Return the graph of what was recorded."""
        return self._call('cudaStreamEndCapture', stream)

    def instantiate(self, graph: Any) -> Any:
        """Return an executable of a graph."""
        return self._call('cudaGraphInstantiate', graph, 0)

    def launch(self, executable: Any, stream: Any) -> None:
        """Queue an executable graph."""
        self._call('cudaGraphLaunch', executable, stream)

    def destroy_graph(self, graph: Any) -> None:
        """Free a graph."""
        self._call('cudaGraphDestroy', graph)

    def destroy_executable(self, executable: Any) -> None:
        """Free an executable graph."""
        self._call('cudaGraphExecDestroy', executable)
