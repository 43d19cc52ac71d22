# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network on images of any size, resized and padded as the published models are tested."""

from collections.abc import Callable

import numpy as np
import torch

from training.inference.preparation import prepare_image
from training.models.detections import (
    Prediction,
    Selected,
    find_instances,
    require_evaluation_mode,
    select_candidates,
)
from training.models.upsnet import UPSNet
from upsnet_ros.core.geometry import InputGeometry


class Predictor:
    """Runs a network on single images.

    Args:
        model: A network in evaluation mode.
        short_side: Short side of a resized image in pixels.
        max_long_side: Its longest long side in pixels; the short side is then shorter.
        select: Which instances: ``select_candidates`` of the panoptic head, or
            ``select_detections`` of Mask R-CNN.
    """

    def __init__(
        self,
        model: UPSNet,
        *,
        short_side: int,
        max_long_side: int,
        select: Callable[..., Selected] = select_candidates,
    ) -> None:
        require_evaluation_mode(model)
        self.model = model
        self.short_side = short_side
        self.max_long_side = max_long_side
        self.select = select

    def geometry(self, image_size: tuple[int, int]) -> InputGeometry:
        """How an image of (height, width) lies in the input."""
        return InputGeometry.for_short_side(
            image_size, short_side=self.short_side, max_long_side=self.max_long_side
        )

    @torch.no_grad()
    def predict(self, image_bgr: np.ndarray) -> tuple[Prediction, InputGeometry]:
        """Run the network on one image.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` BGR, any size.

        Returns:
            The prediction, its boxes clipped to the unpadded input, and how the image lies in it.
        """
        geometry = self.geometry(image_bgr.shape[:2])
        image = prepare_image(image_bgr, geometry, self.model.normalise)
        device = next(self.model.parameters()).device
        output = self.model.pyramid_output(image[None].to(device))
        content = (geometry.content_height, geometry.content_width)
        found = find_instances(self.model, output, image_size=content, select=self.select)
        semantic = self.model.semantic_head(output.levels[:4])[0].float()
        return Prediction(**vars(found), semantic_logits=semantic), geometry
