# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes as downloaded: ``leftImg8bit`` and ``gtFine``, read from ``instanceIds``."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError, UpsnetError
from upsnet_ros.core.labels import LabelSet, encode_label

INSTANCE_FACTOR = 1000  # instanceIds: label id * 1000 + instance for single objects
MAX_INSTANCES = 255  # per class in a label image


class DataError(UpsnetError):
    """A data set folder or file that cannot be used."""


@dataclass(frozen=True)
class Frame:
    """Files of one image.

    Attributes:
        name: ``city_sequence_frame``.
        image: PNG of the camera image.
        instances: 16-bit PNG of instance ids.
    """

    name: str
    image: Path
    instances: Path


def find_frames(root: Path, split: str) -> list[Frame]:
    """List the frames of one split, sorted by name.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        split: ``train``, ``val`` or ``test``.

    Raises:
        DataError: If the folder is not there, is empty, or an image has no truth.
    """
    folder = root / 'leftImg8bit' / split
    images = sorted(folder.glob('*/*_leftImg8bit.png'))
    if not images:
        raise DataError(
            f'no images: expected {folder}/CITY/*_leftImg8bit.png; make a data set with '
            '"python -m training.synthetic --output DIR" or give the Cityscapes folder'
        )
    frames = []
    for path in images:
        name = path.name.removesuffix('_leftImg8bit.png')
        truth = root / 'gtFine' / split / path.parent.name / f'{name}_gtFine_instanceIds.png'
        if not truth.is_file():
            raise DataError(f'{path} has no truth: expected {truth}')
        frames.append(Frame(name, path, truth))
    return frames


def read_image(path: Path) -> np.ndarray:
    """Read a colour image as uint8 ``[H, W, 3]`` BGR.

    Raises:
        ImageError: If the file cannot be decoded.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f'{path}: not a readable image; replace or remove the file')
    return image


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
        DataError: If a class has more than 255 instances.
    """
    ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if ids is None or ids.ndim != 2:
        raise ImageError(f'{path}: not a readable single-channel PNG; replace or remove the file')
    lookup = label_set.class_of_dataset_id()
    present = np.unique(ids)
    table = np.full(int(present[-1]) + 1, np.uint16(65535))
    counts: dict[int, int] = {}
    for value in present.tolist():
        single = value >= INSTANCE_FACTOR
        dataset_id = value // INSTANCE_FACTOR if single else value
        class_id = int(lookup[dataset_id]) if dataset_id < 256 else 255
        if class_id >= label_set.num_classes:
            continue
        instance = 0
        if single and class_id >= label_set.num_stuff:
            instance = counts[class_id] = counts.get(class_id, 0) + 1
            if instance > MAX_INSTANCES:
                raise DataError(f'{path}: more than {MAX_INSTANCES} instances of one class')
        table[value] = encode_label(class_id, instance)
    return table[ids]
