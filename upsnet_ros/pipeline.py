# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to panoptic labels, with no ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from upsnet_ros.backends.backend import Backend
from upsnet_ros.backends.select import AUTOMATIC, REFUSE, create_backend
from upsnet_ros.core.errors import ParameterError, UpsnetError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.image_check import check_image
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput, PanopticResult
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


@dataclass(frozen=True)
class PlacedImage:
    """An image in the network's input.

    Attributes:
        image: uint8 [H, W, 3] BGR of the input size.
        geometry: how the given image lies in it.
        preprocess_ms: how long that took.
    """

    image: np.ndarray
    geometry: InputGeometry
    preprocess_ms: float


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
    def max_batch(self) -> int:
        """How many images one run of the network can label."""
        return self._backend.cameras if hasattr(self._backend, 'infer_batch') else 1

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
        placed = self._place(image_bgr)
        start = time.perf_counter()
        output = self._backend.infer(placed.image)
        return _label(head, output, placed, inference_s=time.perf_counter() - start)

    def process_batch(self, images_bgr: Sequence[np.ndarray]) -> list[FrameResult | UpsnetError]:
        """Return the labels of images of several cameras, from one run of the network.

        Args:
            images_bgr: one to `max_batch` images as for `process`; their sizes may differ.

        Returns:
            For each image its result, or the error that concerns it alone. The time of inference
            is that of the whole run.

        Raises:
            ParameterError: there are no images or too many.
            ModelError: the network failed.
        """
        if not 1 <= len(images_bgr) <= self.max_batch:
            raise ParameterError(
                f'{len(images_bgr)} images at once, expected 1 to {self.max_batch}, for which '
                'the model was built'
            )
        head = self._head
        placed = [_error_or(self._place, image) for image in images_bgr]
        sound = [item for item in placed if isinstance(item, PlacedImage)]
        start = time.perf_counter()
        outputs = iter(self._infer([item.image for item in sound]))
        inference_s = time.perf_counter() - start
        return [
            _error_or(_label, head, next(outputs), item, inference_s=inference_s)
            if isinstance(item, PlacedImage)
            else item
            for item in placed
        ]

    def _infer(self, images: Sequence[np.ndarray]) -> Sequence[NetworkOutput]:
        """Return the network's answers to images of its input size, in one run where there are."""
        if len(images) > 1:
            return self._backend.infer_batch(images)
        return [self._backend.infer(image) for image in images]

    def _place(self, image_bgr: np.ndarray) -> PlacedImage:
        """Return an image in the size of the network's input."""
        check_image(image_bgr)
        start = time.perf_counter()
        geometry = self._fit(image_bgr.shape[:2])
        image = place_image(image_bgr, geometry, pad_value=self._manifest.input.pad_value)
        return PlacedImage(image, geometry, (time.perf_counter() - start) * 1e3)

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


def _label(
    head: PanopticHead, output: NetworkOutput, placed: PlacedImage, *, inference_s: float
) -> FrameResult:
    """Return the labels of one image from the network's answer, which took so many seconds."""
    start = time.perf_counter()
    panoptic = head(output, placed.geometry)
    head_ms = (time.perf_counter() - start) * 1e3
    return FrameResult(
        panoptic=panoptic,
        timing_ms={
            'preprocess': placed.preprocess_ms,
            'inference': inference_s * 1e3,
            'panoptic_head': head_ms,
            'total': placed.preprocess_ms + inference_s * 1e3 + head_ms,
        },
    )


def _error_or(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a function returns, or the error that it raised on purpose."""
    try:
        return function(*arguments, **options)
    except UpsnetError as error:
        return error
