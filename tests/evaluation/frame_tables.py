# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frame tables from label images, and random ones, for the tests of comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upsnet_ros.core.labels import LabelClass, LabelSet
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.figures import BY_KEY
from upsnet_ros.evaluation.paired_bootstrap import FrameTable

UNKNOWN, LATENCY = BY_KEY['unknown_share'].frame, BY_KEY['latency_mean_ms'].frame
ROAD, SKY, CAR = 0, 1, 2
SMALL_SET = LabelSet(
    name='small',
    classes=(
        LabelClass(ROAD, 7, 'road', False, (128, 64, 128)),
        LabelClass(SKY, 23, 'sky', False, (70, 130, 180)),
        LabelClass(CAR, 26, 'car', True, (0, 0, 142)),
    ),
)


def random_labels(random: np.random.Generator, *, size: int = 12) -> np.ndarray:
    """A label image of road and sky with two cars in it, here and there unknown."""
    labels = np.full((size, size), ROAD << 8, np.uint16)
    labels[: random.integers(2, size - 2)] = SKY << 8
    for instance in (1, 2):
        top, left = random.integers(0, size - 4, 2)
        labels[top : top + 4, left : left + 4] = CAR << 8 | instance
    labels[random.random(labels.shape) < 0.02] = 65535
    return labels


def overlap_of(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pixels of each class in both, and in either of the two where the truth is not void."""
    judged = truth != 65535
    pairs = [((labels >> 8) == c, (truth >> 8) == c) for c in range(SMALL_SET.num_classes)]
    return np.array(
        [
            [np.count_nonzero(judged & a & b) for a, b in pairs],
            [np.count_nonzero(judged & (a | b)) for a, b in pairs],
        ],
        dtype=np.float64,
    )


def table_of(
    labels: Sequence[np.ndarray],
    truths: Sequence[np.ndarray | None],
    latencies_ms: Sequence[float],
) -> FrameTable:
    """The table of label images as they come from the pipeline."""
    states, overlaps, own = [], [], []
    for image, truth in zip(labels, truths, strict=True):
        quality = PanopticQuality(SMALL_SET)
        overlap = np.zeros((2, SMALL_SET.num_classes))
        if truth is not None:
            quality.update(image, truth)
            overlap = overlap_of(image, truth)
        states.append(quality.state())
        overlaps.append(overlap)
        own.append(np.nan if truth is None else quality.summary().all.pq)
    return FrameTable(
        names=tuple(('front', index) for index in range(len(labels))),
        quality=np.array(states),
        overlap=np.array(overlaps),
        pq=np.array(own),
        values={
            UNKNOWN: np.array([np.mean(image == 65535) for image in labels]),
            LATENCY: np.array(latencies_ms, dtype=np.float64),
        },
    )


def random_table(seed: int, *, frames: int, truth_every: int = 1) -> FrameTable:
    """A table of random labels; the truth of a frame does not depend on the seed."""
    random = np.random.default_rng(seed)
    truths = [
        random_labels(np.random.default_rng(1000 + i)) if i % truth_every == 0 else None
        for i in range(frames)
    ]
    labels = [random_labels(random) for _ in range(frames)]
    return table_of(labels, truths, random.uniform(20, 90, frames).tolist())
