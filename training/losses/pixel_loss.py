# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixel-wise cross-entropies: semantic, semantic inside boxes, panoptic."""

import torch.nn.functional as F
from torch import Tensor

from training.data.sample import IGNORE
from training.matching.panoptic_targets import PANOPTIC_IGNORE


def semantic_loss(logits: Tensor, labels: Tensor, *, full_resolution: bool) -> Tensor:
    """Cross-entropy averaged over an image's pixels that are not ignored, then over the images.

    Args:
        logits: ``[B, S, h, w]`` at a fraction of the input.
        labels: uint8 ``[B, H, W]`` train ids, 255 = ignore.
        full_resolution: Upsample the logits to the labels (published models) or take every fourth
            pixel of the labels (the paper's text; the logits are then at 1/4).
    """
    if full_resolution:
        logits = F.interpolate(
            logits.float(), size=labels.shape[1:], mode='bilinear', align_corners=False
        )
    else:
        labels = labels[:, ::4, ::4]
    terms = F.cross_entropy(
        logits.float(), labels.long(), ignore_index=IGNORE, reduction='none'
    )  # [B, H, W]
    counted = (labels != IGNORE).sum(dim=(1, 2)).clamp(min=1)
    return (terms.sum(dim=(1, 2)) / counted).mean()


def semantic_roi_loss(logits: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy inside true boxes, averaged over all pixels including ignored ones.

    Args:
        logits: ``[n, S, 28, 28]``.
        labels: uint8 ``[n, 28, 28]``.
        shares: ``[n]`` from :func:`training.losses.region_loss.image_shares`.
    """
    terms = F.cross_entropy(
        logits.float(), labels.long(), ignore_index=IGNORE, reduction='none'
    )  # [n, 28, 28]
    return (terms.flatten(1).mean(dim=1) * shares).sum() + logits.sum() * 0.0


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
