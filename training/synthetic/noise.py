# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tileable value noise, the source of every texture."""

from functools import cache

import cv2
import numpy as np

TILE = 512


def value_noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise that repeats without a seam.

    Args:
        rng: source of randomness.
        size: side of the result [px], a multiple of ``cells``.
        cells: random grid points along one side.

    Returns:
        float32 [size, size], about uniform in 0..1.
    """
    grid = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode='wrap')
    step = size // cells
    large = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    return large[2 * step : 2 * step + size, 2 * step : 2 * step + size]


def fractal_noise(
    rng: np.random.Generator, size: int, cells: tuple[int, ...], weights: tuple[float, ...]
) -> np.ndarray:
    """Weighted sum of value noise, mean 0 and standard deviation 1; float32 [size, size]."""
    total = np.zeros((size, size), np.float32)
    for count, weight in zip(cells, weights, strict=True):
        total += weight * (value_noise(rng, size, count) - 0.5)
    return (total - total.mean()) / total.std()


@cache
def noise_tile(kind: str) -> np.ndarray:
    """One of the shared tiles, made once per process from a fixed seed.

    Args:
        kind: 'fine' (grain), 'blotch' (metre-sized patches), 'cloud', 'leaf' or 'pink' (1/f).

    Returns:
        float32 [512, 512], mean 0, standard deviation 1, tileable, not writable.
    """
    recipes = {
        'fine': ((512, 256, 128), (1.0, 0.6, 0.3)),
        'blotch': ((4, 8, 16, 32, 128), (1.0, 0.8, 0.6, 0.4, 0.25)),
        'cloud': ((2, 4, 8, 16, 32, 64), (1.0, 0.7, 0.5, 0.35, 0.2, 0.1)),
        # Equal parts of every octave: the 1/f spectrum of most real surfaces.
        'pink': ((2, 4, 8, 16, 32, 64, 128, 256, 512), (1.0,) * 9),
        'leaf': ((32, 64, 128, 256), (0.8, 1.0, 0.9, 0.7)),
    }
    rng = np.random.default_rng([77, len(kind)])
    tile = fractal_noise(rng, TILE, *recipes[kind])
    tile.setflags(write=False)
    return tile


@cache
def wide_noise(kind: str) -> np.ndarray:
    """A shared tile repeated until it is large enough to cut any patch; float32 [2048, 4608]."""
    return np.tile(noise_tile(kind), (4, 9))


def noise_patch(rng: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    """A random window of a shared tile; float32 [height, width], at most 1536 x 4096."""
    row, column = rng.integers(TILE, size=2)
    return wide_noise(kind)[row : row + height, column : column + width]
