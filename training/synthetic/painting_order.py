# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""In which order to paint things that stand in the street, so that near ones cover far ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Extent(NamedTuple):
    """Where a thing stands: from start to end along the road, and its middle beside it [m]."""

    start: float
    end: float
    x: float


def paint_far_to_near(extents: Sequence[Extent], camera_x: float) -> list[int]:
    """Orders things from far to near.

    Distance alone fails for long things: a car beside the rear of a tram may be nearer than the
    tram's middle and still be hidden by it. So a thing is behind another one if it lies wholly
    beyond it, or if they lie side by side and it is further away from the camera's path.

    Args:
        extents: of the things.
        camera_x: where the camera is beside the road [m].

    Returns:
        Indices into ``extents``, the farthest first.
    """
    if not extents:
        return []
    start, end, x = np.array(extents, float).T
    aside = x - camera_x
    beyond = start[:, None] >= end[None, :]
    beside = ~beyond & ~beyond.T & (aside[:, None] * aside[None, :] > 0)
    behind = beyond | (beside & (np.abs(aside)[:, None] > np.abs(aside)[None, :]))
    behind &= ~behind.T | (start[:, None] > start[None, :])  # points at one place: no order
    np.fill_diagonal(behind, False)
    middle = (start + end) / 2
    waiting = behind.sum(0)
    open_ = np.ones(len(extents), bool)
    order = []
    for _ in extents:
        free = np.flatnonzero(open_ & (waiting <= 0))
        choices = free if len(free) else np.flatnonzero(open_)
        chosen = int(choices[np.argmax(middle[choices])])
        order.append(chosen)
        open_[chosen] = False
        waiting -= behind[chosen]
    return order
