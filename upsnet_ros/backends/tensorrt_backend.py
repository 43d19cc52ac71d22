# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inference with a TensorRT engine on a CUDA device, and recovery from its failures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.backends.engine_check import read_fitting_engine, read_surroundings
from upsnet_ros.backends.engine_record import EngineRecord
from upsnet_ros.backends.engine_session import EngineSession
from upsnet_ros.backends.graph_interface import check_network_image, to_network_output
from upsnet_ros.backends.tensorrt_runtime import load_tensorrt_library
from upsnet_ros.backends.trial_process import TRIAL_SECONDS, run_trial, trial_command
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

_LOGGER = logging.getLogger(__name__)


class _Repair(Enum):
    """What has to be done before the next image."""

    NOTHING = 'nothing'
    CONTEXT = 'a new execution context'
    ENGINE = 'loading the engine anew'
    IMPOSSIBLE = 'a new process'


class TensorRtBackend:
    """A network as a TensorRT engine.

    One thread calls `infer`; any thread may call `close`, also during `infer`, which then frees
    the memory when it ends.

    Attributes:
        name: `tensorrt`.
        device: `cuda:0`.
        precision: `fp16` or `fp32`, of the engine.
        input_size: (height, width) of the images it takes [px].
        cameras: how many images it labels at once.
        failures: images that were lost because the engine or the device failed.
        rebuilds: how often context or engine were made anew after a failure.
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
    ) -> None:
        """Load an engine, after its record was compared with this computer and it was tried.

        Args:
            engine_path: the engine, with its record (`<engine>.json`) beside it.
            manifest: the manifest of its model.
            trial_timeout_s: longest time of the trial in a process of its own [s]; None for no
                trial.

        Raises:
            ModelError: TensorRT, the driver or the GPU is missing; the engine is missing,
                altered, or fails in the trial.
            StaleEngineError: the engine was built for something else.
            ManifestError: an input or output is not what the manifest says.
        """
        self.input_size = manifest.input_size
        self.failures = 0
        self.rebuilds = 0
        self.device_memory_bytes = 0
        self._engine_path = Path(engine_path)
        self._manifest = manifest
        self._library = load_tensorrt_library()
        self._cuda = CudaRuntime(load_cuda_library())
        self._in_use = threading.Lock()
        self._is_closed = False
        self._repair = _Repair.NOTHING
        content, record = self._read_engine()
        self.cameras, self.precision = record.cameras, record.precision
        if trial_timeout_s is not None:
            run_trial(trial_command(self._engine_path), timeout_s=trial_timeout_s)
        self._session: EngineSession | None = self._open(content)

    @property
    def uses_graph(self) -> bool:
        """Whether images run as one recorded CUDA graph."""
        return self._session is not None and self._session.uses_graph

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """Run the network on one uint8 [H, W, 3] BGR image of the input size; see `Backend`.

        An engine for several cameras takes as long as for all of them. After a failure the next
        call first rebuilds what may be damaged.
        """
        return self.infer_batch([image_bgr])[0]

    def infer_batch(self, images_bgr: Sequence[np.ndarray]) -> list[NetworkOutput]:
        """Run the network on images of several cameras at once.

        Args:
            images_bgr: uint8 [H, W, 3] BGR of the input size each; one to `cameras` of them.

        Returns:
            The answer for each, in arrays that later calls do not change.

        Raises:
            ImageError: an image has another shape or type.
            ParameterError: there are no images or too many.
            ModelError: the network failed.
        """
        try:
            with self._in_use:
                if self._is_closed:
                    raise ModelError('the model is closed; load it again to use it')
                if not 1 <= len(images_bgr) <= self.cameras:
                    raise ParameterError(
                        f'{len(images_bgr)} images at once, expected 1 to {self.cameras}, for '
                        'which the engine was built'
                    )
                for image_bgr in images_bgr:
                    check_network_image(image_bgr, self.input_size)
                self._mend()
                values = self._run(images_bgr)
                return [to_network_output(values, index) for index in range(len(images_bgr))]
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

    def _read_engine(self) -> tuple[bytes, EngineRecord]:
        """Return the engine's content and record.

        They are checked anew each time, since the files may have been replaced.
        """
        surroundings = read_surroundings(self._library, self._cuda, self._manifest)
        return read_fitting_engine(self._engine_path, surroundings)

    def _open(self, content: bytes) -> EngineSession:
        # Measured here alone: any other thread that asks may spoil a graph that is recorded.
        free = self._cuda.free_memory()
        session = EngineSession(
            self._library, self._cuda, content, self._manifest, images=self.cameras
        )
        try:
            self.device_memory_bytes = max(0, free - self._cuda.free_memory())
        except ModelError:
            session.close()
            raise
        return session

    def _run(self, images_bgr: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Run the engine; after a failure say what to mend before the next image."""
        assert self._session is not None
        try:
            return self._session.run(images_bgr)
        except ModelError as error:
            self.failures += 1
            self._repair = _Repair.CONTEXT if self._cuda.is_usable() else _Repair.ENGINE
            raise ModelError(
                f'TensorRT failed on an image: {error}; before the next image '
                f'{self._repair.value} is tried'
            ) from error

    def _mend(self) -> None:
        """Do what the last failure asks for; one that cannot be done asks for more next time.

        Raises:
            ModelError: it could not be done.
        """
        if self._repair is _Repair.NOTHING:
            return
        if self._repair is _Repair.IMPOSSIBLE:
            self.failures += 1
            raise ModelError(
                'the GPU failed and the engine could not be loaded again; restart the process, '
                'and the computer if that does not help'
            )
        repair = self._repair
        try:
            if repair is _Repair.CONTEXT:
                assert self._session is not None
                self._session.prepare()
            else:
                self._close_session()
                content, record = self._read_engine()
                self.cameras, self.precision = record.cameras, record.precision
                self._session = self._open(content)
        except ModelError as error:
            self.failures += 1
            self._repair = _Repair.ENGINE if repair is _Repair.CONTEXT else _Repair.IMPOSSIBLE
            raise ModelError(
                f'{repair.value} after a failure did not succeed: {error}; next comes '
                f'{self._repair.value}'
            ) from error
        self.rebuilds += 1
        self._repair = _Repair.NOTHING
        _LOGGER.warning('the network runs again after %s', repair.value)
