# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The objects of a label image, as average precision looks for them."""

import numpy as np

from training.data.label_runs import LabelRuns
from training.evaluation.found_object import TrueObject
from training.evaluation.mask_runs import mask_runs
from upsnet_ros.core.labels import INSTANCE_BITS, MAX_INSTANCE, VOID_CLASS
from upsnet_ros.core.window import Window


def true_objects(truth: np.ndarray, *, num_stuff: int) -> tuple[TrueObject, ...]:
    """All objects and crowds, by ascending label value, down to those of a single pixel.

    Args:
        truth: uint16 ``[H, W]`` label image.
        num_stuff: Number of stuff classes.
    """
    runs = LabelRuns.of(truth)
    classes = runs.values >> INSTANCE_BITS
    things = (classes >= num_stuff) & (classes != VOID_CLASS)
    found = []
    for value, box in zip(
        runs.values[things].tolist(), runs.boxes()[things].tolist(), strict=True
    ):
        x1, y1, x2, y2 = box
        window = Window(y1, x1, y2 + 1, x2 + 1)
        mask = mask_runs(window, truth[window.slices] == value, truth.shape)
        is_crowd = not value & MAX_INSTANCE
        found.append(TrueObject(value >> INSTANCE_BITS, is_crowd, (x1, y1, x2, y2), mask))
    return tuple(found)
