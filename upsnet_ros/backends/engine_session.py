# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that is ready for images: its context, stream, memory and recorded work."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime
from upsnet_ros.backends.cuda_work import CudaGraph, TensorMemory
from upsnet_ros.backends.frame_labeller import FrameLabeller
from upsnet_ros.backends.graph_interface import check_graph
from upsnet_ros.backends.tensorrt_runtime import LoadedEngine
from upsnet_ros.core.errors import DeviceLostError, ModelError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)
# Of a tensor's largest value: kernels that add in any order differ by less, lost work by more.
_TOLERANCE = 1e-3

Answer = dict[str, np.ndarray]


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
        self._manifest = manifest
        self._stream: Any = None
        self._graph: CudaGraph | None = None
        self._memory: dict[str, TensorMemory] = {}
        self._labeller: FrameLabeller | None = None
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

    def label(
        self, image_bgr: np.ndarray, geometry: InputGeometry, head: PanopticHead
    ) -> PanopticResult:
        """Return the labels of an image by an engine for one; see `FrameLabeller`.

        The first time takes as long as the driver needs to translate the kernels.
        """
        if self._labeller is None:
            self._labeller = FrameLabeller(
                self._cuda, self._stream, self._engine.enqueue, self._memory, self._manifest
            )
        return self._labeller.label(image_bgr, geometry, head)

    def close(self) -> None:
        """Free everything, users before what they use; safe to call twice."""
        if self._labeller is not None:
            self._labeller.close()
            self._labeller = None
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
