# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ResNet backbone with the stride in the first 1x1 convolution (Caffe/MSRA placement).

Source: He et al. 2016 as used by Mask R-CNN and by UPSNet (paper section 3.1, "Backbone").
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from training.models.deform_conv import OffsetDeformConv2d

Normalisation = Literal['frozen', 'batch']

EXPANSION = 4  # a bottleneck's output channels over its inner channels


def make_normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the epsilon of the published models."""
    return nn.BatchNorm2d(channels, eps=1e-5)


class Bottleneck(nn.Module):
    """1x1 (stride) -> 3x3 -> 1x1 with a residual connection; all convolutions without bias.

    Args:
        in_channels: Channels of the input.
        planes: Inner channels; the output has ``4 * planes``.
        stride: Stride of the first 1x1 convolution and of the projection shortcut.
        projection: Whether the shortcut is a 1x1 convolution (first block of a stage).
        deformable: Whether the 3x3 convolution is deformable (the published -DCN models).
    """

    def __init__(
        self,
        in_channels: int,
        planes: int,
        *,
        stride: int,
        projection: bool,
        deformable: bool,
    ) -> None:
        super().__init__()
        out_channels = EXPANSION * planes
        self.conv1 = nn.Conv2d(in_channels, planes, 1, stride=stride, bias=False)
        self.bn1 = make_normalisation(planes)
        if deformable:
            self.conv2: nn.Module = OffsetDeformConv2d(planes, planes, bias=False)
        else:
            self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = make_normalisation(planes)
        self.conv3 = nn.Conv2d(planes, out_channels, 1, bias=False)
        self.bn3 = make_normalisation(out_channels)
        self.shortcut = (
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                make_normalisation(out_channels),
            )
            if projection
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, H, W]`` to ``[B, 4 * planes, H / stride, W / stride]``."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """Bottleneck ResNet that returns the outputs of its four stages.

    Args:
        blocks: Blocks of res2..res5, for example ``(3, 4, 6, 3)`` for ResNet-50.
        width: Channels of the stem and inner channels of res2 (64 in the published models).
        normalisation: ``'frozen'``: statistics, scale and shift never change, as published.
            ``'batch'``: ordinary batch normalisation, for training from random weights.
        frozen_stages: How many of (stem, res2, res3, ...) are never trained; 2 as published.
        deformable_stages: Stages (3, 4, 5) whose 3x3 convolutions are deformable.
    """

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        width: int = 64,
        normalisation: Normalisation = 'frozen',
        frozen_stages: int = 2,
        deformable_stages: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.frozen_stages = frozen_stages
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            make_normalisation(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.ModuleList()
        in_channels = width
        for index, count in enumerate(blocks):
            planes = width * 2**index
            stage = _make_stage(
                in_channels,
                planes,
                count=count,
                stride=1 if index == 0 else 2,
                deformable=index + 2 in deformable_stages,
            )
            self.stages.append(stage)
            in_channels = EXPANSION * planes
        self.out_channels = tuple(EXPANSION * width * 2**i for i in range(len(blocks)))
        _initialise(self)
        self._freeze()

    def _freeze(self) -> None:
        frozen = [self.stem, *self.stages][: self.frozen_stages]
        for module in frozen:
            module.requires_grad_(False)
        if self.normalisation == 'frozen':
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.requires_grad_(False)

    def train(self, mode: bool = True) -> 'ResNet':
        """Switch training mode; frozen normalisation layers always use their statistics."""
        super().train(mode)
        if self.normalisation == 'frozen':
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the stage outputs.

        Args:
            images: ``[B, 3, H, W]`` float, BGR, 0..255 minus the channel means.

        Returns:
            res2..res5: ``[B, 4 * width * 2**i, H / 4 / 2**i, W / 4 / 2**i]``.
        """
        out = self.stem(images)
        outputs = []
        for index, stage in enumerate(self.stages):
            out = stage(out)
            if index + 2 <= self.frozen_stages:
                out = out.detach()
            outputs.append(out)
        return outputs


def _make_stage(
    in_channels: int, planes: int, *, count: int, stride: int, deformable: bool
) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for index in range(count):
        blocks.append(
            Bottleneck(
                in_channels if index == 0 else EXPANSION * planes,
                planes,
                stride=stride if index == 0 else 1,
                projection=index == 0,
                deformable=deformable,
            )
        )
    return nn.Sequential(*blocks)


def _initialise(backbone: nn.Module) -> None:
    """Kaiming weights everywhere but in offset convolutions, which start at zero."""
    layers = list(backbone.modules())
    offsets = [layer.offset for layer in layers if isinstance(layer, OffsetDeformConv2d)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d) and not any(layer is offset for offset in offsets):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
