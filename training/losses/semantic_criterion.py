# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The losses of PSPNet: its classifier and the auxiliary one (Zhao et al. 2017)."""

import torch
from torch import Tensor

from training.data.sample import Sample
from training.losses.criterion import stack_images
from training.losses.pixel_loss import semantic_loss
from training.models.pspnet import PSPNet


class SemanticCriterion:
    """Computes the losses of a batch.

    Args:
        weight: Weight of the main classifier's loss.
        auxiliary: Weight of the auxiliary classifier's loss; 0 = none.
    """

    def __init__(self, *, weight: float, auxiliary: float) -> None:
        self.weight = weight
        self.auxiliary = auxiliary

    def __call__(self, model: PSPNet, batch: list[Sample]) -> dict[str, Tensor]:
        """Weighted losses by name of samples of one padded size; their sum is minimised."""
        logits, auxiliary = model(stack_images(model.normalise, batch))
        labels = torch.stack([sample.semantic for sample in batch])
        main = semantic_loss(logits, labels, full_resolution=True)
        second = semantic_loss(auxiliary, labels, full_resolution=True)
        return {'semantic': self.weight * main, 'auxiliary': self.auxiliary * second}
