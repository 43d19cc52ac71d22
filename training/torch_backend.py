# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The trained network behind the runtime's backend interface, to compare it with its export."""

import numpy as np
import torch

from training.inference.network_output import to_network_output
from training.models.detections import predict
from training.models.upsnet import UPSNet
from upsnet_ros.core.structures import NetworkOutput


class TorchBackend:
    """Runs the clean network (not the export wrapper) on camera images.

    Boxes are clipped to the padded input, like those of the exported graph, which is given nothing
    but the padded image; the published models clip to the unpadded part, and so does
    :class:`training.inference.predictor.Predictor`.

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

    def infer(self, image: np.ndarray) -> NetworkOutput:
        """Run one uint8 ``[H, W, 3]`` BGR image of the input size."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).to(self.device)
        normalised = self.model.normalise(pixels[None])[0]
        prediction = predict(self.model, normalised, image_size=self.input_size)
        return to_network_output(prediction, num_stuff=self.model.num_stuff)

    def close(self) -> None:
        """Nothing to release."""
