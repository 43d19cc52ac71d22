# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask head of Mask R-CNN: class-specific 28x28 mask logits of 14x14 region features."""

import torch
from torch import Tensor, nn


class MaskHead(nn.Module):
    """3x3 convolutions, a 2x2 transposed convolution and a 1x1 convolution.

    Args:
        in_channels: Channels of the region features.
        channels: Width of the hidden layers.
        num_layers: Number of 3x3 convolutions (4 in the published models).
        num_classes: Thing classes plus background (channel 0, never used).
    """

    bins = 14
    mask_size = 28

    def __init__(
        self, *, in_channels: int, channels: int, num_layers: int = 4, num_classes: int
    ) -> None:
        super().__init__()
        widths = [in_channels] + [channels] * num_layers
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1) for i, o in zip(widths[:-1], widths[1:], strict=True)
        )
        self.deconv = nn.ConvTranspose2d(widths[-1], channels, 2, stride=2)
        self.logits = nn.Conv2d(channels, num_classes, 1)
        for layer in (*self.convs, self.deconv, self.logits):
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``[R, in_channels, 14, 14]`` to mask logits ``[R, num_classes, 28, 28]``."""
        hidden = features
        for conv in self.convs:
            hidden = torch.relu(conv(hidden))
        return self.logits(torch.relu(self.deconv(hidden)))
