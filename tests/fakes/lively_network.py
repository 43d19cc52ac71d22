# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small network with random weights that detects things, for export and parity tests."""

from dataclasses import replace

import cv2
import numpy as np
import torch

from training.build import build_model
from training.checkpoint import Checkpoint
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe

SIZE = (96, 160)  # of small_recipe's input


def lively_model(recipe: Recipe, *, seed: int = 0) -> UPSNet:
    """Random weights, scaled so that candidates are confident and varied but not saturated."""
    torch.manual_seed(seed)
    model = build_model(recipe).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2.0)
        for conv in model.semantic_head.convs:
            conv.offset.weight.normal_(std=0.01)
        image = torch.from_numpy(smooth_image(seed)).permute(2, 0, 1).float() - 110
        output = model.pyramid_output(image[None])
        scale_layer(model.rpn.objectness, torch.cat(output.rpn_logits, dim=1), spread=3.0)
        logits, deltas = model.box_outputs(output.levels, model.proposals(output, [SIZE]))
        scale_layer(model.box_head.class_logits, logits, spread=3.0)
        scale_layer(model.box_head.box_deltas, deltas, spread=0.5)
        scale_layer(model.semantic_head.score, model.semantic_head(output.levels[:4]), spread=3.0)
    return model


def scale_layer(layer: torch.nn.Module, values: torch.Tensor, *, spread: float) -> None:
    layer.weight.mul_(spread / values.std())


def smooth_image(seed: int) -> np.ndarray:
    """Random colours that vary slowly, like an image; uint8 [96, 160, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def make_checkpoint(recipe: Recipe, model: UPSNet) -> Checkpoint:
    return replace(Checkpoint.from_weights(recipe, model.state_dict()), step=4, seconds=1.0)
