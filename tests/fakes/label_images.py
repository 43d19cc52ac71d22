# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makers of label images with blocks of segments."""

from __future__ import annotations

import cv2
import numpy as np

from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet


def random_label_image(
    rng: np.random.Generator,
    label_set: LabelSet,
    size: tuple[int, int],
    *,
    cells: int = 6,
    unknown: float = 0.1,
    crowd: float = 0.1,
) -> np.ndarray:
    """Return uint16 [H, W] of rectangular segments.

    Args:
        rng: source of randomness.
        label_set: classes to draw from.
        size: (height, width) [px].
        cells: segments along each axis.
        unknown: share of cells that are unknown.
        crowd: share of thing cells that have instance 0.
    """
    grid = rng.integers(0, label_set.num_classes, size=(cells, cells))
    instance = rng.integers(1, 5, size=grid.shape)
    instance[rng.random(grid.shape) < crowd] = 0
    instance[grid < label_set.num_stuff] = 0
    labels = (grid * 256 + instance).astype(np.uint16)
    labels[rng.random(grid.shape) < unknown] = UNKNOWN_LABEL
    return cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)


def disturbed(
    rng: np.random.Generator,
    labels: np.ndarray,
    label_set: LabelSet,
    *,
    noise: float,
    shift: int,
) -> np.ndarray:
    """Return a prediction for a true label image: moved by pixels, a share of it wrong."""
    moved = np.roll(labels, (shift, -shift), axis=(0, 1))
    other = random_label_image(rng, label_set, labels.shape, cells=9)
    return np.where(rng.random(labels.shape) < noise, other, moved).astype(np.uint16)
