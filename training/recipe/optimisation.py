# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the optimisation: how the weights are found."""

from dataclasses import dataclass
from typing import Literal

from training.recipe.errors import detail, require


@dataclass(frozen=True, kw_only=True)
class OptimisationRecipe:
    """How the weights are found. Iterations count steps of ``reference_batch_size`` images."""

    optimiser: Literal['sgd', 'adamw']  # 'sgd': published
    # 'caffe': the rate inside the buffer (published)
    momentum_form: Literal['caffe', 'pytorch'] = detail('optimiser', on='sgd', unused='pytorch')
    learning_rate: float  # at reference_batch_size images per step
    reference_batch_size: int  # images per step of the rate and the iterations; 16 published
    batch_size: int  # images per step over all devices; rate and iterations follow it
    accumulation_steps: int = 1  # parts of a step computed one after another, to save memory
    momentum: float  # of sgd
    weight_decay: float  # of weights; biases and normalisation have none
    bias_multiplier: float  # rate of biases and normalisation over that of weights; 2 published
    iterations: int
    warmup_iterations: int = 0  # steps, whatever the batch size (published)
    schedule: Literal['step', 'cosine', 'poly']  # 'step': published; 'poly': PSPNet
    # Iterations at which 'step' multiplies the rate by 0.1
    decay_at: tuple[int, ...] = detail('schedule', on='step', unused=())
    clip_gradient_norm: float = 0.0  # 0 = never, as published
    # 'float32': published; the others: autocast, 'float16' with scaled losses
    precision: Literal['float32', 'bfloat16', 'float16']
    gradient_checkpointing: bool = False  # compute the backbone twice to save memory
    average_decay: float = 0.0  # exponential moving average of the weights; 0 = none
    seed: int

    def __post_init__(self) -> None:
        require(
            self.optimiser == 'sgd' or self.momentum_form == 'pytorch',
            'optimisation.momentum_form',
            self.momentum_form,
            "'pytorch', because optimisation.optimiser is not 'sgd'",
        )
        for key in ('batch_size', 'reference_batch_size', 'iterations', 'accumulation_steps'):
            require(getattr(self, key) > 0, f'optimisation.{key}', getattr(self, key), 'above 0')
        for key in ('learning_rate', 'bias_multiplier'):
            require(getattr(self, key) > 0, f'optimisation.{key}', getattr(self, key), 'above 0')
        for key in ('weight_decay', 'clip_gradient_norm', 'warmup_iterations', 'seed'):
            value = getattr(self, key)
            require(value >= 0, f'optimisation.{key}', value, '0 or more')
        require(
            self.batch_size % self.accumulation_steps == 0,
            'optimisation.accumulation_steps',
            self.accumulation_steps,
            f'a divisor of optimisation.batch_size ({self.batch_size})',
        )
        for key in ('momentum', 'average_decay'):
            value = getattr(self, key)
            require(0 <= value < 1, f'optimisation.{key}', value, '0 <= x < 1')
        require(
            self.warmup_iterations < self.steps,
            'optimisation.warmup_iterations',
            self.warmup_iterations,
            f'less than the {self.steps} steps of the run',
        )
        self._check_decay()

    def _check_decay(self) -> None:
        points = self.decay_at
        if self.schedule != 'step':
            reason = f"an empty list, because optimisation.schedule is '{self.schedule}'"
            require(not points, 'optimisation.decay_at', points, reason)
        rising = all(a < b for a, b in zip(points, points[1:], strict=False))
        inside = all(0 < point < self.iterations for point in points)
        expected = 'rising iterations before optimisation.iterations'
        require(rising and inside, 'optimisation.decay_at', points, expected)

    def in_steps(self, iterations: int) -> int:
        """Steps of the run's own batch size that see the images of these iterations."""
        return max(round(iterations * self.reference_batch_size / self.batch_size), 1)

    @property
    def steps(self) -> int:
        """Length of the run in steps of ``batch_size`` images."""
        return self.in_steps(self.iterations)

    @property
    def rate(self) -> float:
        """Learning rate after warm-up, scaled linearly with the images per step."""
        return self.learning_rate * self.batch_size / self.reference_batch_size
