# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Semantic head: deformable convolutions shared by P2..P5, then one 1x1 classifier.

Source: paper section 3.1, "Semantic Segmentation Head", figure 2.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.models.deform_conv import OffsetDeformConv2d


class SemanticHead(nn.Module):
    """The same deformable sub-network on every level, upsampled to 1/4 and concatenated.

    Args:
        in_channels: Channels of the pyramid.
        channels: Output widths of the deformable layers, for example (128, 128).
        num_classes: Stuff plus thing classes.
    """

    num_levels = 4

    def __init__(self, *, in_channels: int, channels: Sequence[int], num_classes: int) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.convs = nn.ModuleList(
            OffsetDeformConv2d(i, o) for i, o in zip(widths[:-1], widths[1:], strict=True)
        )
        self.score = nn.Conv2d(self.num_levels * widths[-1], num_classes, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.zeros_(self.score.bias)

    def features(self, levels: Sequence[Tensor]) -> Tensor:
        """Concatenated features.

        Args:
            levels: P2..P5, each ``[B, in_channels, h, w]``.

        Returns:
            ``[B, 4 * channels[-1], H / 4, W / 4]``.
        """
        outputs = []
        for index, level in enumerate(levels):
            hidden = level
            for conv in self.convs:
                hidden = torch.relu(conv(hidden))
            if index:
                hidden = F.interpolate(
                    hidden, scale_factor=float(2**index), mode='bilinear', align_corners=False
                )
            outputs.append(hidden)
        return torch.cat(outputs, dim=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Semantic logits ``[B, num_classes, H / 4, W / 4]`` of P2..P5."""
        return self.score(self.features(levels))
