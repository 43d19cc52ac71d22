# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All random choices about the data of a run, each from its own stream of the run's seed.

A choice depends on the run's seed and on its place in the run, and on nothing else: not on the
number of processes, nor on where a run was interrupted.
"""

from enum import IntEnum

import numpy as np


class _Stream(IntEnum):
    ORDER = 0
    SIZE = 1
    SAMPLE = 2
    VARIATION = 3


def epoch_order(seed: int, epoch: int, length: int) -> np.ndarray:
    """Order in which an epoch visits its samples: int64 ``[length]``."""
    return _generator(seed, _Stream.ORDER, epoch).permutation(length)


def short_side(seed: int, step: int, sides: tuple[int, ...], *, choice: str) -> int:
    """Short side in pixels of all images of a step.

    Args:
        seed: Of the run.
        step: Number of the step.
        sides: The sizes, or the shortest and the longest.
        choice: ``listed`` takes one of the sizes, ``range`` any whole number between.
    """
    generator = _generator(seed, _Stream.SIZE, step)
    if choice == 'range':
        return int(generator.integers(min(sides), max(sides), endpoint=True))
    return int(generator.choice(sides))


def sample_seed(seed: int, position: int) -> int:
    """Seed of all choices about the sample at a position of the run: 0 to 2^63 - 1."""
    sequence = np.random.SeedSequence((seed, _Stream.SAMPLE, position))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def variation_generator(sample: int) -> np.random.Generator:
    """Decides the augmentation of the sample with this :func:`sample_seed`."""
    return np.random.default_rng((sample, _Stream.VARIATION))


def _generator(seed: int, stream: _Stream, index: int) -> np.random.Generator:
    return np.random.default_rng((seed, stream, index))
