# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the segments of an annotation to the values of a label image."""

import logging
from pathlib import Path

import numpy as np

from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
)

LOGGER = logging.getLogger(__name__)


def label_values(
    class_ids: np.ndarray,
    single: np.ndarray,
    areas: np.ndarray,
    label_set: LabelSet,
    *,
    path: Path,
) -> np.ndarray:
    """Label image value of each segment.

    Objects count from 1 per class in the order given. A label image holds 255 objects of a class;
    of more, the largest 255 stay and the others become the crowd of their class, with a warning.

    Args:
        class_ids: uint8 ``[s]`` train ids, 255 for classes that are not trained.
        single: bool ``[s]`` whether the segment is one object of those that are told apart.
        areas: int64 ``[s]`` pixels.
        label_set: The classes.
        path: The file, for the warning.

    Returns:
        uint16 ``[s]``; untrained classes are void.
    """
    instances = np.zeros(len(class_ids), np.uint16)
    objects = single & (class_ids >= label_set.num_stuff) & (class_ids != VOID_CLASS)
    for class_id in np.unique(class_ids[objects]):
        members = np.flatnonzero(objects & (class_ids == class_id))
        if len(members) > MAX_INSTANCE:
            name = label_set.classes[class_id].name
            LOGGER.warning(
                "%s: %d objects of class '%s'; a label image holds %d, so the smallest %d become "
                'a crowd',
                path, len(members), name, MAX_INSTANCE, len(members) - MAX_INSTANCE,
            )  # fmt: skip
            largest = np.argsort(-areas[members], kind='stable')[:MAX_INSTANCE]
            members = members[np.sort(largest)]
        instances[members] = np.arange(1, len(members) + 1)
    values = class_ids.astype(np.uint16) << INSTANCE_BITS | instances
    return np.where(class_ids == VOID_CLASS, np.uint16(UNKNOWN_LABEL), values)
