# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makers of network outputs: random ones for comparisons, orderly ones for benchmarks."""

from __future__ import annotations

import cv2
import numpy as np

from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import LabelClass, LabelSet
from upsnet_ros.core.structures import NetworkOutput

MAX_INSTANCES = 100


def make_label_set(num_stuff: int, num_things: int) -> LabelSet:
    """Return a label set with plain names and distinct colours."""
    return LabelSet(
        name='test',
        classes=tuple(
            LabelClass(i, i, f'class {i}', i >= num_stuff, (37 * i % 256, 91 * i % 256, 40))
            for i in range(num_stuff + num_things)
        ),
    )


def make_output(
    semantic_logits: np.ndarray,
    boxes: list[tuple[float, float, float, float]] | np.ndarray = (),
    classes: list[int] | np.ndarray = (),
    scores: list[float] | np.ndarray | None = None,
    mask_logits: np.ndarray | float = 1.0,
    *,
    rows: int = MAX_INSTANCES,
) -> NetworkOutput:
    """Return an output whose rows behind the given ones hold NaN, as padding may.

    `mask_logits` is [n, 28, 28] or one number for all pixels of all masks.
    """
    count = len(boxes)
    padded = {
        'boxes': np.full((rows, 4), np.nan, dtype=np.float32),
        'scores': np.full(rows, np.nan, dtype=np.float32),
        'classes': np.full(rows, -1, dtype=np.int32),
        'mask_logits': np.full((rows, 28, 28), np.nan, dtype=np.float32),
    }
    if count:
        padded['boxes'][:count] = boxes
        padded['classes'][:count] = classes
        padded['scores'][:count] = np.linspace(0.99, 0.7, count) if scores is None else scores
        padded['mask_logits'][:count] = mask_logits
    return NetworkOutput(semantic_logits=semantic_logits.astype(np.float32), count=count, **padded)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int, int], cells: int) -> np.ndarray:
    """Return channels of noise, smooth over about `cells` pixels: float32 [C, h, w]."""
    channels, height, width = shape
    coarse_size = (max(height // cells, 2), max(width // cells, 2))
    coarse = rng.normal(size=(channels, *coarse_size)).astype(np.float32)
    return np.stack(
        [cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse]
    )


def random_boxes(
    rng: np.random.Generator, count: int, size: tuple[int, int], *, outside: float = 0.0
) -> np.ndarray:
    """Return float32 [count, 4] boxes of all sizes, reaching out by a share of the size."""
    height, width = size
    span = np.array([width, height])
    centre = rng.uniform(-outside, 1 + outside, size=(count, 2)) * span
    half = span * 10 ** rng.uniform(-2.5, -0.35, size=(count, 2)) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    if not outside:
        boxes = np.clip(boxes, 0, np.array([width - 1, height - 1] * 2))
    # A third of the corners lies on halves and whole numbers, where the roundings differ.
    snap = rng.random(boxes.shape) < 0.33
    return np.where(snap, np.round(boxes * 2) / 2, boxes).astype(np.float32)


def random_output(
    rng: np.random.Generator,
    label_set: LabelSet,
    geometry: InputGeometry,
    *,
    count: int,
    outside: float = 0.0,
    cells: int = 4,
    level: float = 0.5,
) -> NetworkOutput:
    """Return a random answer for one image.

    Args:
        rng: source of randomness.
        label_set: classes of the answer.
        geometry: geometry of the image.
        count: number of instances.
        outside: share of the input's size by which boxes may leave it.
        cells: size of the patches of one class, in logit pixels.
        level: mean of the logits; below zero an instance may win outside its box.
    """
    quarter = (geometry.input_height // 4, geometry.input_width // 4)
    semantic = level + 3 * smooth_noise(rng, (label_set.num_classes, *quarter), cells)
    masks = smooth_noise(rng, (max(count, 1), 28, 28), 6)[:count] * 4 + rng.normal(1.0)
    classes = rng.choice(label_set.thing_ids, size=count) if count else []
    scores = np.sort(rng.uniform(0.4, 1.0, size=count))[::-1] if count else None
    content = (geometry.content_height, geometry.content_width)
    boxes = random_boxes(rng, count, content, outside=outside) if count else []
    return make_output(semantic, boxes, classes, scores, masks if count else 1.0)


def street_output(
    rng: np.random.Generator, label_set: LabelSet, geometry: InputGeometry, *, count: int
) -> NetworkOutput:
    """Return an orderly answer: patches of stuff, and objects whose logits agree with their masks.

    Args:
        rng: source of randomness.
        label_set: classes of the answer.
        geometry: geometry of the image.
        count: number of instances; they lie on a grid and do not hide each other.
    """
    height, width = geometry.content_height, geometry.content_width
    quarter = (geometry.input_height // 4, geometry.input_width // 4)
    semantic = 1.0 + smooth_noise(rng, (label_set.num_classes, *quarter), quarter[0] // 5)
    semantic[label_set.num_stuff :] -= 3.0
    columns = max(int(np.ceil(np.sqrt(2 * count))), 1)
    rows = max(int(np.ceil(count / columns)), 1)
    cell = np.array([width / columns, height / rows])
    boxes, classes = [], []
    for index in range(count):
        corner = np.array([index % columns, index // columns]) * cell
        box = np.concatenate([corner + 0.1 * cell, corner + 0.8 * cell])
        class_id = int(rng.choice(label_set.thing_ids))
        left, top, right, bottom = (box / 4).astype(int)
        semantic[class_id, top : bottom + 1, left : right + 1] += 9.0
        boxes.append(box)
        classes.append(class_id)
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    ellipse = (6.0 * (1.0 - x**2 - y**2)).astype(np.float32)
    return make_output(semantic, boxes, classes, mask_logits=ellipse)
