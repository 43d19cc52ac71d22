# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes frames in the layout and the encodings of the Cityscapes data set.

Source: the Cityscapes data set's documentation of its files (gtFine) and label ids.
"""

from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.labels import INSTANCE_BITS, class_image

from .classes import FIRST_THING, LABEL_SET
from .render import Frame

CITY = 'upstreet'
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_DATASET_IDS = np.zeros(256, np.uint8)  # by train id; 0 is unlabelled
_DATASET_IDS[: LABEL_SET.num_classes] = [entry.dataset_id for entry in LABEL_SET.classes]


def encode_label_ids(label: np.ndarray) -> np.ndarray:
    """Label image (uint16) to Cityscapes label ids, uint8 [H, W]."""
    return _DATASET_IDS[class_image(label)]


def encode_train_ids(label: np.ndarray) -> np.ndarray:
    """Label image (uint16) to train ids, uint8 [H, W]."""
    return class_image(label)


def encode_instance_ids(label: np.ndarray) -> np.ndarray:
    """Label image (uint16) to Cityscapes instance ids, uint16 [H, W].

    Stuff keeps its label id; things are label id * 1000 + number, where the numbers of a class
    count from 0 without gaps in this image.
    """
    table = np.zeros(1 << 16, np.uint16)
    counts: dict[int, int] = {}
    for value in np.unique(label).tolist():
        class_id = value >> INSTANCE_BITS
        dataset_id = int(_DATASET_IDS[class_id])
        if class_id < FIRST_THING:
            table[value] = dataset_id
            continue
        table[value] = dataset_id * 1000 + counts.get(class_id, 0)
        counts[class_id] = counts.get(class_id, 0) + 1
    return table[label]


def encode_colour(label: np.ndarray) -> np.ndarray:
    """Label image (uint16) to the class colours, uint8 [H, W, 4] in BGRA order for OpenCV."""
    colours = LABEL_SET.colour_table()[:, ::-1]
    opaque = np.full((len(colours), 1), 255, np.uint8)
    return np.hstack([colours, opaque])[class_image(label)]


def write_frame(output: Path, split: str, frame: Frame, *, sequence: int, number: int) -> None:
    """Writes a frame's five files.

    Args:
        output: root of the data set; leftImg8bit/ and gtFine/ are made below it.
        split: 'train' or 'val'.
        frame: what to write.
        sequence: first number in the file name, the world.
        number: second number in the file name, the moment.

    Raises:
        OSError: a file cannot be written.
    """
    stem = f'{CITY}_{sequence:06d}_{number:06d}'
    images = output / 'leftImg8bit' / split / CITY
    truths = output / 'gtFine' / split / CITY
    for folder in (images, truths):
        folder.mkdir(parents=True, exist_ok=True)
    _write(images / f'{stem}_leftImg8bit.png', frame.image)
    _write(truths / f'{stem}_gtFine_labelIds.png', encode_label_ids(frame.label))
    _write(truths / f'{stem}_gtFine_instanceIds.png', encode_instance_ids(frame.label))
    _write(truths / f'{stem}_gtFine_labelTrainIds.png', encode_train_ids(frame.label))
    _write(truths / f'{stem}_gtFine_color.png', encode_colour(frame.label))


def _write(path: Path, picture: np.ndarray) -> None:
    """Writes a PNG; bytes depend on the pixels alone."""
    done, data = cv2.imencode('.png', picture, _PNG)
    if not done:
        raise OSError(f'cannot encode {path.name}')
    path.write_bytes(data.tobytes())
