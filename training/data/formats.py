# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of data sets, by the name that a recipe gives them."""

from pathlib import Path

from training.data.cityscapes import CityscapesReader
from training.data.coco_panoptic import CocoPanopticReader
from training.data.errors import DataError
from training.data.frames import FrameReader
from upsnet_ros.core.labels import LabelSet

READERS = {'cityscapes': CityscapesReader, 'coco_panoptic': CocoPanopticReader}


def open_data_set(root: Path, layout: str, label_set: LabelSet) -> FrameReader:
    """The reader of a data set.

    Args:
        root: Its folder.
        layout: ``cityscapes`` or ``coco_panoptic``.
        label_set: Classes to read it with.

    Raises:
        DataError: If there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f'{root} is no folder; give the folder of the data set ({layout} format)')
    return READERS[layout](root, label_set)
