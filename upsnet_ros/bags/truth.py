# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of a replay as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from upsnet_ros.core.errors import ImageError, LabelError
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
)
from upsnet_ros.images.messages import label_image

PANOPTIC, INSTANCE_IDS = 'panoptic', 'instance_ids'
TRUTH_FORMATS = (PANOPTIC, INSTANCE_IDS)
# Cityscapes: a pixel of an object is its class times this plus the number of the object.
IDS_PER_CLASS = 1000


def truth_labels(message: Any, *, truth_format: str, label_set: LabelSet) -> np.ndarray:
    """The ground truth of a message as a label image: uint16 [H, W].

    Args:
        message: 16-bit image, raw or as PNG.
        truth_format: one of `TRUTH_FORMATS`: label images, or `instanceIds` of Cityscapes.
        label_set: the classes.

    Raises:
        ImageError: the message is no image of 16 bits.
        LabelError: a class has more objects than a label image can tell apart.
    """
    try:
        values = label_image(message)
    except ImageError as error:
        raise ImageError(f'ground truth: {error}') from error
    return values if truth_format == PANOPTIC else labels_of_instance_ids(values, label_set)


def labels_of_instance_ids(ids: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """`instanceIds` of Cityscapes as a label image.

    Ids below 1000 are classes: stuff, or a crowd of things. Others are objects of class id / 1000.
    Objects are numbered anew from 1 in each class, in the order of their ids; classes that the
    label set does not have become void.

    Args:
        ids: uint16 [H, W].
        label_set: with the dataset ids of Cityscapes.

    Raises:
        LabelError: a class has more than 255 objects.
    """
    train_id = label_set.class_of_dataset_id()
    table = np.full(1 << 16, UNKNOWN_LABEL, np.uint16)
    numbers: dict[int, int] = {}
    present = np.zeros(1 << 16, bool)
    present[ids] = True
    for value in np.flatnonzero(present).tolist():
        dataset_id = value // IDS_PER_CLASS if value >= IDS_PER_CLASS else value
        class_id = int(train_id[dataset_id]) if dataset_id < len(train_id) else VOID_CLASS
        if class_id == VOID_CLASS:
            continue
        number = 0
        if value >= IDS_PER_CLASS and class_id >= label_set.num_stuff:
            number = numbers[class_id] = numbers.get(class_id, 0) + 1
        if number > MAX_INSTANCE:
            raise LabelError(
                f'ground truth has more than {MAX_INSTANCE} objects of '
                f"'{label_set.classes[class_id].name}', which a label image cannot tell apart"
            )
        table[value] = class_id << INSTANCE_BITS | number
    return table[ids]
