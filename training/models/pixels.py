# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a network's weights expect of its pixels: the MSRA/Caffe form or torchvision's."""

from typing import Literal

import torch
from torch import Tensor, nn

from upsnet_ros.core.geometry import PAD_VALUE

PixelFormat = Literal['caffe', 'torchvision']

CAFFE_MEAN_BGR = (102.9801, 115.9465, 122.7717)  # no division; published
IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)  # of pixels in 0..1
IMAGENET_DEVIATION_RGB = (0.229, 0.224, 0.225)

# Every sixteenth pixel of a row tells whether it is padding; that all of them have its colour in a
# picture of a camera is as good as impossible.
PADDING_STEP = 16


class PictureSize(nn.Module):
    """How many rows and columns of a padded camera image show the picture.

    The padding at the bottom and right has one colour, so the last row and the last column with
    another one are the picture's. Nothing but the image is needed to know it: the answer holds for
    each camera's shape, and for each of several that share a graph.

    Args:
        input_size: Height and width of the padded images in pixels.
    """

    def __init__(self, input_size: tuple[int, int]) -> None:
        super().__init__()
        colour = torch.tensor(PAD_VALUE, dtype=torch.float32)
        self.register_buffer('colour', colour, persistent=False)
        for name, side in zip(('rows', 'columns'), input_size, strict=True):
            numbers = torch.arange(1, side + 1, dtype=torch.float32)
            self.register_buffer(name, numbers, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Measure one image.

        Args:
            image: float ``[1, H, W, 3]`` BGR, 0..255; padded with ``PAD_VALUE`` while it had 8
                bits, by ``upsnet_ros.core.geometry.place_image``.

        Returns:
            float ``[2]``, rows and columns; zero where there is nothing but padding.
        """
        by_row = (image[:, :, ::PADDING_STEP] - self.colour).abs().amax(dim=(2, 3))
        by_column = (image[:, ::PADDING_STEP] - self.colour).abs().amax(dim=(1, 3))
        rows = (self.rows * (by_row > 0)).amax(dim=1)
        columns = (self.columns * (by_column > 0)).amax(dim=1)
        return torch.cat((rows, columns))


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
