# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions as the pixel-level and instance-level evaluations of Cityscapes read them.

Source: the file formats described in cityscapesScripts' evaluation. Its tools look for the files
of a frame below one folder, by the beginning of their names, so each of the two has a folder.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from training.data.errors import DataError
from training.data.image_files import FAST_PNG, write_png
from training.evaluation.frame_record import Detection, RunLengths
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

NAME = re.compile(r'[^_\s/]+_[^_\s/]+_[^_\s/]+')  # CITY_SEQUENCE_FRAME
ONE_BIT = (*FAST_PNG, cv2.IMWRITE_PNG_BILEVEL, 1)  # pixels are 0 or 1


class CityscapesSubmission:
    """Writes the files of frames. Threads may write frames at the same time.

    Args:
        folder: Receives ``semantic`` and ``instances``, the roots for the two tools.
        label_set: Classes; their data-set ids are the label ids of the files.
    """

    def __init__(self, folder: Path, label_set: LabelSet) -> None:
        self.semantic = folder / 'semantic'
        self.instances = folder / 'instances'
        self._label_set = label_set
        self._label_ids = np.zeros(256, np.uint8)  # 0 is 'unlabeled'
        self._label_ids[: label_set.num_classes] = [c.dataset_id for c in label_set.classes]

    def write_semantic(self, name: str, classes: np.ndarray) -> None:
        """Write ``semantic/NAME.png``, label ids of every pixel.

        Args:
            name: Of the frame, CITY_SEQUENCE_FRAME.
            classes: uint8 ``[H, W]``, train ids; 255, unknown, becomes label id 0.

        Raises:
            DataError: If the tools would not find a frame of this name.
            LabelError: If it holds ids of no class.
            OSError: If the file cannot be written.
        """
        _check_name(name)
        present = np.flatnonzero(np.bincount(classes.ravel(), minlength=256))
        foreign = present[(present >= self._label_set.num_classes) & (present != VOID_CLASS)]
        if classes.dtype != np.uint8 or classes.ndim != 2 or foreign.size:
            raise LabelError(
                f'{name}: class image of shape {classes.shape} and type {classes.dtype} with '
                f'{foreign[:5].tolist()}; expected uint8 [H, W] of train ids of '
                f"'{self._label_set.name}', 0 to {self._label_set.num_classes - 1}"
            )
        write_png(self.semantic / f'{name}.png', cv2.LUT(classes, self._label_ids))

    def write_instances(self, name: str, detections: Sequence[Detection]) -> None:
        """Write ``instances/NAME.txt`` and the masks it names, ``instances/masks/NAME_K.png``.

        Detections without a pixel are left out; without any detection the file is empty.

        Args:
            name: Of the frame, CITY_SEQUENCE_FRAME.
            detections: What was found in it.

        Raises:
            DataError: If the tools would not find a frame of this name.
            OSError: If a file cannot be written.
        """
        _check_name(name)
        lines = []
        for number, found in enumerate(detections):
            mask = _pixels(found.mask)
            if not mask.any():
                continue
            relative = f'masks/{name}_{number}.png'
            write_png(self.instances / relative, mask, ONE_BIT)
            label_id = self._label_set.classes[found.class_id].dataset_id
            lines.append(f'{relative} {label_id} {float(found.score)!r}\n')
        self.instances.mkdir(parents=True, exist_ok=True)
        # Last, so that every mask it names is there.
        (self.instances / f'{name}.txt').write_text(''.join(lines))


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise DataError(
            f'the frame name {name!r} is none that the tools of Cityscapes find; expected '
            'CITY_SEQUENCE_FRAME, such as ulm_000012_000019'
        )


def _pixels(mask: RunLengths) -> np.ndarray:
    """The mask as uint8 ``[H, W]`` of 0 and 1, row by row in memory."""
    columns = coco_mask.decode(mask).T  # decoded column by column
    return cv2.transpose(columns)
