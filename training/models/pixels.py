# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a network's weights expect of its pixels: the MSRA/Caffe form or torchvision's."""

from typing import Literal

import torch
from torch import Tensor, nn

PixelFormat = Literal['caffe', 'torchvision']

CAFFE_MEAN_BGR = (102.9801, 115.9465, 122.7717)  # no division; published
IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)  # of pixels in 0..1
IMAGENET_DEVIATION_RGB = (0.229, 0.224, 0.225)


class PixelNormalisation(nn.Module):
    """Camera pixels (BGR, 0..255) to what the backbone expects; no parameters.

    Args:
        pixels: ``'caffe'``: BGR minus the channel means; ``'torchvision'``: RGB in 0..1, minus
            mean, divided by deviation.
    """

    def __init__(self, pixels: PixelFormat) -> None:
        super().__init__()
        self.swap = pixels == 'torchvision'
        mean: tuple[float, ...] = CAFFE_MEAN_BGR
        deviation: tuple[float, ...] = (1.0, 1.0, 1.0)
        if self.swap:
            mean = tuple(255 * value for value in IMAGENET_MEAN_RGB[::-1])
            deviation = tuple(255 * value for value in IMAGENET_DEVIATION_RGB[::-1])
        # Not among the weights: checkpoints hold learned values only.
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        scale = 1.0 / torch.tensor(deviation).view(1, 3, 1, 1)
        self.register_buffer('scale', scale, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise ``[B, 3, H, W]`` BGR images of 0..255 (uint8 or float) to float32."""
        out = images.float() - self.mean
        if not self.swap:
            return out
        return (out * self.scale).flip(1)
