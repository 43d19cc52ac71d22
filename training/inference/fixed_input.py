# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks with an input of one size, as the robot runs them."""

from typing import Protocol

import numpy as np

from training.inference.found_instances import FoundInstances
from training.inference.network_output import Answer
from upsnet_ros.core.geometry import PAD_VALUE, InputGeometry, place_image
from upsnet_ros.core.structures import NetworkOutput


class FixedNetwork(Protocol):
    """A backend of the runtime, or the trained network in the place of one."""

    input_size: tuple[int, int]

    def infer(self, image: np.ndarray) -> NetworkOutput: ...  # noqa: D102


class FixedInput:
    """Scales images into a fixed input, padded with the mean colour.

    Args:
        network: Takes uint8 ``[H, W, 3]`` BGR images of its own size.
        pad_value: Colour of the padding, BGR.
        find_detections: Whether answers hold detections: the panoptic head's candidates, the only
            instances that such a network tells of.
    """

    has_semantics = True
    detection_kind = 'candidates'

    def __init__(
        self,
        network: FixedNetwork,
        *,
        pad_value: tuple[int, int, int] = PAD_VALUE,
        find_detections: bool = False,
    ) -> None:
        self.network = network
        self.pad_value = pad_value
        self.find_detections = find_detections

    def answer(self, image_bgr: np.ndarray, truth: np.ndarray | None = None) -> Answer:
        """The network's answer for an image of any size; the truth is not looked at."""
        geometry = InputGeometry.fit(
            image_size=image_bgr.shape[:2], input_size=self.network.input_size
        )
        placed = place_image(image_bgr, geometry, pad_value=self.pad_value)
        output = self.network.infer(placed)
        found = FoundInstances.of(output, geometry) if self.find_detections else None
        return Answer(output, geometry, found)
