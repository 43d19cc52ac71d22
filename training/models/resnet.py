# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ResNet backbone in the forms of its pretrained weights and of its users.

Caffe/MSRA's stride placement (the published models) or torchvision's; frozen or trained batch
normalisation; ordinary strides (4, 8, 16, 32) or dilated (4, 8, 8, 8, for PSPNet); plain or
deformable 3x3 convolutions. The names of the weights are the same in every form.

Source: He et al. 2016 as used by Mask R-CNN and by UPSNet (paper section 3.1, "Backbone").
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from training.models.deform_conv import OffsetDeformConv2d
from training.models.recomputation import NORMALISATION_LAYERS, recomputed
from upsnet_ros.core.errors import ParameterError

Normalisation = Literal['frozen', 'batch', 'synchronised']
StridePlacement = Literal['1x1', '3x3']

EXPANSION = 4  # a bottleneck's output channels over its inner channels


def make_normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the epsilon of the published models."""
    return nn.BatchNorm2d(channels, eps=1e-5)


class Bottleneck(nn.Module):
    """1x1 -> 3x3 -> 1x1 with a residual connection; all convolutions without bias.

    Args:
        in_channels: Channels of the input.
        planes: Inner channels; the output has ``4 * planes``.
        stride: Stride of the block, also of the projection shortcut.
        stride_in: Whether the first 1x1 or the 3x3 convolution has the stride.
        dilation: Dilation of the 3x3 convolution.
        projection: Whether the shortcut is a 1x1 convolution (first block of a stage).
        deformable: Whether the 3x3 convolution is deformable (the published -DCN models).
    """

    def __init__(
        self,
        in_channels: int,
        planes: int,
        *,
        stride: int,
        stride_in: StridePlacement,
        dilation: int,
        projection: bool,
        deformable: bool,
    ) -> None:
        super().__init__()
        out_channels = EXPANSION * planes
        first, second = (stride, 1) if stride_in == '1x1' else (1, stride)
        self.conv1 = nn.Conv2d(in_channels, planes, 1, stride=first, bias=False)
        self.bn1 = make_normalisation(planes)
        if deformable:
            self.conv2: nn.Module = OffsetDeformConv2d(planes, planes, bias=False)
        else:
            self.conv2 = nn.Conv2d(
                planes, planes, 3, stride=second, padding=dilation, dilation=dilation, bias=False
            )
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
        stride_in: ``'1x1'``: a stage's stride is in its first 1x1 convolution (Caffe/MSRA, as
            published). ``'3x3'``: in the 3x3 convolution (torchvision).
        normalisation: ``'frozen'``: statistics, scale and shift never change, as published.
            ``'batch'``: ordinary batch normalisation. ``'synchronised'``: the same until
            :func:`training.models.synchronise.synchronise_normalisation` makes the statistics
            those of all processes.
        frozen_stages: How many of (stem, res2, res3, ...) are never trained; 2 as published.
            Their normalisation layers are frozen too.
        deformable_stages: Stages (3, 4, 5) whose 3x3 convolutions are deformable.
        dilated: Whether res4 and res5 keep the grid of res3 and dilate their 3x3 convolutions by
            2 and 4 instead (PSPNet). The weights compute at every cell what they would have
            computed at those of the coarser grid.
        checkpoint_gradients: Whether activations inside the blocks are computed again for the
            gradients instead of kept; same results, less memory, about a third more time.

    Raises:
        ParameterError: If deformable stages meet a stride in the 3x3 or a dilation.
    """

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        width: int = 64,
        stride_in: StridePlacement = '1x1',
        normalisation: Normalisation = 'frozen',
        frozen_stages: int = 2,
        deformable_stages: Sequence[int] = (),
        dilated: bool = False,
        checkpoint_gradients: bool = False,
    ) -> None:
        super().__init__()
        _check_deformable(deformable_stages, stride_in=stride_in, dilated=dilated)
        self.normalisation = normalisation
        self.frozen_stages = frozen_stages
        self.checkpoint_gradients = checkpoint_gradients
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            make_normalisation(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.out_channels = tuple(EXPANSION * width * 2**i for i in range(len(blocks)))
        self.stages = nn.ModuleList(
            _make_stage(
                width if index == 0 else self.out_channels[index - 1],
                width * 2**index,
                count=count,
                index=index,
                stride_in=stride_in,
                dilated=dilated,
                deformable=index + 2 in deformable_stages,
            )
            for index, count in enumerate(blocks)
        )
        _initialise(self)
        self._freeze()

    def _frozen_parts(self) -> list[nn.Module]:
        return [self.stem, *self.stages][: self.frozen_stages]

    def _frozen_normalisation(self) -> Iterator[nn.Module]:
        parts = [self] if self.normalisation == 'frozen' else self._frozen_parts()
        for part in parts:
            yield from (m for m in part.modules() if isinstance(m, NORMALISATION_LAYERS))

    def _freeze(self) -> None:
        for module in (*self._frozen_parts(), *self._frozen_normalisation()):
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> 'ResNet':
        """Switch training mode; frozen normalisation layers always use their statistics."""
        super().train(mode)
        for module in self._frozen_normalisation():
            module.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the stage outputs.

        Args:
            images: ``[B, 3, H, W]`` float, the pixels that the weights expect (see
                :class:`training.models.pixels.PixelNormalisation`).

        Returns:
            res2..res5: ``[B, 4 * width * 2**i, H / s, W / s]`` with the strides s 4, 8, 16, 32,
            or 4, 8, 8, 8 if dilated.
        """
        out = self.stem(images)
        outputs = []
        for index, stage in enumerate(self.stages):
            is_frozen = index + 2 <= self.frozen_stages
            if self.checkpoint_gradients and self.training and not is_frozen:
                for block in stage:
                    out = recomputed(block, out)
            else:
                out = stage(out)
            if is_frozen:
                out = out.detach()
            outputs.append(out)
        return outputs


def _check_deformable(stages: Sequence[int], *, stride_in: StridePlacement, dilated: bool) -> None:
    if not stages or (stride_in == '1x1' and not dilated):
        return
    received = 'dilated' if dilated else f"stride_in '{stride_in}'"
    raise ParameterError(
        f'deformable stages {tuple(stages)} in a backbone with {received}: deformable 3x3 '
        "convolutions have stride 1 and no dilation; use stride_in '1x1' without dilation, or no "
        'deformable stages'
    )


def _make_stage(
    in_channels: int,
    planes: int,
    *,
    count: int,
    index: int,
    stride_in: StridePlacement,
    dilated: bool,
    deformable: bool,
) -> nn.Sequential:
    stride = 1 if index == 0 else 2
    dilation = first_dilation = 1
    if dilated and index >= 2:
        stride, dilation = 1, 2 ** (index - 1)
        # A 3x3 that has the stride itself still looks at the grid before it.
        first_dilation = dilation if stride_in == '1x1' else dilation // 2
    blocks = [
        Bottleneck(
            EXPANSION * planes if number else in_channels,
            planes,
            stride=1 if number else stride,
            stride_in=stride_in,
            dilation=dilation if number else first_dilation,
            projection=number == 0,
            deformable=deformable,
        )
        for number in range(count)
    ]
    return nn.Sequential(*blocks)


def _initialise(backbone: nn.Module) -> None:
    """Kaiming weights everywhere but in offset convolutions, which start at zero."""
    layers = list(backbone.modules())
    offsets = [layer.offset for layer in layers if isinstance(layer, OffsetDeformConv2d)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d) and not any(layer is offset for offset in offsets):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
