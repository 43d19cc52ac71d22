# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixel-wise cross-entropies: semantic, semantic inside boxes, panoptic."""

import torch.nn.functional as F
from torch import Tensor

from training.data.sample import IGNORE
from training.matching.panoptic_targets import PANOPTIC_IGNORE


def semantic_loss(logits: Tensor, labels: Tensor, *, full_resolution: bool) -> Tensor:
    """Cross-entropy averaged over the pixels that are not ignored.

    Args:
        logits: ``[B, S, H / 4, W / 4]``.
        labels: uint8 ``[B, H, W]`` train ids, 255 = ignore.
        full_resolution: Upsample the logits by 4 (published models) or take every fourth pixel of
            the labels (the paper's text).
    """
    if full_resolution:
        logits = F.interpolate(
            logits.float(), scale_factor=4.0, mode='bilinear', align_corners=False
        )
    else:
        labels = labels[:, ::4, ::4]
    total = F.cross_entropy(logits.float(), labels.long(), ignore_index=IGNORE, reduction='sum')
    return total / (labels != IGNORE).sum().clamp(min=1)


def semantic_roi_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy inside true boxes, averaged over all pixels including ignored ones.

    Args:
        logits: ``[n, S, 28, 28]``.
        labels: uint8 ``[n, 28, 28]``.
    """
    total = F.cross_entropy(logits.float(), labels.long(), ignore_index=IGNORE, reduction='sum')
    return total / max(labels.numel(), 1)


def panoptic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of one image, averaged over all pixels including ignored ones and padding.

    Args:
        logits: ``[N + k + 1, h, w]``.
        labels: int64 ``[h, w]``, -1 = ignore.
    """
    total = F.cross_entropy(
        logits[None].float(), labels[None], ignore_index=PANOPTIC_IGNORE, reduction='sum'
    )
    return total / labels.numel()
