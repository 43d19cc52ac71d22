# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From winning channels to label values: class of each instance, numbering, small stuff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL
from upsnet_ros.core.window import row_bands

_LANES = 4


@dataclass(frozen=True, eq=False)
class LabelAssignment:
    """The label value of every channel.

    Attributes:
        table: uint16 [N + k + 1], label of stuff class i at i, of instance i at N + i, unknown at
            the end.
        instance_areas: int64 [k], image pixels of each instance; 0 for one that is nowhere, or
            that became stuff.
        unknown_area: image pixels without a class.
    """

    table: np.ndarray
    instance_areas: np.ndarray
    unknown_area: int


def assign_labels(
    winner: np.ndarray,
    best_class: np.ndarray | None,
    pixel_counts: np.ndarray,
    *,
    instance_classes: Sequence[int],
    num_stuff: int,
    num_classes: int,
    stuff_area_limit: int,
) -> LabelAssignment:
    """Decide the label of every channel.

    An instance becomes stuff if the most frequent semantic class of its pixels is a stuff class
    that covers at least half of them; it then is part of that stuff. After that, a stuff class
    with fewer pixels than the limit becomes unknown. All areas are counted in image pixels.

    Args:
        winner: uint16 [h, w] from `panoptic_argmax`.
        best_class: uint8 [h, w], the semantic head's own class of each pixel; None to keep every
            instance in its class, whatever the semantic head says.
        pixel_counts: float64 [h, w], image pixels per label pixel.
        instance_classes: train id of each of the k instances.
        num_stuff: number of stuff classes N.
        num_classes: number of classes S.
        stuff_area_limit: smallest area of a stuff class [image px].

    Source: UPSNet section 3.2, with the conventions of the published models.
    """
    classes = np.asarray(instance_classes, dtype=np.int64)
    histogram = _joint_histogram(
        winner, best_class, pixel_counts, (num_stuff + len(classes) + 1, num_classes)
    )
    channel_areas, votes = histogram.sum(axis=1), histogram[num_stuff:-1]  # [N + k + 1], [k, S]
    areas = channel_areas[num_stuff:-1]
    favourite = votes.argmax(axis=1)  # [k], the lowest of equals
    # 2 * votes >= area, so that an area of zero needs no division.
    is_stuff = (favourite < num_stuff) & (2 * votes.max(axis=1, initial=0) >= areas) & (areas > 0)
    is_stuff &= best_class is not None

    stuff_areas = channel_areas[:num_stuff].copy()
    np.add.at(stuff_areas, favourite[is_stuff], areas[is_stuff])
    too_small = stuff_areas < stuff_area_limit
    stuff_labels = np.arange(num_stuff) << INSTANCE_BITS
    stuff_labels[too_small] = UNKNOWN_LABEL

    table = np.full(num_stuff + len(classes) + 1, UNKNOWN_LABEL, dtype=np.uint16)
    table[:num_stuff] = stuff_labels
    thing_areas = np.where(is_stuff, 0, areas)
    table[num_stuff:-1] = _number_instances(classes, thing_areas)
    table[num_stuff:-1][is_stuff] = stuff_labels[favourite[is_stuff]]
    known = int(stuff_areas[~too_small].sum() + thing_areas.sum())
    return LabelAssignment(table, thing_areas, int(pixel_counts.sum()) - known)


def _joint_histogram(
    winner: np.ndarray,
    best_class: np.ndarray | None,
    pixel_counts: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Return the image pixels of each pair of channel and semantic class: int64 [channels, S].

    Without semantic classes, all pixels count for class 0.
    """
    # Neighbours mostly share a pair, and adding to one bin again and again waits for the last
    # addition each time; neighbouring columns get bins of their own.
    lane = np.arange(winner.shape[1], dtype=np.int64) % _LANES
    counts = np.zeros(size[0] * size[1] * _LANES)
    for rows in row_bands(winner.shape):
        bins = winner[rows].astype(np.int64)
        bins *= size[1]
        if best_class is not None:
            bins += best_class[rows]
        bins *= _LANES
        bins += lane
        weights = pixel_counts[rows].ravel()
        counts += np.bincount(bins.ravel(), weights=weights, minlength=len(counts))
    return counts.reshape(*size, _LANES).sum(axis=2).astype(np.int64)


def _number_instances(classes: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return label values that count the instances with pixels from 1 per class: int64 [k]."""
    labels = np.full(len(classes), UNKNOWN_LABEL, dtype=np.int64)
    for class_id in np.unique(classes):
        present = np.flatnonzero((classes == class_id) & (areas > 0))
        labels[present] = (class_id << INSTANCE_BITS) + np.arange(1, len(present) + 1)
    return labels
