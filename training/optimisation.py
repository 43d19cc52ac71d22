# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameter groups, learning-rate schedule and weight averaging.

Source: facts of the published models: weights decay, biases do not and learn twice as fast; the
rate warms up linearly from a tenth and lies inside the momentum buffer (Caffe's form).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

WARMUP_START = 0.1
STEP_FACTOR = 0.1
POLY_POWER = 0.9  # PSPNet's


@dataclass(frozen=True)
class Schedule:
    """Learning rate of the weights over a run, all in steps.

    Attributes:
        rate: After warm-up.
        steps: Length of the run.
        warmup: Steps from a tenth to the full rate.
        shape: ``'step'`` (published), ``'cosine'`` or ``'poly'`` (PSPNet).
        decay_at: Steps at which ``'step'`` multiplies the rate by 0.1.
    """

    rate: float
    steps: int
    warmup: int
    shape: Literal['step', 'cosine', 'poly']
    decay_at: Sequence[int] = ()

    def rate_at(self, step: int) -> float:
        """Learning rate of the weights at a step."""
        if step < self.warmup:
            return self.rate * (WARMUP_START + (1 - WARMUP_START) * step / self.warmup)
        if self.shape == 'step':
            return self.rate * STEP_FACTOR ** sum(point <= step for point in self.decay_at)
        share = (step - self.warmup) / (self.steps - self.warmup)
        if self.shape == 'poly':
            return self.rate * max(1 - share, 0.0) ** POLY_POWER
        return self.rate * 0.5 * (1 + math.cos(math.pi * share))

    def decays_at(self, step: int) -> bool:
        """Whether the rate falls to a tenth at this step."""
        return self.shape == 'step' and step in self.decay_at


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
    weights: list[nn.Parameter] = []
    biases: list[nn.Parameter] = []
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


@torch.no_grad()
def keep_rate_in_momentum(optimiser: torch.optim.Optimizer, *, old: float, new: float) -> None:
    """Make the next step of PyTorch's SGD that of Caffe, when the rate has changed.

    Caffe: ``V <- m V + rate (g + decay p); p <- p - V``. PyTorch: ``B <- m B + g + decay p;
    p <- p - rate B``. They are one when ``B = V / rate``, so a buffer is scaled by old over new.
    The published runs divide V by ten where the rate falls to a tenth; nothing is to be done
    there.

    Args:
        optimiser: SGD with momentum.
        old: Rate of the last step.
        new: Rate of the next one.
    """
    if old == new:
        return
    buffers = [
        state['momentum_buffer']
        for state in optimiser.state.values()
        if state.get('momentum_buffer') is not None
    ]
    if buffers:
        torch._foreach_mul_(buffers, old / new)


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
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's present values."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)
