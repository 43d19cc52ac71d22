# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""PSPNet: the semantic half of the combined baseline MR-CNN-PSP.

Source: Zhao et al. 2017; used by Kirillov et al. 2019 and by UPSNet's paper (section 4) for the
combined baseline. Its 91.6 million parameters on COCO are those of Mask R-CNN with ResNet-50-FPN
and the global-average branch (44.93 million) and of this network without the auxiliary classifier
(46.65 million), which inference does not need; tests/training/test_pspnet.py counts them.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.models.pixels import PixelFormat, PixelNormalisation
from training.models.resnet import Normalisation, ResNet, make_normalisation
from upsnet_ros.core.errors import ImageError, ParameterError

STRIDE = 8


class PyramidPooling(nn.Module):
    """Averages over grids of several sizes, beside the features they come from.

    Args:
        in_channels: Channels of the features.
        channels: Channels of each pooled branch.
        bins: Side in cells of each branch's pooled map.
    """

    def __init__(self, *, in_channels: int, channels: int, bins: Sequence[int]) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.branches = nn.ModuleList(_conv_unit(in_channels, channels, 1) for _ in self.bins)
        self.out_channels = in_channels + channels * len(self.bins)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``[B, in_channels, h, w]`` to ``[B, out_channels, h, w]``."""
        outputs = [features]
        for side, branch in zip(self.bins, self.branches, strict=True):
            pooled = branch(F.adaptive_avg_pool2d(features, side))  # [B, channels, side, side]
            outputs.append(_resize(pooled, features.shape[-2:]))
        return torch.cat(outputs, dim=1)


class PSPNet(nn.Module):
    """Pyramid scene parsing network with an auxiliary classifier on res4.

    Args:
        backbone: Dilated ResNet: res4 and res5 at stride 8.
        pyramid_bins: Sides of the pooled maps; (1, 2, 3, 6) in PSPNet.
        pyramid_channels: Channels of each pooled branch and of the final 3x3; 512 in PSPNet.
        dropout: Share of activations dropped before the classifiers while training.
        num_classes: Stuff plus thing classes.
        num_stuff: Stuff classes, channels ``0..num_stuff - 1``.
        num_things: Thing classes, the channels after them.
        pixels: What the backbone's weights expect of camera pixels.
        normalisation: That of the backbone. The head is new and always trained, so with
            ``'frozen'`` it has ordinary batch normalisation.

    Raises:
        ParameterError: If the classes do not add up, or backbone and head differ.
    """

    def __init__(
        self,
        *,
        backbone: ResNet,
        pyramid_bins: Sequence[int],
        pyramid_channels: int,
        dropout: float,
        num_classes: int,
        num_stuff: int,
        num_things: int,
        pixels: PixelFormat,
        normalisation: Normalisation,
    ) -> None:
        super().__init__()
        if num_stuff + num_things != num_classes:
            raise ParameterError(
                f'{num_stuff} stuff and {num_things} thing classes are not {num_classes}; '
                'give their sum as num_classes'
            )
        if normalisation != backbone.normalisation:
            raise ParameterError(
                f"normalisation '{normalisation}' of a PSPNet whose backbone has "
                f"'{backbone.normalisation}'; give both the same"
            )
        self.normalise = PixelNormalisation(pixels)
        self.backbone = backbone
        self.num_stuff, self.num_things = num_stuff, num_things
        res4, res5 = backbone.out_channels[2:]
        self.pooling = PyramidPooling(
            in_channels=res5, channels=pyramid_channels, bins=pyramid_bins
        )
        self.fusion = _conv_unit(self.pooling.out_channels, pyramid_channels, 3)
        self.score = nn.Conv2d(pyramid_channels, num_classes, 1)
        self.auxiliary = _conv_unit(res4, res4 // 4, 3)
        self.auxiliary_score = nn.Conv2d(res4 // 4, num_classes, 1)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.score, self.auxiliary_score):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of both classifiers, for training.

        Args:
            images: ``[B, 3, H, W]`` float from :attr:`normalise`; sides multiples of 8.

        Returns:
            Logits and auxiliary logits, each ``[B, num_classes, H / 8, W / 8]``.

        Raises:
            ImageError: If a side is no multiple of 8.
            ParameterError: If a single image is to train batch normalisation of a 1x1 map.
        """
        stages = self._stages(images)
        auxiliary = self.auxiliary_score(self.dropout(self.auxiliary(stages[2])))
        return self._main_logits(stages), auxiliary

    def semantic_logits_quarter(self, images: Tensor) -> Tensor:
        """Logits for inference, ``[B, num_classes, H / 4, W / 4]``; see :meth:`forward`."""
        logits = self._main_logits(self._stages(images))
        return _resize(logits, [2 * side for side in logits.shape[-2:]])

    def _main_logits(self, stages: list[Tensor]) -> Tensor:
        return self.score(self.dropout(self.fusion(self.pooling(stages[3]))))

    def _stages(self, images: Tensor) -> list[Tensor]:
        height, width = images.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ImageError(
                f'image of {width}x{height} pixels: PSPNet needs sides that are multiples of '
                f'{STRIDE}; pad it'
            )
        self._check_batch(len(images))
        return self.backbone(images)

    def _check_batch(self, count: int) -> None:
        """Refuse what PyTorch would refuse without saying what to change."""
        for side, branch in zip(self.pooling.bins, self.pooling.branches, strict=True):
            # A synchronised layer has the other processes' values as well.
            alone = isinstance(branch[1], nn.BatchNorm2d)
            if self.training and alone and count * side * side == 1:
                raise ParameterError(
                    'PSPNet got one image at once: its 1x1 pooled map then has one value per '
                    'channel, which batch normalisation cannot learn from; expected 2 images or '
                    'more. Raise optimisation.batch_size, lower optimisation.accumulation_steps, '
                    "or train on several GPUs with model.normalisation 'synchronised'"
                )


def _conv_unit(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """Convolution, normalisation and ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode='fan_out', nonlinearity='relu')
    return nn.Sequential(conv, make_normalisation(out_channels), nn.ReLU())


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode='bilinear', align_corners=False)
