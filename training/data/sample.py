# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One training image with its truth, in the frame of the network's input."""

from dataclasses import dataclass

from torch import Tensor

IGNORE = 255  # semantic label of void pixels and of padding
MEAN_BGR = (102.9801, 115.9465, 122.7717)
PAD_MULTIPLE = 32


@dataclass
class Sample:
    """An image and what is to be learned from it.

    Attributes:
        name: Where it came from, for messages.
        image: uint8 ``[3, H, W]`` BGR, padded bottom and right to multiples of 32.
        semantic: uint8 ``[H, W]`` train ids, 255 = ignore and padding.
        boxes: float32 ``[n, 4]`` x1, y1, x2, y2 in input pixels, inclusive; no crowds.
        classes: int64 ``[n]`` thing classes 1..T.
        masks: bool ``[n, H, W]``.
        size: Height and width of the unpadded part in pixels.
        scale: Input pixels per pixel of the image on disk.
    """

    name: str
    image: Tensor
    semantic: Tensor
    boxes: Tensor
    classes: Tensor
    masks: Tensor
    size: tuple[int, int]
    scale: float
