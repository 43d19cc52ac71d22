# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints with the names and shapes of the published ones and lively random weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from tests.training import reference_upsnet as reference

LISTS = Path(__file__).parents[1] / 'training' / 'data'
OFFSETS = ('conv2_offset', 'conv_offset')
CONFIDENCE = 3.0  # spread of the class logits
BACKGROUND = 4.0  # added to the background's logit, so that most regions are no objects


def official_list(variant: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of every tensor of a published checkpoint, by name."""
    tensors = {}
    for line in (LISTS / f'official_{variant}.tsv').read_text().splitlines():
        name, shape, dtype = line.split('\t')
        sides = () if shape == 'scalar' else tuple(int(side) for side in shape.split('x'))
        tensors[name] = (sides, dtype)
    return tensors


def random_checkpoint(variant: str, *, seed: int = 0) -> dict[str, Tensor]:
    """Random weights, of a size that keeps activations healthy through all layers."""
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for name, (shape, dtype) in official_list(variant).items():
        if dtype == 'int64':
            weights[name] = torch.tensor(12000)
            continue
        values = torch.randn(shape, generator=random)
        if len(shape) > 1:
            inputs = values[0].numel()
            values *= (0.1 if any(part in name for part in OFFSETS) else 2**0.5) / inputs**0.5
        elif name.endswith('running_var'):
            values = 1 + 0.5 * values.tanh()
        elif name.endswith('bn3.weight'):
            values = 0.2 + 0.05 * values  # a residual branch adds little: 33 of them follow
        elif 'bn' in name and name.endswith('weight') or name.endswith('downsample.1.weight'):
            values = 1 + 0.2 * values.tanh()
        else:
            values *= 0.05
        weights[name] = values
    weights['resnet_backbone.conv1.conv1.weight'] /= 60  # pixels are as large as that
    return weights


def lively_checkpoint(
    variant: str, image: np.ndarray, *, short: int, longest: int, seed: int = 0
) -> dict[str, Tensor]:
    """Random weights whose heads say something definite and varied about an image.

    The last layer of every head is scaled and shifted so that its outputs for this image have
    mean 0 and a chosen spread: there are candidates of several classes, masks with both signs, and
    many semantic classes.

    Args:
        variant: Name of the published model.
        image: uint8 [H, W, 3] BGR.
        short: Short side of the input [px].
        longest: Largest long side of the input [px].
        seed: Of the random weights.
    """
    w = random_checkpoint(variant, seed=seed)
    pixels, size, _ = reference.preprocess(image, short, longest)
    levels = reference.pyramid(w, reference.backbone(w, pixels))
    logits, deltas = reference.rpn(w, levels)
    _settle(w, 'rpn.cls_score', torch.cat(logits).view(-1, 3), spread=1.5)
    _settle(w, 'rpn.bbox_pred', torch.cat(deltas).view(-1, 12), spread=0.3)
    boxes = reference.proposals(*reference.rpn(w, levels), levels, size)
    logits, deltas = reference.box_head(w, levels, boxes)
    _settle(w, 'rcnn.cls_score', logits, spread=CONFIDENCE)
    w['rcnn.cls_score.bias'][0] += BACKGROUND
    _settle(w, 'rcnn.bbox_pred', deltas.flatten(1), spread=0.5)
    masks = reference.mask_head(w, levels, boxes[:20])
    _settle(w, 'mask_branch.mask_score', masks.permute(0, 2, 3, 1).flatten(0, 2), spread=3.0)
    semantic = reference.semantic_head(w, levels)
    _settle(w, 'fcn_head.score', semantic.flatten(1).T, spread=3.0)
    return w


def _settle(w: dict[str, Tensor], layer: str, outputs: Tensor, *, spread: float) -> None:
    """Give the outputs [n, channels] of a layer mean 0 and a spread, in place."""
    scale = spread / outputs.std(dim=0).clamp(min=1e-6)  # [channels]
    weight, bias = w[f'{layer}.weight'], w[f'{layer}.bias']
    bias.copy_((bias - outputs.mean(dim=0)) * scale)
    weight.mul_(scale.view(-1, *[1] * (weight.ndim - 1)))


def smooth_image(size: tuple[int, int], *, seed: int = 0) -> np.ndarray:
    """Random colours that vary slowly, like a photograph: uint8 [height, width, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
