# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of images that never leave the GPU: kernels around an engine, one recording a size.

What goes up is the camera's image and a few thresholds; what comes down is two bytes a pixel and a
table of instances.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime
from upsnet_ros.backends.cuda_work import CudaGraph, TensorMemory
from upsnet_ros.backends.frame_launches import (
    ANSWER,
    FramePlan,
    head_settings,
    plan_frame,
    read_result,
)
from upsnet_ros.backends.graph_interface import to_network_output
from upsnet_ros.backends.loaded_kernels import LoadedKernels
from upsnet_ros.core.errors import ImageError, ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import PanopticResult, check_output
from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)
# Sizes of images, each with its memory: more than a car's cameras have.
_MOST_SIZES = 8
_UPLOADED = ('raw', 'settings')
# What a recorded run must have in common with a plain one; where the network's own sums differ by
# their order, single pixels may.
_COMPARED = ('image', 'instances', 'faults')
_EQUAL_SHARE = 0.999

Sizes = tuple[InputGeometry, str]


class _Frame:
    """Memory, launches and recording for images of one size."""

    def __init__(
        self,
        cuda: CudaRuntime,
        stream: Any,
        queue_engine: Callable[[Any], None],
        engine_memory: Mapping[str, TensorMemory],
        kernels: LoadedKernels,
        plan: FramePlan,
        *,
        is_shared: bool,
    ) -> None:
        """Allocate.

        Args:
            cuda: the device.
            stream: where everything is queued.
            queue_engine: queues one run of the network on a stream.
            engine_memory: of the network's input (`placed`) and outputs.
            kernels: all of them.
            plan: what to do.
            is_shared: whether the GPU shares its memory with the processor.

        Raises:
            CudaError: there is not enough memory; nothing stays allocated then.
        """
        self._cuda, self._stream, self._queue_engine = cuda, stream, queue_engine
        self.plan = plan
        self._graph: CudaGraph | None = None
        self._own: dict[str, TensorMemory] = {}
        self._device: dict[str, int] = {}
        self._engine_memory = engine_memory
        try:
            self._allocate(is_shared)
            self._before = kernels.calls(plan, plan.before, self._address)
            self._after = kernels.calls(plan, plan.after, self._address)
            self._upload_constants()
        except CudaError:
            self.free()
            raise

    def _allocate(self, is_shared: bool) -> None:
        """Memory of both sides for what is read or written on the host, else of the device."""
        for name, array in self.plan.arrays.items():
            if name in self._engine_memory:
                continue
            if name in (*_UPLOADED, *self.plan.results, *self.plan.constants):
                self._own[name] = TensorMemory(
                    self._cuda, array.shape, array.dtype, is_shared=is_shared
                )
            else:
                size = int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize
                self._device[name] = self._cuda.allocate(size)

    def _upload_constants(self) -> None:
        for name, content in self.plan.constants.items():
            self._own[name].host[...] = content
            self._own[name].queue_upload(self._stream)
        self._cuda.synchronise(self._stream)

    def _address(self, name: str) -> int:
        memory = self._engine_memory.get(name) or self._own.get(name)
        return self._device[name] if memory is None else memory.address

    def start(self) -> None:
        """Run once and record the run, if the recording gives the same labels.

        Raises:
            ModelError: the work cannot be done.
        """
        self._queue_work()
        self._cuda.synchronise(self._stream)
        plain = {name: self._result(name).copy() for name in _COMPARED}
        try:
            self._graph = CudaGraph(self._cuda, self._stream, self._queue_work)
            for name in self.plan.results:
                self._host_memory(name).queue_spoiling(self._stream)
            self._graph.launch()
            self._cuda.synchronise(self._stream)
            equal = {name: (self._result(name) == plain[name]).mean() for name in _COMPARED}
            if min(equal.values()) >= _EQUAL_SHARE:
                return
            reason = f'a recorded run gives other labels than a plain one ({equal})'
        except ModelError as error:
            reason = str(error)
        if self._graph is not None:
            self._graph.free()
            self._graph = None
        _LOGGER.warning('images are labelled without a CUDA graph: %s', reason)

    def _result(self, name: str) -> np.ndarray:
        """Return an array as the host has it; the engine's without their axis of images."""
        return self._host_memory(name).host.reshape(self.plan.arrays[name].shape)

    def _host_memory(self, name: str) -> TensorMemory:
        return self._own[name] if name in self._own else self._engine_memory[name]

    def _queue_work(self) -> None:
        for name in _UPLOADED:
            self._own[name].queue_upload(self._stream)
        for name in self.plan.zeroed:
            array = self.plan.arrays[name]
            size = int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize
            self._cuda.fill(self._address(name), 0, size, self._stream)
        for call in self._before:
            call.queue(self._stream)
        self._queue_engine(self._stream)
        for call in self._after:
            call.queue(self._stream)
        for name in self.plan.results:
            self._host_memory(name).queue_download(self._stream)

    def put(self, raw: np.ndarray, settings: np.ndarray) -> None:
        """Hand over an image and the thresholds for it."""
        np.copyto(self._own['raw'].host, raw.reshape(self._own['raw'].host.shape))
        np.copyto(self._own['settings'].host, settings)

    def run(self) -> Mapping[str, np.ndarray]:
        """Return what comes of the image, in memory that the next one overwrites."""
        if self._graph is not None:
            self._graph.launch()
        else:
            self._queue_work()
        self._cuda.synchronise(self._stream)
        return {name: self._result(name) for name in self.plan.results}

    def free(self) -> None:
        """Free everything but the engine's; safe to call twice. Failures are only logged."""
        if self._graph is not None:
            self._graph.free()
            self._graph = None
        while self._own:
            self._own.popitem()[1].free()
        while self._device:
            try:
                self._cuda.free(self._device.popitem()[1])
            except CudaError as error:  # a device that is lost has freed it already
                _LOGGER.warning('memory of the GPU was not freed: %s', error)


class FrameLabeller:
    """Labels images on the device of an engine. One thread at a time uses it."""

    def __init__(
        self,
        cuda: CudaRuntime,
        stream: Any,
        queue_engine: Callable[[Any], None],
        memory: Mapping[str, TensorMemory],
        manifest: ModelManifest,
    ) -> None:
        """Load the kernels.

        Args:
            cuda: the device.
            stream: of the engine.
            queue_engine: queues a run of the network for one image on a stream.
            memory: of its input and outputs, by the manifest's names; it must outlive this.
            manifest: of the network.

        Raises:
            KernelStoreError: a file of the kernels is missing or altered.
            CudaError: the driver does not take them.
        """
        self._cuda, self._stream, self._queue_engine = cuda, stream, queue_engine
        self._answer = {name: memory[name] for name in ANSWER}
        self._engine_memory = {'placed': memory[manifest.input.name], **self._answer}
        self._manifest = manifest
        self._is_shared = cuda.gpu().integrated
        self._frames: OrderedDict[Sizes, _Frame] = OrderedDict()
        self._kernels = LoadedKernels(cuda)

    def label(
        self, image_bgr: np.ndarray, geometry: InputGeometry, head: PanopticHead
    ) -> PanopticResult:
        """Return the labels of one image.

        The first image of a size takes longer: memory is allocated, and the work recorded.

        Args:
            image_bgr: uint8 [H, W, 3] of the size of the geometry, BGR.
            geometry: how it lies in the network's input.
            head: whose label set and parameters count.

        Raises:
            ImageError: the image has another shape or type.
            ParameterError: the head is for other classes.
            ModelError: there is not enough memory, the device failed, or the network answered
                what no head can use.
        """
        expected = (geometry.image_height, geometry.image_width, 3)
        if image_bgr.shape != expected or image_bgr.dtype != np.uint8:
            raise ImageError(
                f'image has shape {image_bgr.shape} and type {image_bgr.dtype}, expected '
                f'{expected} and uint8; make a new geometry when the size changes'
            )
        if head.label_set != self._manifest.label_set:
            raise ParameterError(
                f"the head is for label set '{head.label_set.name}', expected "
                f"'{self._manifest.label_set.name}', that of the model"
            )
        self._cuda.use_device()  # of this thread
        key = (geometry, str(head.parameters['label_resolution']))
        frame = self._frames.get(key)
        if frame is None:
            frame = self._make_frame(key)
            try:
                frame.put(image_bgr, head_settings(head))
                frame.start()
            except BaseException:
                self._cuda.is_usable()  # waits for what was queued before it failed
                frame.free()
                raise
            self._frames[key] = frame
        self._frames.move_to_end(key)
        frame.put(image_bgr, head_settings(head))
        results = frame.run()
        if results['faults'][0]:
            self._refuse_answer(geometry, head)
        return read_result(results, geometry, head.label_set)

    def _make_frame(self, key: Sizes) -> _Frame:
        """Return memory and launches for images of a size; the longest unused one goes for it."""
        geometry, label_resolution = key
        while len(self._frames) >= _MOST_SIZES:
            self._frames.popitem(last=False)[1].free()
        label_set = self._manifest.label_set
        plan = plan_frame(
            geometry,
            label_resolution=label_resolution,
            num_stuff=label_set.num_stuff,
            num_classes=label_set.num_classes,
            slots=self._manifest.outputs['boxes'].shape[1],
            pad_value=self._manifest.input.pad_value,
            raw_shape=(geometry.image_height, 3 * geometry.image_width),
        )
        return _Frame(
            self._cuda,
            self._stream,
            self._queue_engine,
            self._engine_memory,
            self._kernels,
            plan,
            is_shared=self._is_shared,
        )

    def _refuse_answer(self, geometry: InputGeometry, head: PanopticHead) -> None:
        """Raise ModelError with what is wrong with the network's answer, read from the device."""
        for memory in self._answer.values():
            memory.queue_download(self._stream)
        self._cuda.synchronise(self._stream)
        values = {name: memory.host.copy() for name, memory in self._answer.items()}
        check_output(to_network_output(values), geometry, head.label_set)
        raise ModelError(
            'the kernels refuse an answer of the network that is sound; look for messages of the '
            "NVIDIA driver in the system's log (dmesg)"
        )

    def close(self) -> None:
        """Free everything, users before what they use; safe to call twice."""
        while self._frames:
            self._frames.popitem()[1].free()
        self._kernels.free()
