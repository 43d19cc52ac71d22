# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of the box head and the mask head."""

import torch
import torch.nn.functional as F
from torch import Tensor


def box_losses(
    class_logits: Tensor, deltas: Tensor, classes: Tensor, foreground: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Classification and regression loss over all sampled regions.

    Args:
        class_logits: ``[R, T + 1]``.
        deltas: ``[R, T + 1, 4]``.
        classes: int64 ``[R]``, 0 = background.
        foreground: int64 ``[F]`` indices of the foreground regions.
        targets: ``[F, 4]`` their box targets.

    Returns:
        Softmax cross-entropy averaged over the regions, and smooth L1 (beta 1) of the class's own
        deltas summed over the foreground / number of regions.
    """
    classification = F.cross_entropy(class_logits.float(), classes)
    own = deltas[foreground, classes[foreground]].float()
    regression = F.smooth_l1_loss(own, targets, beta=1.0, reduction='sum')
    return classification, regression / max(len(classes), 1)


def mask_loss(mask_logits: Tensor, classes: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid cross-entropy of the class's own channel, averaged over regions and pixels.

    Args:
        mask_logits: ``[F, T + 1, 28, 28]`` of the foreground regions.
        classes: int64 ``[F]`` in 1..T.
        targets: ``[F, 28, 28]`` of 0 and 1.

    Returns:
        The loss; 0 (with a gradient of 0) when there is no foreground.
    """
    if len(classes) == 0:
        return mask_logits.sum() * 0.0
    own = mask_logits[torch.arange(len(classes), device=classes.device), classes]
    return F.binary_cross_entropy_with_logits(own.float(), targets)
