# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of the region proposal network."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.matching.rpn_targets import BATCH_PER_IMAGE, AnchorTargets

SMOOTH_L1_BETA = 1.0 / 9.0


def proposal_losses(
    logits: Tensor, deltas: Tensor, targets: AnchorTargets
) -> tuple[Tensor, Tensor]:
    """Objectness and box loss of one image.

    Args:
        logits: ``[A]`` objectness logits of all levels.
        deltas: ``[A, 4]`` predicted deltas.
        targets: Sampled anchors.

    Returns:
        Binary cross-entropy summed over the sampled anchors / 256 (also when fewer were sampled),
        and smooth L1 of the positives / number of sampled anchors.
    """
    chosen = torch.cat((targets.positives, targets.negatives))
    labels = torch.zeros(len(chosen), device=logits.device)
    labels[: len(targets.positives)] = 1
    objectness = F.binary_cross_entropy_with_logits(
        logits[chosen].float(), labels, reduction='sum'
    )
    box = F.smooth_l1_loss(
        deltas[targets.positives].float(), targets.deltas, beta=SMOOTH_L1_BETA, reduction='sum'
    )
    return objectness / BATCH_PER_IMAGE, box / max(len(chosen), 1)
