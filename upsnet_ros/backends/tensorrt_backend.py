# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inference with a TensorRT engine on a CUDA device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.backends.engine_record import Surroundings, read_fitting_engine
from upsnet_ros.backends.engine_session import EngineSession
from upsnet_ros.backends.engine_trial import TRIAL_SECONDS, run_trial, trial_command
from upsnet_ros.backends.graph_interface import check_network_image, to_network_output
from upsnet_ros.backends.tensorrt_runtime import load_tensorrt_library
from upsnet_ros.core.errors import DeviceLostError, ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput, PanopticResult
from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)
Answer = TypeVar('Answer')


class TensorRtBackend:
    """A network as a TensorRT engine.

    One thread calls `infer`; any thread may call `close`, also during `infer`, which then frees
    the memory when it ends. Nothing is repaired after a failure: a run that failed costs its
    images, and a device that is lost costs the process.

    Attributes:
        name: `tensorrt`.
        device: `cuda:0`.
        precision: `fp16` or `fp32`, of the engine.
        input_size: (height, width) of the images it takes [px].
        cameras: how many images it labels at once.
        can_label: whether `label` is to be used: an engine for one image, whose trial, if there
            was one, gave the labels of the panoptic head.
        device_memory_bytes: by how much the GPU's free memory fell when the engine was loaded, so
            what another process took at that moment counts too.
    """

    name = 'tensorrt'
    device = 'cuda:0'

    def __init__(
        self,
        engine_path: Path | str,
        manifest: ModelManifest,
        *,
        trial_timeout_s: float | None = TRIAL_SECONDS,
        with_labels: bool = True,
    ) -> None:
        """Load an engine, after its record was compared with this computer and it was tried.

        Args:
            engine_path: the engine, with its record (`<engine>.json`) beside it.
            manifest: the manifest of its model.
            trial_timeout_s: longest time of the trial in a process of its own [s]; None for no
                trial.
            with_labels: whether it may label images, which a trial can forbid.

        Raises:
            ModelError: TensorRT, the driver or the GPU is missing; the engine is missing,
                altered, or fails in the trial.
            StaleEngineError: the engine was built for something else.
            ManifestError: an input or output is not what the manifest says.
        """
        engine_path = Path(engine_path)
        self.input_size = manifest.input_size
        self.device_memory_bytes = 0
        self._in_use = threading.Lock()
        self._is_closed = self._is_lost = False
        library = load_tensorrt_library()
        self._cuda = CudaRuntime(load_cuda_library())
        surroundings = Surroundings.of(library, self._cuda, manifest)
        content, record = read_fitting_engine(engine_path, surroundings)
        self.cameras, self.precision = record.cameras, record.precision
        self.can_label = with_labels and self.cameras == 1
        if trial_timeout_s is not None:
            problem = run_trial(trial_command(engine_path), timeout_s=trial_timeout_s)
            if problem and self.can_label:
                self.can_label = False
                _LOGGER.warning(
                    'labels are made by the processor, which takes longer: %s', problem
                )
        # Measured here alone: any other thread that asks may spoil a graph that is recorded.
        free = self._cuda.free_memory()
        self._session: EngineSession | None = EngineSession(
            library, self._cuda, content, manifest, images=self.cameras
        )
        try:
            self.device_memory_bytes = max(0, free - self._cuda.free_memory())
        except ModelError:
            self._close_session()
            raise

    @property
    def uses_graph(self) -> bool:
        """Whether images run as one recorded CUDA graph."""
        return self._session is not None and self._session.uses_graph

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """Run the network on one uint8 [H, W, 3] BGR image of the input size; see `Backend`.

        An engine for several cameras takes as long as for all of them.
        """
        return self.infer_batch([image_bgr])[0]

    def infer_batch(self, images_bgr: Sequence[np.ndarray]) -> list[NetworkOutput]:
        """Run the network on images of several cameras at once; see `BatchBackend`.

        Raises:
            ImageError: an image has another shape or type.
            ParameterError: there are no images or too many.
            ModelError: the network failed.
            DeviceLostError: the device failed for good.
        """
        try:
            with self._in_use:
                if self._session is None or self._is_closed:
                    raise ModelError('the model is closed; load it again to use it')
                if not 1 <= len(images_bgr) <= self.cameras:
                    raise ParameterError(
                        f'{len(images_bgr)} images at once, expected 1 to {self.cameras}, for '
                        'which the engine was built'
                    )
                for image_bgr in images_bgr:
                    check_network_image(image_bgr, self.input_size)
                session = self._session
                values = self._guarded(lambda: session.run(images_bgr))
                return [to_network_output(values, index) for index in range(len(images_bgr))]
        finally:
            if self._is_closed:
                self._free_if_idle()

    def label(
        self, image_bgr: np.ndarray, geometry: InputGeometry, head: PanopticHead
    ) -> PanopticResult:
        """Return the labels of a camera's image; see `LabellingBackend`.

        Raises:
            ImageError: the image has another shape or type.
            ParameterError: the engine is for several cameras, or the head for other classes.
            ModelError: there is not enough memory, the network failed, or its answer cannot be
                used.
            DeviceLostError: the device failed for good.
        """
        try:
            with self._in_use:
                if self._session is None or self._is_closed:
                    raise ModelError('the model is closed; load it again to use it')
                if self.cameras != 1:
                    raise ParameterError(
                        f'the engine is for {self.cameras} images at once, expected one for one; '
                        'use infer_batch and the panoptic head'
                    )
                session = self._session
                return self._guarded(lambda: session.label(image_bgr, geometry, head))
        finally:
            if self._is_closed:
                self._free_if_idle()

    def close(self) -> None:
        """Free the engine's memory; safe to call twice, and while an image is in work."""
        self._is_closed = True
        self._free_if_idle()

    def _free_if_idle(self) -> None:
        """Free everything, unless a call of `infer` is in work: that one does it at its end."""
        if self._in_use.acquire(blocking=False):
            try:
                self._close_session()
            finally:
                self._in_use.release()

    def _close_session(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.close()

    def _guarded(self, work: Callable[[], Answer]) -> Answer:
        """Do what needs the device; one that was lost is left alone."""
        remedy = 'end this process and start it anew; restart the computer if that does not help'
        if self._is_lost:
            raise DeviceLostError(f'the GPU was lost at an image before; {remedy}')
        try:
            return work()
        except ModelError as error:
            if self._cuda.is_usable():
                raise
            self._is_lost = True
            raise DeviceLostError(f'the GPU is lost to this process: {error}; {remedy}') from error
