# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter groups, learning-rate schedule and weight averaging.

Source: facts of the published models: weights decay, biases do not and learn twice as fast; the
rate warms up linearly from a tenth. Momentum is PyTorch's: while the rate warms up it differs from
the published Caffe form, which keeps the rate inside the buffer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

WARMUP_START = 0.1
STEP_FACTOR = 0.1


@dataclass(frozen=True)
class Schedule:
    """Learning rate of the weights over a run.

    Attributes:
        rate: After warm-up.
        iterations: Length of the run.
        warmup: Iterations from a tenth to the full rate.
        shape: ``'step'`` (published) or ``'cosine'``.
        decay_at: Iterations at which ``'step'`` multiplies the rate by 0.1.
    """

    rate: float
    iterations: int
    warmup: int
    shape: Literal['step', 'cosine']
    decay_at: Sequence[int] = ()

    def rate_at(self, iteration: int) -> float:
        """Learning rate of the weights at an iteration."""
        if iteration < self.warmup:
            return self.rate * (WARMUP_START + (1 - WARMUP_START) * iteration / self.warmup)
        if self.shape == 'step':
            return self.rate * STEP_FACTOR ** sum(point <= iteration for point in self.decay_at)
        share = (iteration - self.warmup) / (self.iterations - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * share))


def build_optimiser(
    model: nn.Module,
    *,
    kind: Literal['sgd', 'adamw'],
    momentum: float,
    weight_decay: float,
    bias_multiplier: float,
) -> torch.optim.Optimizer:
    """SGD or AdamW over two groups: decayed weights, and biases with normalisation parameters.

    The rates are set by :func:`set_rate` before every step.
    """
    weights, biases = [], []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (weights if parameter.ndim > 1 else biases).append(parameter)
    groups = [
        {'params': weights, 'weight_decay': weight_decay, 'multiplier': 1.0},
        {'params': biases, 'weight_decay': 0.0, 'multiplier': bias_multiplier},
    ]
    if kind == 'sgd':
        return torch.optim.SGD(groups, lr=0.0, momentum=momentum)
    return torch.optim.AdamW(groups, lr=0.0)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group: that of the weights times the group's multiplier."""
    for group in optimiser.param_groups:
        group['lr'] = rate * group['multiplier']


class AveragedWeights:
    """Exponential moving average of a model's parameters and buffers.

    Args:
        model: The model to follow; its present values are the start.
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
