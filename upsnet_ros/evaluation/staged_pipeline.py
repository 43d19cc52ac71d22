# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pipeline in three stages, so that the network need not wait for what is done beside it.

The stages are those of `PanopticPipeline.process`, and give bit for bit the same labels.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput, PanopticResult
from upsnet_ros.pipeline import PanopticPipeline, check_image


@dataclass(frozen=True)
class PlacedImage:
    """An image in the network's input.

    Attributes:
        pixels: uint8 [H, W, 3] of the input size.
        geometry: how what is looked at of the image lies in it.
        view: what that is.
        image_size: height and width of the whole image [px].
        preprocess_ms: how long that took.
    """

    pixels: np.ndarray
    geometry: InputGeometry
    view: ImageView
    image_size: tuple[int, int]
    preprocess_ms: float


@dataclass(frozen=True)
class Answer:
    """What the network says of a placed image, and the milliseconds it took."""

    output: NetworkOutput
    placed: PlacedImage
    inference_ms: float


class StagedPipeline:
    """The stages of a pipeline; each is called by one thread of its own.

    Args:
        pipeline: a loaded model; its thresholds are those of now.
    """

    def __init__(self, pipeline: PanopticPipeline) -> None:
        self._pipeline = pipeline
        self._head = PanopticHead(pipeline.label_set, **pipeline.thresholds)
        self._fit = lru_cache(maxsize=16)(self._fit_image)

    @property
    def label_set(self) -> LabelSet:
        """The classes of the labels."""
        return self._pipeline.label_set

    def _fit_image(self, image_size: tuple[int, int]) -> InputGeometry:
        return InputGeometry.fit(
            image_size=image_size, input_size=self._pipeline.backend.input_size
        )

    def place(self, image_bgr: np.ndarray, view: ImageView = WHOLE_UPRIGHT) -> PlacedImage:
        """Put what is looked at of an image, BGR uint8 [H, W, 3], into the network's input.

        Raises:
            ImageError: it has another type or shape, no pixels, or does not hold the region.
        """
        check_image(image_bgr)
        start = time.perf_counter()
        seen = view.look(image_bgr)
        geometry = self._fit(seen.shape[:2])
        pixels = place_image(seen, geometry, pad_value=self._pipeline.manifest.input.pad_value)
        preprocess_ms = (time.perf_counter() - start) * 1e3
        return PlacedImage(pixels, geometry, view, image_bgr.shape[:2], preprocess_ms)

    def infer(self, placed: PlacedImage) -> Answer:
        """Run the network.

        Raises:
            ModelError: it failed.
        """
        start = time.perf_counter()
        output = self._pipeline.backend.infer(placed.pixels)
        return Answer(output, placed, (time.perf_counter() - start) * 1e3)

    def label(self, answer: Answer) -> tuple[PanopticResult, dict[str, float]]:
        """The labels of the whole image, and the milliseconds of all stages and of their `total`.

        Raises:
            ModelError: the network's answer cannot be used.
        """
        start = time.perf_counter()
        placed = answer.placed
        seen = self._head(answer.output, placed.geometry)
        result = placed.view.restore(seen, placed.image_size)
        times = {
            'preprocess': placed.preprocess_ms,
            'inference': answer.inference_ms,
            'panoptic_head': (time.perf_counter() - start) * 1e3,
        }
        return result, {**times, 'total': sum(times.values())}
