# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to panoptic labels, with no ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from upsnet_ros.backends.backend import (
    AUTOMATIC,
    Backend,
    BatchBackend,
    LabellingBackend,
    threads_for,
)
from upsnet_ros.backends.select import REFUSE, create_backend
from upsnet_ros.core.compiled import pixel_loops
from upsnet_ros.core.errors import ParameterError, UpsnetError
from upsnet_ros.core.geometry import InputGeometry, check_image, place_image
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView
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
        pixels: uint8 [H, W, 3] BGR of the input size.
        geometry: how what is looked at of the image lies in it.
        view: what that is.
        image_size: height and width of the whole image, before it was reduced [px].
        preprocess_ms: how long that took.
    """

    pixels: np.ndarray
    geometry: InputGeometry
    view: ImageView
    image_size: tuple[int, int]
    preprocess_ms: float


@dataclass(frozen=True)
class NetworkAnswer:
    """What the network says of a placed image, and the milliseconds it took."""

    output: NetworkOutput
    inference_ms: float


class PanopticPipeline:
    """A loaded model with everything around it.

    `process` is the stages `place`, `infer` and `label` in a row. Any number of threads may place
    and label, beside one that runs the network; any may call `set_thresholds`, which every image
    heeds that is not yet being labelled.
    """

    def __init__(self, backend: Backend, manifest: ModelManifest, *, num_threads: int = 0) -> None:
        """Join a backend and the manifest of its model; the pipeline closes the backend.

        Args:
            backend: the network.
            manifest: of its model.
            num_threads: CPU threads that label one image, and all that OpenCV uses in this
                process; 0 for one per core.
        """
        self._backend = backend
        self._manifest = manifest
        self._threads = threads_for(num_threads)
        cv2.setNumThreads(self._threads)  # its own count overlooks the quota of a service
        self._head = self._make_head(manifest.panoptic_head)
        pixel_loops()  # what has to be compiled is, before the first image
        self._head_change = threading.Lock()
        self._fit = lru_cache(maxsize=16)(self._fit_image)

    @classmethod
    def load(
        cls,
        model_path: Path | str,
        *,
        backend: str = AUTOMATIC,
        device: str = AUTOMATIC,
        precision: str = AUTOMATIC,
        num_threads: int = 0,
        stale_engine: str = REFUSE,
        cache_folder: Path | str | None = None,
        labels_on: str = AUTOMATIC,
    ) -> PanopticPipeline:
        """Load a model and its manifest.

        Args:
            model_path: the ONNX file with its manifest (.json) beside it, or a TensorRT engine
                with its record and that manifest beside it.
            backend: one of `upsnet_ros.backends.select.BACKENDS`.
            device: where it runs, see `upsnet_ros.backends.select.create_backend`.
            precision: one of `upsnet_ros.backends.select.PRECISIONS`.
            num_threads: CPU threads that work on one image; 0 for one per core.
            stale_engine: one of `upsnet_ros.backends.select.STALE_ENGINE_CHOICES`: whether an
                engine that was built for another computer is refused, or its ONNX file run.
            cache_folder: where compiled networks are kept; None for the user's cache folder.
            labels_on: one of `upsnet_ros.backends.select.LABELS_ON_CHOICES`: whether `process` may
                label images on the GPU.

        Raises:
            ModelError: the model or its manifest is missing, altered or unfit.
            ParameterError: there is no such backend, it does not run this kind of file, or the
                number of threads is negative, or device or precision are not available.
        """
        manifest = ModelManifest.load(model_path)
        loaded = create_backend(
            model_path,
            manifest,
            name=backend,
            device=device,
            precision=precision,
            num_threads=num_threads,
            stale_engine=stale_engine,
            cache_folder=cache_folder,
            labels_on=labels_on,
        )
        return cls(loaded, manifest, num_threads=num_threads)

    @property
    def backend(self) -> Backend:
        """The network."""
        return self._backend

    @property
    def max_batch(self) -> int:
        """How many images one run of the network can label."""
        return self._backend.cameras if isinstance(self._backend, BatchBackend) else 1

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
        given: dict[str, Any] = {
            'score_threshold': score_threshold,
            'mask_overlap_threshold': mask_overlap_threshold,
            'stuff_area_limit': stuff_area_limit,
            'predict_unknown': predict_unknown,
            'instance_class': instance_class,
            'label_resolution': label_resolution,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        with self._head_change:
            self._head = self._make_head({**self._head.parameters, **changes})

    def _make_head(self, parameters: Mapping[str, Any]) -> PanopticHead:
        return PanopticHead(self.label_set, num_threads=self._threads, **parameters)

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

    def place(self, image_bgr: np.ndarray, view: ImageView = WHOLE_UPRIGHT) -> PlacedImage:
        """Put what is looked at of an image into the network's input.

        Args:
            image_bgr: uint8 [H, W, 3] of any size, BGR.
            view: its part that is looked at, how it is turned upright, and how much smaller than
                the camera's it was decoded; labels are of the camera's size.

        Raises:
            ImageError: the image has another type or shape, no pixels, or does not hold the
                region.
        """
        check_image(image_bgr)
        start = time.perf_counter()
        seen = view.look(image_bgr)
        # The scales differ by a power of two, so both geometries are the same to the last bit.
        geometry, own_geometry = self._fit(view.whole_size(seen)), self._fit(seen.shape[:2])
        pixels = place_image(seen, own_geometry, pad_value=self._manifest.input.pad_value)
        preprocess_ms = (time.perf_counter() - start) * 1e3
        return PlacedImage(pixels, geometry, view, view.whole_size(image_bgr), preprocess_ms)

    def infer(self, placed: PlacedImage) -> NetworkAnswer:
        """Run the network.

        Raises:
            ModelError: it failed.
        """
        start = time.perf_counter()
        output = self._backend.infer(placed.pixels)
        return NetworkAnswer(output, (time.perf_counter() - start) * 1e3)

    def label(self, answer: NetworkAnswer, placed: PlacedImage) -> FrameResult:
        """Return the labels of the whole image; what its view leaves out is unknown.

        Args:
            answer: of the network.
            placed: the image that it is about.

        Raises:
            ModelError: the network's answer cannot be used.
        """
        return _label(self._head, answer, placed)

    def process(self, image_bgr: np.ndarray, view: ImageView = WHOLE_UPRIGHT) -> FrameResult:
        """Return the labels of an image: `place`, `infer` and `label`, with their arguments.

        A network that can labels the image itself, without its answer leaving the device; the
        time of all three is then that of inference. Images that were decoded smaller than the
        camera's are left to the stages.

        Raises:
            ImageError: the image has another type or shape, no pixels, or does not hold the
                region.
            ModelError: the network failed, or its answer cannot be used.
        """
        backend = self._backend
        if isinstance(backend, LabellingBackend) and backend.can_label and view.reduction == 1:
            return self._label_on_device(backend, image_bgr, view)
        placed = self.place(image_bgr, view)
        return self.label(self.infer(placed), placed)

    def _label_on_device(
        self, backend: LabellingBackend, image_bgr: np.ndarray, view: ImageView
    ) -> FrameResult:
        """Return the labels of the whole image, made where the network runs."""
        check_image(image_bgr)
        start = time.perf_counter()
        seen = view.look(image_bgr)
        looked = time.perf_counter()
        seen_result = backend.label(seen, self._fit(seen.shape[:2]), self._head)
        labelled = time.perf_counter()
        panoptic = view.restore(seen_result, image_bgr.shape[:2])
        times = {
            'preprocess': (looked - start) * 1e3,
            'inference': (labelled - looked) * 1e3,
            'panoptic_head': (time.perf_counter() - labelled) * 1e3,
        }
        return FrameResult(panoptic, {**times, 'total': sum(times.values())})

    def process_batch(
        self, images_bgr: Sequence[np.ndarray], views: Sequence[ImageView] | None = None
    ) -> list[FrameResult | UpsnetError]:
        """Return the labels of images of several cameras, from one run of the network.

        Args:
            images_bgr: one to `max_batch` images as for `process`; their sizes may differ.
            views: what is looked at of each; None for all of them whole and upright.

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
        views = views if views is not None else [WHOLE_UPRIGHT] * len(images_bgr)
        placed = [
            _error_or(self.place, image, view)
            for image, view in zip(images_bgr, views, strict=True)
        ]
        sound = [item for item in placed if isinstance(item, PlacedImage)]
        head = self._head  # one for all of them, also if another thread swaps it
        answers = iter(self._infer_batch(sound))
        return [
            _error_or(_label, head, next(answers), item) if isinstance(item, PlacedImage) else item
            for item in placed
        ]

    def _infer_batch(self, placed: Sequence[PlacedImage]) -> list[NetworkAnswer]:
        """Run the network once for several images, or for the only one, or not at all."""
        if len(placed) < 2 or not isinstance(self._backend, BatchBackend):
            return [self.infer(item) for item in placed]
        start = time.perf_counter()
        outputs = self._backend.infer_batch([item.pixels for item in placed])
        inference_ms = (time.perf_counter() - start) * 1e3
        return [NetworkAnswer(output, inference_ms) for output in outputs]

    def _fit_image(self, image_size: tuple[int, int]) -> InputGeometry:
        return InputGeometry.fit(image_size=image_size, input_size=self._backend.input_size)

    def close(self) -> None:
        """Free the network's memory; safe to call twice."""
        self._backend.close()

    def __enter__(self) -> PanopticPipeline:
        """Return itself, to be closed at the end of a `with` block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()


def _label(head: PanopticHead, answer: NetworkAnswer, placed: PlacedImage) -> FrameResult:
    """Return the labels of one image by this head."""
    start = time.perf_counter()
    panoptic = placed.view.restore(head(answer.output, placed.geometry), placed.image_size)
    times = {
        'preprocess': placed.preprocess_ms,
        'inference': answer.inference_ms,
        'panoptic_head': (time.perf_counter() - start) * 1e3,
    }
    return FrameResult(panoptic, {**times, 'total': sum(times.values())})


def _error_or(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a function returns, or the error that it raised on purpose."""
    try:
        return function(*arguments, **options)
    except UpsnetError as error:
        return error
