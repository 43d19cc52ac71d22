# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real frames with class images: where they lie, and which classes stand for which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from upsnet_ros.core.errors import LabelError, UpsnetError
from upsnet_ros.core.labels import INSTANCE_BITS, VOID_CLASS, LabelClass, LabelSet

CHOOSE, REST, ALL = SHARES = ('choose', 'rest', 'all')
IMAGE_ENDINGS = ('.jpg', '.png')


class RealFramesError(UpsnetError):
    """The frames, their labels or the mapping file cannot be used."""


@dataclass(frozen=True)
class RealFrame:
    """A frame of a data set: its name and its two files."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class Mapping:
    """How the classes of a data set and of a model belong together.

    Attributes:
        label_set: the data set's classes; its train ids count from 0 as they stand in the file.
        model_classes: names of the model's classes that stand for each.
        void: value in the data set's label images that does not count.
        recording: pattern of the part of a frame's name that tells its recording.
        choose_with: the recordings that models are chosen with.
    """

    label_set: LabelSet
    model_classes: tuple[tuple[str, ...], ...]
    void: int
    recording: re.Pattern[str]
    choose_with: frozenset[str]

    @classmethod
    def load(cls, path: Path) -> Mapping:
        """Read a mapping file.

        Raises:
            RealFramesError: a key is missing or a value cannot be used.
        """
        try:
            values: dict[str, Any] = yaml.safe_load(path.read_text())
            rows = values['classes']
            classes = tuple(
                LabelClass(number, row['id'], row['name'], False, tuple(row['colour']))
                for number, row in enumerate(rows)
            )
            return cls(
                LabelSet(values['name'], classes),
                tuple(tuple(row['model']) for row in rows),
                int(values['void']),
                re.compile(values['recording']),
                frozenset(values['choose_with']),
            )
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, re.error) as error:
            reason = f'{type(error).__name__}: {error}'
        except LabelError as error:
            reason = str(error)
        raise RealFramesError(
            f'mapping file {path}: {reason}; expected name, void, recording, choose_with and '
            'classes with id, name, colour and model, as in benchmarks/model_parts/camvid.yaml'
        )

    def frames(self, folder: Path, share: str) -> list[RealFrame]:
        """The frames of a share (`SHARES`) of a data set, by name.

        Raises:
            RealFramesError: there are none, or one lacks its labels.
        """
        found = []
        for image in sorted((folder / 'images').glob('*')):
            recording = self.recording.search(image.stem)
            own = CHOOSE if recording and recording[0] in self.choose_with else REST
            if image.suffix not in IMAGE_ENDINGS or share not in (own, ALL):
                continue
            found.append(RealFrame(image.stem, image, folder / 'labels' / f'{image.stem}.png'))
        lost = [frame.labels for frame in found if not frame.labels.is_file()]
        if lost or not found:
            raise RealFramesError(
                f'{folder}: {f"{lost[0]} is missing" if lost else "no frames"} of the share '
                f"'{share}', expected images/NAME.jpg or .png and labels/NAME.png"
            )
        return found

    def model_table(self, label_set: LabelSet) -> np.ndarray:
        """The data set's class by the model's class: uint8 [256], 255 for unknown.

        A class of the model that no class of the data set names is unknown as well.

        Raises:
            RealFramesError: the file names a class that the model does not have.
        """
        ids = {entry.name: entry.train_id for entry in label_set.classes}
        table = np.full(256, VOID_CLASS, np.uint8)
        for number, names in enumerate(self.model_classes):
            for name in names:
                if name not in ids:
                    raise RealFramesError(
                        f"the mapping names the class '{name}', which the model does not have; "
                        f'expected some of {", ".join(ids)}'
                    )
                table[ids[name]] = number
        return table

    def read(self, frame: RealFrame) -> tuple[np.ndarray, np.ndarray]:
        """A frame's image, BGR uint8 [H, W, 3], and true train ids, uint8 [H, W], 255 = void.

        Raises:
            RealFramesError: a file cannot be read, the sizes differ, or a value is no class.
        """
        image = cv2.imread(str(frame.image), cv2.IMREAD_COLOR)
        labels = cv2.imread(str(frame.labels), cv2.IMREAD_UNCHANGED)
        if image is None or labels is None or labels.shape != image.shape[:2]:
            shapes = [None if array is None else array.shape for array in (image, labels)]
            raise RealFramesError(
                f'frame {frame.name}: image and labels have shapes {shapes}, expected a picture '
                'and a grey PNG of the same size'
            )
        table = self.label_set.class_of_dataset_id()
        truth = table[labels]
        foreign = np.setdiff1d(labels[truth == VOID_CLASS], [self.void])
        if foreign.size:
            raise RealFramesError(
                f'{frame.labels} holds {foreign[:5].tolist()}, expected the ids of the mapping '
                f'file or {self.void}'
            )
        return image, truth


def as_label_image(classes: np.ndarray) -> np.ndarray:
    """Class ids as a label image without instances: uint8 [H, W] to uint16; 255 is unknown."""
    wide = classes.astype(np.uint16)
    return wide << INSTANCE_BITS | np.where(wide == VOID_CLASS, VOID_CLASS, 0).astype(np.uint16)
