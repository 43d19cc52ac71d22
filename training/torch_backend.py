# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The trained network behind the runtime's backend interface, to compare it with its export."""

import numpy as np
import torch

from training.inference.network_output import to_network_output
from training.models.detections import predict
from training.models.pixels import PictureSize
from training.models.upsnet import UPSNet
from upsnet_ros.core.structures import NetworkOutput


class TorchBackend:
    """Runs the clean network (not the export wrapper) on camera images.

    Boxes are clipped to the picture, which is told from the padding as in the exported graph.

    Args:
        model: A network in evaluation mode.
        input_size: Height and width of the images in pixels, multiples of 32.
    """

    name = 'torch'
    precision = 'fp32'

    def __init__(self, model: UPSNet, *, input_size: tuple[int, int]) -> None:
        self.model = model.eval()
        self.input_size = input_size
        self.device = str(next(model.parameters()).device)
        self.picture_size = PictureSize(input_size).to(self.device)

    def infer(self, image: np.ndarray) -> NetworkOutput:
        """Run one uint8 ``[H, W, 3]`` BGR image of the input size."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).to(self.device)
        normalised = self.model.normalise(pixels[None])[0]
        rows, columns = self.picture_size(pixels.permute(1, 2, 0)[None].float()).int().tolist()
        prediction = predict(self.model, normalised, image_size=(max(rows, 1), max(columns, 1)))
        return to_network_output(prediction, num_stuff=self.model.num_stuff)

    def close(self) -> None:
        """Nothing to release."""
