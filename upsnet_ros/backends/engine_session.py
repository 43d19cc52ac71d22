# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that is ready for images: its context, stream, memory and recorded work.

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
from upsnet_ros.backends.graph_interface import check_graph
from upsnet_ros.backends.tensorrt_runtime import LoadedEngine
from upsnet_ros.core.errors import DeviceLostError, ModelError
from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)
# Of a tensor's largest value: kernels that add in any order differ by less, lost work by more.
_TOLERANCE = 1e-3

# As float32 no number, as int32 -1: no network answers that.
_SPOILT = 0xFF

Answer = dict[str, np.ndarray]


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


class EngineSession:
    """One life of an engine, from deserialising to freeing.

    All memory is allocated here; running an image allocates none on the device. One thread at a
    time uses it.

    Attributes:
        uses_graph: whether images run as one recorded CUDA graph.
    """

    def __init__(
        self,
        library: Any,
        cuda: CudaRuntime,
        content: bytes,
        manifest: ModelManifest,
        *,
        images: int = 1,
    ) -> None:
        """Load an engine, run it once and record that run.

        Args:
            library: the module `tensorrt`.
            cuda: the device.
            content: the engine.
            manifest: what its inputs and outputs should be for one image.
            images: how many it takes at once.

        Raises:
            ModelError: it cannot be loaded or run; nothing stays allocated then.
            ManifestError: an input or output is not what the manifest says.
        """
        self._cuda = cuda
        self._stream: Any = None
        self._graph: CudaGraph | None = None
        self._memory: dict[str, TensorMemory] = {}
        cuda.use_device()
        self._engine = LoadedEngine(library, content)
        try:
            check_graph(self._engine.inputs, self._engine.outputs, manifest, images=images)
            self._input_name = manifest.input.name
            self._output_names = tuple(manifest.outputs)
            self._allocate()
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def uses_graph(self) -> bool:
        """Whether images run as one recorded CUDA graph."""
        return self._graph is not None

    def _allocate(self) -> None:
        self._stream = self._cuda.create_stream()
        is_shared = self._cuda.gpu().integrated
        for name, entry in {**self._engine.inputs, **self._engine.outputs}.items():
            self._memory[name] = TensorMemory(
                self._cuda, tuple(entry['shape']), entry['dtype'], is_shared=is_shared
            )

    def _start(self) -> None:
        """Run the engine once, and record the run if that gives the same answer.

        Raises:
            ModelError: the engine does not run.
        """
        reason = self._record(self._start_context())
        if reason is None:
            return
        _LOGGER.warning(
            'the network runs without a CUDA graph, which costs the processor some time: %s',
            reason,
        )
        if not self._cuda.is_usable():
            raise DeviceLostError(f'the GPU failed while the network was recorded: {reason}')
        self._start_context()  # the old one may remember half a recording

    def _start_context(self) -> Answer:
        """Make a new context and return its answer to the image of the start."""
        self._free_graph()
        self._engine.create_context()
        for name, memory in self._memory.items():
            self._engine.set_address(name, memory.address)
        image = self._memory[self._input_name].host
        image[...] = np.random.default_rng(0).integers(0, 256, image.shape, image.dtype)
        self._queue_work()
        return self._wait_for_answer()

    def _record(self, plain: Answer) -> str | None:
        """Record a run; returns why it cannot be used, or None.

        A recording may lack a step that TensorRT could not record, with no error at all. The
        answer would then be that of an earlier image, so the old one is destroyed first.
        """
        errors_before = self._engine.log.error_count
        try:
            self._graph = CudaGraph(self._cuda, self._stream, self._queue_work)
            if self._engine.log.error_count > errors_before:
                return f'TensorRT reported {self._engine.log.take_errors()}'
            for name in self._output_names:
                self._memory[name].queue_spoiling(self._stream)
            self._graph.launch()
            return _difference(plain, self._wait_for_answer())
        except ModelError as error:
            return str(error)

    def _queue_work(self) -> None:
        self._memory[self._input_name].queue_upload(self._stream)
        self._engine.enqueue(self._stream)
        for name in self._output_names:
            self._memory[name].queue_download(self._stream)

    def _wait_for_answer(self) -> Answer:
        """Wait for the queued work and return copies of the outputs."""
        self._cuda.synchronise(self._stream)
        return {name: self._memory[name].host.copy() for name in self._output_names}

    def run(self, images_bgr: Sequence[np.ndarray]) -> Answer:
        """Return the outputs for images, uint8 [H, W, 3] each, in arrays of their own.

        Args:
            images_bgr: at most as many as the engine takes at once; for fewer, the other rows of
                the outputs mean nothing.

        Raises:
            ModelError: the engine or the device failed.
        """
        batch = self._memory[self._input_name].host
        for index, image_bgr in enumerate(images_bgr):
            np.copyto(batch[index], image_bgr)
        if self._graph is not None:
            self._graph.launch()
        else:
            self._queue_work()
        return self._wait_for_answer()

    def close(self) -> None:
        """Free everything, users before what they use; safe to call twice."""
        self._free_graph()
        self._engine.close()
        while self._memory:
            self._memory.popitem()[1].free()
        if self._stream is not None:
            try:
                self._cuda.destroy_stream(self._stream)
            except CudaError as error:  # a device that is lost has freed it already
                _LOGGER.warning('the CUDA stream was not freed: %s', error)
            self._stream = None

    def _free_graph(self) -> None:
        if self._graph is not None:
            self._graph.free()
            self._graph = None


def _difference(plain: Answer, recorded: Answer) -> str | None:
    """Return how a recorded run's answer differs from a plain run's; None if it does not."""
    for name, wanted in plain.items():
        got = recorded[name]
        if wanted.tobytes() == got.tobytes():
            continue
        finite = np.abs(wanted[np.isfinite(wanted)])
        tolerance = _TOLERANCE * max(float(finite.max(initial=0.0)), 1.0)
        if wanted.dtype.kind == 'f' and np.allclose(
            got, wanted, rtol=0.0, atol=tolerance, equal_nan=True
        ):
            continue
        return f"the recorded run's output '{name}' differs from that of a plain run"
    return None
