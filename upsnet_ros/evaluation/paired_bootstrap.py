# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How sure a difference between two evaluations is: the paired bootstrap over frames.

The drive is drawn again and again, frame by frame with repetition. Both evaluations are figured
out on the same draws, so what makes a frame hard for both falls out of the difference. Frames that
follow each other resemble each other; drawn one by one they count as more evidence than they are.
Drawing blocks of them gives wider, more honest intervals.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapters 8 (other data structures)
and 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.evaluation.frame_table import FrameTable, WeightedFrames

# Weights held at a time, so that memory does not grow with the drive: 32 MB.
WEIGHTS_AT_A_TIME = 4_000_000

Figures = dict[str, np.ndarray]  # by key: [R] or [R, S] for R weightings of the frames


@dataclass(frozen=True)
class BootstrapOptions:
    """How to draw.

    Attributes:
        resamples: How often the drive is drawn.
        seed: Of the random numbers; the same seed gives the same intervals.
        confidence: Share of the draws inside an interval, above 0 and below 1.
        block_frames: Frames that are drawn together.
    """

    resamples: int = 1000
    seed: int = 0
    confidence: float = 0.95
    block_frames: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for name in ('resamples', 'block_frames'):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f'{name} is {getattr(self, name)}, expected a whole number from 1 up'
                )
        if self.seed < 0:
            raise ParameterError(f'seed is {self.seed}, expected a whole number from 0 up')
        if not 0.0 < self.confidence < 1.0:
            raise ParameterError(
                f'confidence is {self.confidence}, expected a number above 0 and below 1'
            )


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class PairedFigures:
    """Figures of two evaluations of the same frames, and their differences.

    Attributes:
        this, against: Figures of all frames, one weighting; see `WeightedFrames.figures`.
        difference: `this` less `against`.
        low, high: Ends of the intervals of `difference`; NaN where no draw has a difference.
    """

    this: Figures
    against: Figures
    difference: Figures
    low: Figures
    high: Figures


def compare_paired(
    this: FrameTable, against: FrameTable, *, num_stuff: int, options: BootstrapOptions
) -> PairedFigures:
    """Compare two evaluations of the same frames, in the same order; at least one."""
    once = np.ones((1, len(this)))
    ones = [WeightedFrames(table, once, num_stuff).figures() for table in (this, against)]
    drawn = [
        _difference(
            *(WeightedFrames(table, weights, num_stuff).figures() for table in (this, against))
        )
        for weights in draw_weights(len(this), options)
    ]
    changes = {key: np.concatenate([part[key] for part in drawn]) for key in drawn[0]}
    low, high = (
        {key: _percentile(values, tail) for key, values in changes.items()}
        for tail in (50.0 * (1.0 - options.confidence), 50.0 * (1.0 + options.confidence))
    )
    return PairedFigures(ones[0], ones[1], _difference(*ones), low, high)


def _difference(this: Figures, against: Figures) -> Figures:
    return {key: values - against[key] for key, values in this.items()}


def draw_weights(frames: int, options: BootstrapOptions) -> Iterator[np.ndarray]:
    """Draw the frames of every resample.

    Yields:
        float64 [r, frames], how often each frame was drawn; the r add up to the resamples.
    """
    random = np.random.default_rng(options.seed)
    blocks = -(-frames // options.block_frames)
    at_a_time = max(1, WEIGHTS_AT_A_TIME // frames)
    for first in range(0, options.resamples, at_a_time):
        count = min(at_a_time, options.resamples - first)
        drawn = random.integers(blocks, size=(count, blocks))
        drawn += np.arange(count)[:, None] * blocks  # a range of bins for each resample
        often = np.bincount(drawn.ravel(), minlength=count * blocks).reshape(count, blocks)
        weights = np.repeat(often, options.block_frames, axis=1)[:, :frames]
        yield weights.astype(np.float64)


def _percentile(values: np.ndarray, percent: float) -> np.ndarray:
    """Percentile over the draws that have a value: [R, ...] to [1, ...]; NaN where none has."""
    columns = values.reshape(len(values), -1)
    result = np.full(columns.shape[1], np.nan)
    some = ~np.isnan(columns).all(axis=0)
    if some.any():
        result[some] = np.nanpercentile(columns[:, some], percent, axis=0)
    return result.reshape(1, *values.shape[1:])
