# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A semantic network that can be computed by hand: logits are mean colours of cells."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.models.pixels import PixelNormalisation
from training.models.pspnet import PSPNet

NUM_STUFF, NUM_THINGS = 2, 1


class CellNetwork(PSPNet):
    """Logit c of a cell is the mean of channel c over its 4x4 pixels."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.normalise = PixelNormalisation('caffe')
        self.num_stuff, self.num_things = NUM_STUFF, NUM_THINGS
        self.nothing = nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, ...]] = []
        self.eval()

    def semantic_logits_quarter(self, images: Tensor) -> Tensor:
        """``[B, 3, H / 4, W / 4]``, and a note of the images' size."""
        self.seen.append(tuple(images.shape[2:]))
        return F.avg_pool2d(images, 4)
