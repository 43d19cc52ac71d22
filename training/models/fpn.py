# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Feature pyramid network with P6 and the optional global-average branch.

Source: Lin et al. 2017 (FPN); the branch is UPSNet's for COCO (paper section 4).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class FeaturePyramid(nn.Module):
    """Lateral 1x1, nearest top-down path and output 3x3 convolutions, without normalisation.

    Args:
        in_channels: Channels of res2..res5.
        channels: Channels of every pyramid level (256 in the published models).
        global_average: Add a linear projection of the globally averaged res5 to the P5 lateral,
            hence to all levels.
    """

    def __init__(
        self, *, in_channels: Sequence[int], channels: int = 256, global_average: bool = False
    ) -> None:
        super().__init__()
        self.channels = channels
        self.lateral = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in in_channels)
        self.output = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels
        )
        self.global_average = nn.Linear(in_channels[-1], channels) if global_average else None
        for conv in (*self.lateral, *self.output):
            nn.init.kaiming_uniform_(conv.weight, a=1)
            nn.init.zeros_(conv.bias)

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """Build the pyramid.

        Args:
            stages: res2..res5 at strides 4, 8, 16, 32; heights and widths halve exactly.

        Returns:
            P2..P6, each ``[B, channels, H / stride, W / stride]`` with strides 4..64.
        """
        top = self.lateral[-1](stages[-1])
        if self.global_average is not None:
            pooled = self.global_average(stages[-1].mean(dim=(2, 3)))
            top = top + pooled[:, :, None, None]
        merged = [top]
        for lateral, stage in zip(reversed(self.lateral[:-1]), reversed(stages[:-1]), strict=True):
            up = F.interpolate(merged[0], scale_factor=2.0, mode='nearest')
            merged.insert(0, lateral(stage) + up)
        levels = [conv(x) for conv, x in zip(self.output, merged, strict=True)]
        levels.append(F.max_pool2d(levels[-1], kernel_size=1, stride=2))  # P6, for the RPN only
        return levels
