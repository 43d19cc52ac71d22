# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of the box head and the mask head, averaged image by image."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def image_shares(counts: Sequence[int], *, device: torch.device) -> Tensor:
    """Weight of every region when each image's mean counts the same.

    Args:
        counts: Regions of each of the B images.
        device: Where the weights are needed.

    Returns:
        float32 ``[sum(counts)]``: ``1 / (B * count of its image)``. The sum is 1, less the share
        of images without regions.
    """
    shares = [1.0 / (len(counts) * max(count, 1)) for count in counts]
    return torch.repeat_interleave(
        torch.tensor(shares, device=device), torch.tensor(list(counts), device=device)
    )


def box_losses(
    class_logits: Tensor,
    deltas: Tensor,
    classes: Tensor,
    foreground: Tensor,
    targets: Tensor,
    shares: Tensor,
) -> tuple[Tensor, Tensor]:
    """Classification and regression loss over all sampled regions.

    Args:
        class_logits: ``[R, T + 1]``.
        deltas: ``[R, T + 1, 4]``.
        classes: int64 ``[R]``, 0 = background.
        foreground: int64 ``[F]`` indices of the foreground regions.
        targets: ``[F, 4]`` their box targets.
        shares: ``[R]`` from :func:`image_shares`.

    Returns:
        Softmax cross-entropy averaged over the regions, and smooth L1 (beta 1) of the class's own
        deltas summed over the foreground / number of regions; both per image, then averaged.
    """
    terms = F.cross_entropy(class_logits.float(), classes, reduction='none')
    own = deltas[foreground, classes[foreground]].float()
    distance = F.smooth_l1_loss(own, targets, beta=1.0, reduction='none').sum(dim=1)
    return (terms * shares).sum(), (distance * shares[foreground]).sum()


def mask_loss(mask_logits: Tensor, classes: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
    """Sigmoid cross-entropy of the class's own channel, averaged over regions and pixels.

    Args:
        mask_logits: ``[F, T + 1, 28, 28]`` of the foreground regions.
        classes: int64 ``[F]`` in 1..T.
        targets: ``[F, 28, 28]`` of 0 and 1.
        shares: ``[F]`` from :func:`image_shares`.

    Returns:
        The loss per image, averaged; 0 (with a gradient of 0) when there is no foreground.
    """
    own = mask_logits[torch.arange(len(classes), device=classes.device), classes]
    terms = F.binary_cross_entropy_with_logits(own.float(), targets, reduction='none')
    return (terms.flatten(1).mean(dim=1) * shares).sum() + mask_logits.sum() * 0.0
