# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drives: which worlds exist, and frames out of them.

Every world has a seed. Training frames come from even seeds, everything else (validation frames
and drives) from odd ones, so no frame that is measured was ever trained on, whatever seeds are
chosen.
"""

from collections.abc import Iterator

from upsnet_ros.core.errors import ParameterError

from .render import Frame, render_frame
from .world import make_world

SPLITS = ('train', 'val')
VISIT = 5.0  # length of the drive that data-set frames are taken from [s]
VISIT_TIMES = (0.0, 4.5)  # moments of a visit at which a frame is taken [s]
_WORLDS_PER_SEED = 1_000_000
_FIRST_DRIVE = 900_000


def split_world_seed(seed: int, split: str, index: int) -> int:
    """Seed of a data set's world: even for train, odd for val, distinct for every index.

    Raises:
        ParameterError: an unknown split, or a seed or index out of range.
    """
    if split not in SPLITS:
        raise ParameterError(f"split is '{split}', expected one of {', '.join(SPLITS)}")
    if not 0 <= index < _FIRST_DRIVE:
        raise ParameterError(
            f'index of a world is {index}, expected 0 to {_FIRST_DRIVE - 1}; '
            'use another seed for more worlds'
        )
    return 2 * (_checked_seed(seed) * _WORLDS_PER_SEED + index) + SPLITS.index(split)


def drive_world_seed(seed: int) -> int:
    """Seed of a drive's world: odd, and never one of a data set's.

    Raises:
        ParameterError: the seed is negative.
    """
    return 2 * (_checked_seed(seed) * _WORLDS_PER_SEED + _FIRST_DRIVE) + 1


def _checked_seed(seed: int) -> int:
    """The seed, unless it is negative."""
    if seed < 0:
        raise ParameterError(f'seed is {seed}, expected an integer of at least 0')
    return seed


def visit_world(
    seed: int, split: str, index: int, *, size: tuple[int, int], count: int, varied: bool = False
) -> list[Frame]:
    """The data-set frames of one world: ``count`` (1 or 2) moments far apart."""
    world = make_world(split_world_seed(seed, split, index), duration=VISIT, varied=varied)
    return [render_frame(world, time, size=size) for time in VISIT_TIMES[:count]]


def render_drive(seed: int, *, size: tuple[int, int], frames: int, rate: float) -> Iterator[Frame]:
    """One smooth sequence.

    Args:
        seed: of the drive.
        size: (width, height) [px].
        frames: how many.
        rate: frames per second [Hz].

    Returns:
        Frames at times 0, 1/rate, 2/rate, ..., each rendered when it is asked for; an object keeps
        its instance number.

    Raises:
        ParameterError: an argument is out of range.
    """
    if frames < 1 or not rate > 0:
        raise ParameterError(
            f'a drive of {frames} frames at {rate} Hz, expected at least one '
            'frame and a rate above 0'
        )
    world = make_world(drive_world_seed(seed), duration=frames / rate)
    return (render_frame(world, index / rate, size=size) for index in range(frames))
