# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes as downloaded: ``leftImg8bit`` and ``gtFine``, read from ``instanceIds``."""

from pathlib import Path

import numpy as np

from training.data.errors import DataError
from training.data.frames import Frame, read_image, read_png
from training.data.label_runs import LabelRuns
from training.data.label_values import label_values
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

INSTANCE_FACTOR = 1000  # instanceIds: label id * 1000 + instance for single objects
LARGEST_LABEL = 33  # label ids of Cityscapes itself, trained or not


class CityscapesReader:
    """A data set in Cityscapes layout, with the Cityscapes classes or own ones.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        label_set: Classes with their data-set ids, which are the files' label ids.
    """

    def __init__(self, root: Path, label_set: LabelSet) -> None:
        self.root = root
        self.label_set = label_set

    def frames(self, split: str) -> list[Frame]:
        """See :meth:`training.data.frames.FrameReader.frames`; sorted by name."""
        return _list_frames(self.root, split)

    def read_image(self, frame: Frame) -> np.ndarray:
        """See :meth:`training.data.frames.FrameReader.read_image`."""
        return read_image(frame.image)

    def read_label_image(self, frame: Frame) -> np.ndarray:
        """See :func:`read_label_image`."""
        return read_label_image(frame.instances, self.label_set)


def _list_frames(root: Path, split: str) -> list[Frame]:
    folder, truth = root / 'leftImg8bit' / split, root / 'gtFine' / split
    images = sorted(folder.glob('*/*_leftImg8bit.png'))
    if not images:
        raise DataError(
            f'no images: expected {folder}/CITY/*_leftImg8bit.png; make a data set with '
            '"python -m training.synthetic --output DIR" or give the Cityscapes folder'
        )
    names = [path.name.removesuffix('_leftImg8bit.png') for path in images]
    return [
        Frame(name, path, truth / path.parent.name / f'{name}_gtFine_instanceIds.png')
        for name, path in zip(names, images, strict=True)
    ]


def read_label_image(path: Path, label_set: LabelSet) -> np.ndarray:
    """Turn an ``instanceIds`` file into a label image.

    Group regions (a thing's label id without an instance) become the class with instance 0, the
    crowd of the panoptic metric; classes that are not trained become void.

    Args:
        path: 16-bit PNG.
        label_set: Classes with their data-set ids.

    Returns:
        uint16 ``[H, W]``: ``class << 8 | instance``, things from 1 per class, void 65535.

    Raises:
        ImageError: If the file cannot be decoded.
        DataError: If it holds values that are no label ids.
    """
    runs = LabelRuns.of(read_png(path))
    values = runs.values.astype(np.int64)
    single = values >= INSTANCE_FACTOR
    label_ids = np.where(single, values // INSTANCE_FACTOR, values)
    largest = LARGEST_LABEL if label_set.name == 'cityscapes' else VOID_CLASS - 1
    wrong = values[label_ids > largest].tolist()
    if wrong:
        raise DataError(
            f'{path}: values {wrong[:5]} are no label ids: expected 0 to {largest}, or 1000 times '
            'one plus an instance (the instanceIds file, not labelTrainIds or color)'
        )
    class_ids = label_set.class_of_dataset_id()[label_ids]
    return runs.painted(label_values(class_ids, single, runs.areas(), label_set, path=path))
