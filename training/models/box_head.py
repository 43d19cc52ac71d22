# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Box head of Mask R-CNN: class logits and class-specific box deltas of region features."""

import torch
from torch import Tensor, nn


class BoxHead(nn.Module):
    """Two fully connected layers on 7x7 region features.

    Args:
        in_channels: Channels of the region features.
        channels: Width of the fully connected layers.
        num_classes: Thing classes plus background (index 0).
        temperature: Divides the class logits at inference, so that probabilities are as often
            right as they say (Guo et al. 2017, "On Calibration of Modern Neural Networks").
    """

    bins = 7

    def __init__(
        self, *, in_channels: int, channels: int, num_classes: int, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.fc6 = nn.Linear(in_channels * self.bins**2, channels)
        self.fc7 = nn.Linear(channels, channels)
        self.class_logits = nn.Linear(channels, num_classes)
        self.box_deltas = nn.Linear(channels, 4 * num_classes)
        for layer in (self.fc6, self.fc7):
            nn.init.kaiming_uniform_(layer.weight, a=1)
        nn.init.normal_(self.class_logits.weight, std=0.01)
        nn.init.normal_(self.box_deltas.weight, std=0.001)
        for layer in (self.fc6, self.fc7, self.class_logits, self.box_deltas):
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Classify and refine.

        Args:
            features: ``[R, in_channels, 7, 7]``, flattened in this order.

        Returns:
            Class logits ``[R, num_classes]`` (0 = background) and deltas ``[R, num_classes, 4]``.
        """
        hidden = torch.relu(self.fc6(features.flatten(1)))
        hidden = torch.relu(self.fc7(hidden))
        logits = self.class_logits(hidden)
        if not self.training and self.temperature != 1.0:
            logits = logits / self.temperature
        deltas = self.box_deltas(hidden)
        return logits, deltas.view(-1, logits.shape[1], 4)
