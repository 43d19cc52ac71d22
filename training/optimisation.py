# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter groups, learning-rate schedule and weight averaging.

Source: facts of the published models: weights decay, biases do not and learn twice as fast; the
rate warms up linearly from a tenth.
"""

import math

import torch
from torch import nn

from training.config import OptimisationRecipe

WARMUP_START = 0.1
STEP_FACTOR = 0.1


def build_optimiser(model: nn.Module, recipe: OptimisationRecipe) -> torch.optim.Optimizer:
    """SGD or AdamW over a group of decayed weights and a group of biases and scales."""
    weights, biases = [], []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (weights if parameter.ndim > 1 else biases).append(parameter)
    groups = [
        {'params': weights, 'weight_decay': recipe.weight_decay, 'multiplier': 1.0},
        {'params': biases, 'weight_decay': 0.0, 'multiplier': recipe.bias_multiplier},
    ]
    rate = base_rate(recipe)
    if recipe.optimiser == 'sgd':
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum)
    return torch.optim.AdamW(groups, lr=rate)


def base_rate(recipe: OptimisationRecipe) -> float:
    """Learning rate after warm-up, scaled linearly with the images per step."""
    return recipe.learning_rate * recipe.batch_size / recipe.reference_batch_size


def rate_factor(iteration: int, recipe: OptimisationRecipe) -> float:
    """Learning rate at an iteration over the base rate."""
    if iteration < recipe.warmup_iterations:
        return WARMUP_START + (1 - WARMUP_START) * iteration / recipe.warmup_iterations
    if recipe.schedule == 'step':
        return STEP_FACTOR ** sum(point <= iteration for point in recipe.decay_at)
    span = recipe.iterations - recipe.warmup_iterations
    return 0.5 * (1 + math.cos(math.pi * (iteration - recipe.warmup_iterations) / span))


def set_rate(
    optimiser: torch.optim.Optimizer, iteration: int, recipe: OptimisationRecipe
) -> float:
    """Set the rates of all groups for an iteration and return that of the weights."""
    rate = base_rate(recipe) * rate_factor(iteration, recipe)
    for group in optimiser.param_groups:
        group['lr'] = rate * group['multiplier']
    return rate


class AveragedWeights:
    """Exponential moving average of a model's parameters and buffers.

    Args:
        model: The model to follow.
        decay: Weight of the past per step; early steps use less of it.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, iteration: int) -> None:
        """Move towards the model's present values."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)
