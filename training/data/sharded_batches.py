# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which images a process sees, in which order: shuffled epochs shared among processes."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from training.data.draws import epoch_order
from training.recipe.errors import require

Key = tuple[int, int, int]  # index in the set, step of the run, absolute position in the run


def images_at_once(batch_size: int, *, world: int, accumulation: int) -> int:
    """Samples that one process computes at once.

    Args:
        batch_size: Samples per step over all processes and parts.
        world: Number of processes.
        accumulation: Parts of a step that are computed one after another.

    Raises:
        RecipeError: If the processes and parts do not divide the samples of a step.
    """
    shares = world * accumulation
    require(
        batch_size % shares == 0,
        'optimisation.batch_size',
        batch_size,
        f'a multiple of {shares}: {world} processes times optimisation.accumulation_steps '
        f'({accumulation})',
    )
    return batch_size // shares


class ShardedBatches(Sampler):
    """This process's batches of all steps still to do, as many per step as are accumulated.

    The run is an endless sequence of shuffled epochs; step s takes the positions from
    ``s * batch_size`` on. A step's positions are split contiguously: part m of rank r takes the
    ``(m * world + r)``-th share. Every position belongs to exactly one process, whatever their
    number, and a run can start anywhere.

    Args:
        length: Number of samples in an epoch.
        batch_size: Samples per step over all processes and parts.
        seed: Seed of the epochs' orders.
        start: First step, to resume.
        count: Steps of the whole run.
        rank: Number of this process, from 0.
        world: Number of processes.
        accumulation: Parts of a step that are computed one after another.

    Raises:
        RecipeError: If the processes and parts do not divide the samples of a step.
    """

    def __init__(
        self,
        length: int,
        *,
        batch_size: int,
        seed: int,
        start: int,
        count: int,
        rank: int = 0,
        world: int = 1,
        accumulation: int = 1,
    ) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.start = start
        self.count = count
        self.rank = rank
        self.world = world
        self.accumulation = accumulation
        self.share = images_at_once(batch_size, world=world, accumulation=accumulation)

    def __len__(self) -> int:
        return max(self.count - self.start, 0) * self.accumulation

    def __iter__(self) -> Iterator[list[Key]]:
        order, order_epoch = np.empty(0, int), -1
        for step, first in self._parts():
            keys = []
            for position in range(first, first + self.share):
                epoch, offset = divmod(position, self.length)
                if epoch != order_epoch:
                    order, order_epoch = epoch_order(self.seed, epoch, self.length), epoch
                keys.append((int(order[offset]), step, position))
            yield keys

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Step and first position of each of this process's batches."""
        for step in range(self.start, self.count):
            for part in range(self.accumulation):
                place = part * self.world + self.rank
                yield step, step * self.batch_size + place * self.share
