# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of the panoptic head, with a share of instances turned into the unknown class.

Source: paper section 3.1, "Unknown Prediction".
"""

import torch
from torch import Tensor

from training.data.sample import IGNORE

PANOPTIC_IGNORE = -1


def draw_kept(count: int, *, keep_share: float, generator: torch.Generator) -> Tensor:
    """Random instances that stay known, in random order: ``max(int(share * count), 1)`` of them.

    Args:
        count: Instances of the image; 0 gives an empty selection.
        keep_share: Share kept (0.7 in the paper: 30 % become unknown).
        generator: Source of randomness on the CPU.
    """
    if count == 0:
        return torch.zeros(0, dtype=torch.long)
    return torch.randperm(count, generator=generator)[: max(int(keep_share * count), 1)]


@torch.no_grad()
def panoptic_targets(
    semantic: Tensor, masks: Tensor, *, num_stuff: int, predict_unknown: bool = True
) -> Tensor:
    """Label of every pixel in the order of the panoptic logits.

    Stuff keeps its id; void becomes -1 (255 may be an instance here); kept instance i becomes
    ``num_stuff + i`` and overrides what is below it, later instances earlier ones; every other
    pixel of a thing class becomes unknown, ``num_stuff + k``, or ignored without unknown
    prediction.

    Args:
        semantic: uint8 ``[h, w]`` train ids at 1/4 of the input.
        masks: bool ``[k, h, w]`` of the kept instances in kept order, at 1/4.
        num_stuff: Number of stuff classes.
        predict_unknown: Whether the logits have an unknown channel.

    Returns:
        int64 ``[h, w]``.
    """
    semantic = semantic.long()
    unknown = num_stuff + len(masks) if predict_unknown else PANOPTIC_IGNORE
    labels = torch.full_like(semantic, unknown)
    labels = torch.where(semantic < num_stuff, semantic, labels)
    labels = torch.where(semantic >= IGNORE, torch.full_like(labels, PANOPTIC_IGNORE), labels)
    for index, mask in enumerate(masks):
        labels[mask] = num_stuff + index
    return labels


def quarter(labels: Tensor) -> Tensor:
    """Pixels (4i, 4j) of a padded map ``[..., H, W]``: nearest resize by a factor of 1/4.

    An unpadded width that is no multiple of 4 gives one cell more than the published rounding.
    """
    return labels[..., ::4, ::4]
