# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network of random weights that can be timed in half precision, and a picture for it.

Random weights as they are drawn overflow half precision, find no instance and have no offsets.
Here every layer is scaled until its output has a spread that trained networks have, on one
picture. What takes as long as in a trained network then does: sampling far and near, suppression.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.build import build_model
from training.models.deform_conv import OffsetDeformConv2d, use_torchvision
from training.models.detections import predict
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe

OFFSET_SPREAD = 2.0  # cells
LOGIT_SPREAD, DELTA_SPREAD = 3.0, 0.2
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, OffsetDeformConv2d)


def make_picture(size: tuple[int, int], device: str) -> Tensor:
    """Random colours that vary slowly: uint8 ``[1, H, W, 3]``."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, size[0] // 32 + 1, size[1] // 32 + 1, generator=generator) * 255
    fine = F.interpolate(coarse, size=size, mode='bilinear')
    return fine.permute(0, 2, 3, 1).to(torch.uint8).contiguous().to(device)


@torch.no_grad()
def calm_network(recipe: Recipe, picture: Tensor) -> UPSNet:
    """A network in evaluation mode, on the picture's device.

    Args:
        recipe: Its shape.
        picture: uint8 ``[1, H, W, 3]``.
    """
    torch.manual_seed(0)
    model = build_model(recipe).eval()
    spreads = _spreads(model)
    for module in model.modules():
        if isinstance(module, OffsetDeformConv2d):
            nn.init.normal_(module.offset.weight)
    model.to(picture.device)
    hooks = [
        module.register_forward_hook(_scale(spreads.get(module, 1.0)))
        for module in model.modules()
        if isinstance(module, LAYERS)
    ]
    use_torchvision(model)
    pixels = model.normalise(picture.permute(0, 3, 1, 2))
    predict(model, pixels[0], image_size=tuple(pixels.shape[2:]))
    use_torchvision(model, always=False)
    for hook in hooks:
        hook.remove()
    return model


def _spreads(model: UPSNet) -> dict[nn.Module, float]:
    """Spread of the output of layers that are to have another than 1."""
    spreads: dict[nn.Module, float] = {
        model.rpn.objectness: LOGIT_SPREAD,
        model.rpn.deltas: DELTA_SPREAD,
        model.box_head.class_logits: LOGIT_SPREAD,
        model.box_head.box_deltas: LOGIT_SPREAD * DELTA_SPREAD,
        model.semantic_head.score: LOGIT_SPREAD,
    }
    layers = (m for m in model.modules() if isinstance(m, OffsetDeformConv2d))
    return spreads | {layer.offset: OFFSET_SPREAD for layer in layers}


def _scale(spread: float) -> Any:
    """A hook that scales a layer's weight, so that its output has this spread, and the output."""

    def hook(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        found = output.std().item() if output.numel() > 1 else 0.0
        if not found:
            return None
        layer.weight.mul_(spread / found)
        return output * (spread / found)

    return hook
