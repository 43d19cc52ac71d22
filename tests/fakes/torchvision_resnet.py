# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ResNets of torchvision with lively random weights, as a stand-in for those of ImageNet."""

from collections.abc import Sequence

import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet


def make_torchvision_resnet(
    blocks: Sequence[int], *, dilated: bool = False, seed: int = 0
) -> ResNet:
    """A network in evaluation mode whose normalisation layers all do something of their own."""
    torch.manual_seed(seed)
    model = ResNet(
        Bottleneck,
        list(blocks),
        num_classes=5,
        replace_stride_with_dilation=[False, dilated, dilated],
    )
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.3, 0.7)
            nn.init.normal_(layer.bias, std=0.1)
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return model.eval()


def stage_outputs(model: ResNet, images: torch.Tensor) -> list[torch.Tensor]:
    """Outputs of res2..res5, by torchvision's own layers."""
    out = model.maxpool(model.relu(model.bn1(model.conv1(images))))
    outputs = []
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        out = stage(out)
        outputs.append(out)
    return outputs
