# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to panoptic labels, with no ROS."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np

from upsnet_ros.backends.backend import Backend
from upsnet_ros.backends.select import AUTOMATIC, REFUSE, create_backend
from upsnet_ros.core.errors import ImageError, ParameterError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.manifest import ModelManifest


@dataclass(frozen=True)
class FrameResult:
    """The answer for one image.

    Attributes:
        panoptic: labels and instances.
        timing_ms: milliseconds of `preprocess`, `inference` and `panoptic_head`, and their
            `total`.
    """

    panoptic: PanopticResult
    timing_ms: dict[str, float]


class PanopticPipeline:
    """A loaded model with everything around it.

    One thread calls `process`; any thread may call `set_thresholds`, which the next image heeds.
    """

    def __init__(self, backend: Backend, manifest: ModelManifest) -> None:
        """Join a backend and the manifest of its model; the pipeline closes the backend."""
        self._backend = backend
        self._manifest = manifest
        self._head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
        self._head_change = threading.Lock()
        self._fit = lru_cache(maxsize=16)(self._fit_image)

    @classmethod
    def load(
        cls,
        model_path: Path | str,
        *,
        backend: str = AUTOMATIC,
        num_threads: int = 0,
        stale_engine: str = REFUSE,
    ) -> PanopticPipeline:
        """Load a model and its manifest.

        Args:
            model_path: the ONNX file with its manifest (.json) beside it, or a TensorRT engine
                with its record and that manifest beside it.
            backend: one of `upsnet_ros.backends.select.backend_names()`.
            num_threads: CPU threads that work on one image; 0 for one per core.
            stale_engine: one of `upsnet_ros.backends.select.STALE_ENGINE_CHOICES`: whether an
                engine that was built for another computer is refused, its ONNX file run, or built
                anew.

        Raises:
            ModelError: the model or its manifest is missing, altered or unfit.
            ParameterError: there is no such backend, it does not run this kind of file, or the
                number of threads is negative.
        """
        manifest = ModelManifest.load(model_path)
        loaded = create_backend(
            model_path,
            manifest,
            name=backend,
            num_threads=num_threads,
            stale_engine=stale_engine,
        )
        return cls(loaded, manifest)

    @property
    def backend(self) -> Backend:
        """The network."""
        return self._backend

    @property
    def manifest(self) -> ModelManifest:
        """What the model is."""
        return self._manifest

    @property
    def label_set(self) -> LabelSet:
        """The classes of the labels."""
        return self._manifest.label_set

    @property
    def thresholds(self) -> dict[str, float | int | bool | str]:
        """The panoptic head's parameters in use."""
        return self._head.parameters

    def set_thresholds(
        self,
        *,
        score_threshold: float | None = None,
        mask_overlap_threshold: float | None = None,
        stuff_area_limit: int | None = None,
        predict_unknown: bool | None = None,
        instance_class: str | None = None,
        label_resolution: str | None = None,
    ) -> None:
        """Change parameters of the panoptic head; None keeps what is in use.

        An image is processed with all of the old or all of the new values.

        Raises:
            ParameterError: a value is impossible; nothing is changed then.
        """
        given = {
            'score_threshold': score_threshold,
            'mask_overlap_threshold': mask_overlap_threshold,
            'stuff_area_limit': stuff_area_limit,
            'predict_unknown': predict_unknown,
            'instance_class': instance_class,
            'label_resolution': label_resolution,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        with self._head_change:
            self._head = PanopticHead(self.label_set, **{**self._head.parameters, **changes})

    def warm_up(self, runs: int = 3) -> list[float]:
        """Process grey images, so that the first real one is not slowed by first-time work.

        Args:
            runs: number of images, at least 1.

        Returns:
            Milliseconds of each run.
        """
        if runs < 1:
            raise ParameterError(f'warm-up runs are {runs}, expected at least 1')
        image = np.full((*self._backend.input_size, 3), 128, dtype=np.uint8)
        return [self.process(image).timing_ms['total'] for _ in range(runs)]

    def process(self, image_bgr: np.ndarray) -> FrameResult:
        """Return the labels of an image.

        Args:
            image_bgr: uint8 [H, W, 3] of any size, BGR.

        Raises:
            ImageError: the image has another type or shape, or no pixels.
            ModelError: the network failed, or its answer cannot be used.
        """
        head = self._head  # one head for the whole image, also if another thread swaps it
        check_image(image_bgr)
        start = time.perf_counter()
        geometry = self._fit(image_bgr.shape[:2])
        placed = place_image(image_bgr, geometry, pad_value=self._manifest.input.pad_value)
        prepared = time.perf_counter()
        output = self._backend.infer(placed)
        inferred = time.perf_counter()
        panoptic = head(output, geometry)
        end = time.perf_counter()
        return FrameResult(
            panoptic=panoptic,
            timing_ms={
                'preprocess': (prepared - start) * 1e3,
                'inference': (inferred - prepared) * 1e3,
                'panoptic_head': (end - inferred) * 1e3,
                'total': (end - start) * 1e3,
            },
        )

    def _fit_image(self, image_size: tuple[int, int]) -> InputGeometry:
        """Return how an image of this size lies in the network's input."""
        return InputGeometry.fit(image_size=image_size, input_size=self._backend.input_size)

    def close(self) -> None:
        """Free the network's memory; safe to call twice."""
        self._backend.close()

    def __enter__(self) -> PanopticPipeline:
        """Return itself, to be closed at the end of a `with` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def check_image(image_bgr: np.ndarray) -> None:
    """Raise ImageError unless this is a uint8 [H, W, 3] array with at least one pixel."""
    if not isinstance(image_bgr, np.ndarray):
        raise ImageError(
            f'image is {type(image_bgr).__name__}, expected a NumPy array; decode it first'
        )
    if image_bgr.dtype != np.uint8:
        raise ImageError(
            f'image has type {image_bgr.dtype}, expected uint8; scale it to 0 to 255 and convert'
        )
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3:
        raise ImageError(
            f'image has shape {image_bgr.shape}, expected [height, width, 3] in BGR; convert grey '
            'or alpha images first'
        )
    if image_bgr.size == 0:
        raise ImageError(
            f'image has shape {image_bgr.shape}, expected at least one pixel; check the camera'
        )
