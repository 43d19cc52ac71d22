# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an instance head found, in the frame of the image, its masks still of 28 x 28 cells."""

from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.structures import NetworkOutput


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class FoundInstances:
    """Instances of one image.

    Attributes:
        boxes: float32 ``[k, 4]`` of x1, y1, x2, y2 in image pixels, both corners inside the box.
        scores: float32 ``[k]`` in 0..1, descending.
        classes: integer ``[k]``, train ids of thing classes.
        mask_logits: float32 ``[k, 28, 28]``, the mask of each one's own class, no sigmoid.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    mask_logits: np.ndarray

    @classmethod
    def of(cls, output: NetworkOutput, geometry: InputGeometry) -> 'FoundInstances':
        """The valid rows of a network's answer.

        Args:
            output: The answer.
            geometry: How the image lies in the network's input.
        """
        rows = slice(output.count)
        return cls(
            output.boxes[rows] / np.float32(geometry.scale),
            output.scores[rows],
            output.classes[rows],
            output.mask_logits[rows],
        )
