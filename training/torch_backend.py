# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The trained network behind the runtime's backend interface, for evaluation and comparison."""

import numpy as np
import torch
import torch.nn.functional as F

from training.data.sample import MEAN_BGR
from training.models.detections import Prediction, predict
from training.models.upsnet import UPSNet
from upsnet_ros.core.structures import CANDIDATE_SLOTS, MASK_SIZE, NetworkOutput


class TorchBackend:
    """Runs the clean network (not the export wrapper) on camera images.

    Boxes are clipped to the padded input, like those of the exported graph, which is given nothing
    but the padded image; the published models clip to the unpadded part.

    Args:
        model: A network in evaluation mode.
        input_size: Height and width of the images in pixels, multiples of 32.
    """

    name = 'torch'

    def __init__(self, model: UPSNet, *, input_size: tuple[int, int]) -> None:
        self.model = model.eval()
        self.input_size = input_size

    def infer(self, image: np.ndarray) -> NetworkOutput:
        """Run one uint8 ``[H, W, 3]`` BGR image of the input size."""
        mean = torch.tensor(MEAN_BGR).view(3, 1, 1)
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() - mean
        device = next(self.model.parameters()).device
        prediction = predict(self.model, pixels.to(device), image_size=self.input_size)
        return to_network_output(prediction, num_stuff=self.model.num_stuff)

    def close(self) -> None:
        """Nothing to release."""


def to_network_output(prediction: Prediction, *, num_stuff: int) -> NetworkOutput:
    """Pad a prediction to 100 candidates with train ids, as the exported graph does."""
    count = len(prediction.boxes)
    missing = CANDIDATE_SLOTS - count
    classes = prediction.classes + num_stuff - 1
    masks = prediction.mask_logits.view(-1, MASK_SIZE, MASK_SIZE)
    return NetworkOutput(
        semantic_logits=prediction.semantic_logits.cpu().numpy(),
        boxes=F.pad(prediction.boxes, (0, 0, 0, missing)).cpu().numpy(),
        scores=F.pad(prediction.scores, (0, missing)).cpu().numpy(),
        classes=F.pad(classes, (0, missing)).cpu().numpy().astype(np.int32),
        mask_logits=F.pad(masks, (0, 0, 0, 0, 0, missing)).cpu().numpy(),
        count=count,
    )
