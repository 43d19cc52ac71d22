# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One training image with its truth, in the frame of the network's input."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

IGNORE = 255  # semantic label of void pixels and of padding

Polygons = list[np.ndarray]  # one object: outlines, each float32 [m, 2] of x, y


@dataclass
class Sample:
    """An image and what is to be learned from it.

    Attributes:
        name: Where it came from, for messages.
        image: uint8 ``[3, H, W]`` BGR, padded bottom and right with the mean colour.
        semantic: uint8 ``[H, W]`` train ids, 255 = ignore and padding.
        boxes: float32 ``[n, 4]`` x1, y1, x2, y2 in input pixels, inclusive; no crowds.
        classes: int64 ``[n]`` thing classes 1..T.
        instances: int16 ``[H, W]`` row of each pixel's object, -1 where there is none; an object
            that vanished when resized has no pixel.
        size: Height and width of the unpadded part in pixels.
        scale: Input pixels per pixel of the image on disk.
        polygons: Outlines of each object in input pixels; empty when masks are sampled instead.
        crowd_boxes: float32 ``[c, 4]`` boxes of crowds (groups that are not told apart).
        crowd_classes: int64 ``[c]`` thing classes of the crowds.
        seed: Start of all random choices about this image (anchors, regions, unknown instances).
            It belongs to the place of the image in the run, so the choices are the same however
            many processes share the work, and after a restart.
    """

    name: str
    image: Tensor
    semantic: Tensor
    boxes: Tensor
    classes: Tensor
    instances: Tensor
    size: tuple[int, int]
    scale: float
    polygons: list[Polygons] = field(default_factory=list)
    crowd_boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    crowd_classes: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    seed: int = 0

    @property
    def masks(self) -> Tensor:
        """Pixels of each object: bool ``[n, H, W]``, made anew at each call."""
        return self.masks_of(torch.arange(len(self.boxes), device=self.instances.device))

    def masks_of(self, rows: Tensor, *, step: int = 1) -> Tensor:
        """Pixels of some objects, of every ``step``-th row and column: bool ``[k, h, w]``.

        Args:
            rows: int64 ``[k]`` of the objects.
            step: 4 gives the masks at 1/4 of the input, as a nearest resize does.
        """
        return self.instances[::step, ::step] == rows[:, None, None]

    def generator(self) -> torch.Generator:
        """A source of randomness on the CPU that starts at the image's seed."""
        return torch.Generator().manual_seed(self.seed)

    def to(self, device: torch.device | str) -> 'Sample':
        """The same sample with its tensors on a device; polygons stay on the host."""
        tensors = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **tensors)

    def pin_memory(self) -> 'Sample':
        """The same sample in page-locked memory (called by the data loader)."""
        tensors = {
            name: value.pin_memory()
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **tensors)
