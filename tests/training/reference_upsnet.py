# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published network, computed literally from a state dict with the published names.

Written from the facts of the published models with functional calls of PyTorch, torchvision and
OpenCV. It shares no code with `training` or `upsnet_ros`: an imported model is tested against it.
What follows the heads is in `reference_inference.py`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d, roi_align

Weights = dict[str, Tensor]

MEANS = np.array([102.9801, 115.9465, 122.7717], np.float32)  # blue, green, red
STRIDES = (4, 8, 16, 32, 64)
PROPOSALS = 1000
LOG_SIZE_LIMIT = math.log(1000 / 16)
BASE_ANCHORS = {  # by stride; ratios (height over width) 0.5, 1, 2
    4: [(-22, -10, 25, 13), (-14, -14, 17, 17), (-10, -22, 13, 25)],
    8: [(-40, -20, 47, 27), (-28, -28, 35, 35), (-20, -44, 27, 51)],
    16: [(-84, -40, 99, 55), (-56, -56, 71, 71), (-36, -80, 51, 95)],
    32: [(-164, -72, 195, 103), (-112, -112, 143, 143), (-76, -168, 107, 199)],
    64: [(-332, -152, 395, 215), (-224, -224, 287, 287), (-148, -328, 211, 391)],
}


def preprocess(image: np.ndarray, short: int, longest: int) -> tuple[Tensor, tuple, float]:
    """Pixels [1, 3, H, W] padded to 32, the unpadded size (h, w) and the scale."""
    sides = image.shape[:2]
    scale = short / min(sides)
    if np.round(scale * max(sides)) > longest:
        scale = longest / max(sides)
    pixels = image.astype(np.float32) - MEANS
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    height, width = pixels.shape[:2]
    padded = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.float32)
    padded[:height, :width] = pixels
    return torch.from_numpy(padded.transpose(2, 0, 1)[None].copy()), (height, width), scale


def conv(w: Weights, name: str, x: Tensor, **options) -> Tensor:
    return F.conv2d(x, w[f'{name}.weight'], w.get(f'{name}.bias'), **options)


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    mean, variance = w[f'{name}.running_mean'], w[f'{name}.running_var']
    scale, shift = w[f'{name}.weight'], w[f'{name}.bias']
    return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, 1e-5)


def bottleneck(w: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    out = F.relu(norm(w, f'{name}.bn1', conv(w, f'{name}.conv1', x, stride=stride)))
    if f'{name}.conv2_offset.weight' in w:
        offsets = conv(w, f'{name}.conv2_offset', out, padding=1)
        out = deform_conv2d(out, offsets, w[f'{name}.conv2.weight'], padding=1)
    else:
        out = conv(w, f'{name}.conv2', out, padding=1)
    out = F.relu(norm(w, f'{name}.bn2', out))
    out = norm(w, f'{name}.bn3', conv(w, f'{name}.conv3', out))
    if f'{name}.downsample.0.weight' in w:
        x = conv(w, f'{name}.downsample.0', x, stride=stride)
        x = norm(w, f'{name}.downsample.1', x)
    return F.relu(out + x)


def backbone(w: Weights, pixels: Tensor) -> list[Tensor]:
    """res2..res5."""
    x = conv(w, 'resnet_backbone.conv1.conv1', pixels, stride=2, padding=3)
    x = F.relu(norm(w, 'resnet_backbone.conv1.bn1', x))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    stages = []
    for stage in (2, 3, 4, 5):
        block = 0
        while f'resnet_backbone.res{stage}.layers.{block}.conv1.weight' in w:
            stride = 2 if block == 0 and stage > 2 else 1
            x = bottleneck(w, f'resnet_backbone.res{stage}.layers.{block}', x, stride)
            block += 1
        stages.append(x)
    return stages


def pyramid(w: Weights, stages: list[Tensor]) -> list[Tensor]:
    """P2..P6."""
    merged = {}
    for level in (5, 4, 3, 2):
        merged[level] = conv(w, f'fpn.fpn_p{level}_1x1', stages[level - 2])
        if level == 5 and 'fpn.fpn_gap.weight' in w:
            average = stages[3].mean(dim=(2, 3))
            branch = F.linear(average, w['fpn.fpn_gap.weight'], w['fpn.fpn_gap.bias'])
            merged[5] = merged[5] + branch[:, :, None, None]
        if level < 5:
            above = merged[level + 1].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            merged[level] = merged[level] + above
    levels = [conv(w, f'fpn.fpn_p{level}', merged[level], padding=1) for level in (2, 3, 4, 5)]
    return [*levels, levels[3][:, :, ::2, ::2]]


def rpn(w: Weights, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Logits [A] and deltas [A, 4] per level, in the order row, column, anchor."""
    logits, deltas = [], []
    for level in levels:
        hidden = F.relu(conv(w, 'rpn.conv_proposal.0', level, padding=1))
        logits.append(conv(w, 'rpn.cls_score', hidden)[0].permute(1, 2, 0).flatten())
        planes = conv(w, 'rpn.bbox_pred', hidden)[0]  # channel 4 a + k
        deltas.append(planes.permute(1, 2, 0).reshape(-1, 4))
    return logits, deltas


def anchors(stride: int, height: int, width: int) -> Tensor:
    boxes = [
        [x1 + column * stride, y1 + row * stride, x2 + column * stride, y2 + row * stride]
        for row in range(height)
        for column in range(width)
        for x1, y1, x2, y2 in BASE_ANCHORS[stride]
    ]
    return torch.tensor(boxes, dtype=torch.float32)


def decode(boxes: Tensor, deltas: Tensor, weights: tuple, size: tuple[int, int]) -> Tensor:
    """Boxes [n, 4] moved by deltas [n, 4] and clipped to (height, width), in float32."""
    x1, y1, x2, y2 = boxes.unbind(1)
    w, h = x2 - x1 + 1, y2 - y1 + 1
    dx, dy, dw, dh = (deltas[:, k] / weights[k] for k in range(4))
    cx, cy = x1 + 0.5 * w + w * dx, y1 + 0.5 * h + h * dy
    half_w = 0.5 * w * torch.exp(torch.clamp(dw, max=LOG_SIZE_LIMIT))
    half_h = 0.5 * h * torch.exp(torch.clamp(dh, max=LOG_SIZE_LIMIT))
    right, bottom = size[1] - 1, size[0] - 1
    x1, x2 = (v.clamp(0, right) for v in (cx - half_w, cx + half_w - 1))
    y1, y2 = (v.clamp(0, bottom) for v in (cy - half_h, cy + half_h - 1))
    return torch.stack((x1, y1, x2, y2), dim=1)


def suppress(boxes: Tensor, scores: Tensor, threshold: float) -> list[int]:
    """Greedy suppression with the + 1 convention; indices by descending score."""
    x1, y1, x2, y2 = boxes.numpy().T
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    order = np.argsort(-scores.numpy(), kind='stable')
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        width = np.minimum(x2[best], x2[order]) - np.maximum(x1[best], x1[order]) + 1
        height = np.minimum(y2[best], y2[order]) - np.maximum(y1[best], y1[order]) + 1
        common = np.maximum(width, 0) * np.maximum(height, 0)
        order = order[~(common / (areas[best] + areas[order] - common) > threshold)]
    return kept


def proposals(
    logits: list[Tensor], deltas: list[Tensor], levels: list[Tensor], size: tuple[int, int]
) -> Tensor:
    """Proposals [P, 4] in input pixels, by descending score."""
    found, all_scores = [], []
    for level_logits, level_deltas, stride, level in zip(
        logits, deltas, STRIDES, levels, strict=True
    ):
        best = torch.argsort(level_logits, descending=True, stable=True)[:PROPOSALS]
        boxes = anchors(stride, *level.shape[2:])[best]
        boxes = decode(boxes, level_deltas[best], (1, 1, 1, 1), size)
        kept = suppress(boxes, level_logits[best], 0.7)[:PROPOSALS]
        found.append(boxes[kept])
        all_scores.append(level_logits[best][kept])
    order = torch.argsort(torch.cat(all_scores), descending=True, stable=True)
    return torch.cat(found)[order[:PROPOSALS]]


def region_features(levels: list[Tensor], boxes: Tensor, bins: int) -> Tensor:
    """RoIAlign [R, 256, bins, bins] of each box on its own level."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    level_of = torch.floor(4 + torch.log2(sides.prod(dim=1).sqrt() / 224 + 1e-6)).clamp(2, 5)
    out = torch.zeros(len(boxes), levels[0].shape[1], bins, bins)
    for level in (2, 3, 4, 5):
        mine = level_of == level
        out[mine] = roi_align(
            levels[level - 2], [boxes[mine]], bins, 1 / STRIDES[level - 2], 2, False
        )
    return out


def box_head(w: Weights, levels: list[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Class logits [R, C] and deltas [R, C, 4]."""
    x = region_features(levels, boxes, 7).flatten(1)
    for layer in ('rcnn.fc6.0', 'rcnn.fc7.0'):
        x = F.relu(F.linear(x, w[f'{layer}.weight'], w[f'{layer}.bias']))
    logits = F.linear(x, w['rcnn.cls_score.weight'], w['rcnn.cls_score.bias'])
    deltas = F.linear(x, w['rcnn.bbox_pred.weight'], w['rcnn.bbox_pred.bias'])
    return logits, torch.stack(deltas.split(4, dim=1), dim=1)  # class c has columns 4c..4c+3


def mask_head(w: Weights, levels: list[Tensor], boxes: Tensor) -> Tensor:
    """Mask logits [R, C, 28, 28]."""
    x = region_features(levels, boxes, 14)
    for layer in (1, 2, 3, 4):
        x = F.relu(conv(w, f'mask_branch.mask_conv{layer}.0', x, padding=1))
    weight, bias = (w[f'mask_branch.mask_deconv1.0.{part}'] for part in ('weight', 'bias'))
    return conv(w, 'mask_branch.mask_score', F.relu(F.conv_transpose2d(x, weight, bias, stride=2)))


def semantic_head(w: Weights, levels: list[Tensor]) -> Tensor:
    """Semantic logits [S, H / 4, W / 4]."""
    outputs = []
    for factor, x in zip((1, 2, 4, 8), levels, strict=False):
        layer = 0
        while f'fcn_head.fcn_subnet.conv.{layer}.0.conv.weight' in w:
            name = f'fcn_head.fcn_subnet.conv.{layer}.0'
            offsets = conv(w, f'{name}.conv_offset', x, padding=1)
            weight, bias = w[f'{name}.conv.weight'], w[f'{name}.conv.bias']
            x = F.relu(deform_conv2d(x, offsets, weight, bias, padding=1))
            layer += 1
        size = (x.shape[2] * factor, x.shape[3] * factor)
        outputs.append(F.interpolate(x, size=size, mode='bilinear', align_corners=False))
    return conv(w, 'fcn_head.score', torch.cat(outputs, dim=1))[0]
