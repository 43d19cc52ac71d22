# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Label sets, and the encoding of a label image.

A label image is uint16 [H, W] with value `class_id << 8 | instance`. Stuff has instance 0, things
count from 1 per class, unknown or void is 65535. In ground truth a thing class with instance 0 is
a crowd: a region of several objects that are not told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from upsnet_ros.core.errors import LabelError

VOID_CLASS = 255
UNKNOWN_LABEL = 65535
INSTANCE_BITS = 8
MAX_INSTANCE = (1 << INSTANCE_BITS) - 1


@dataclass(frozen=True)
class LabelClass:
    """One class of a label set.

    Attributes:
        train_id: channel of the semantic logits and class id in label images, 0 to 254.
        dataset_id: the data set's own id in its annotation files, 0 to 254.
        name: human-readable name, unique in its set.
        is_thing: True for countable objects, False for stuff.
        colour: RGB, 0 to 255 each.
    """

    train_id: int
    dataset_id: int
    name: str
    is_thing: bool
    colour: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Refuse ids, names and colours that no label image could carry."""
        for field in ('train_id', 'dataset_id'):
            value = getattr(self, field)
            if type(value) is not int or not 0 <= value < VOID_CLASS:
                raise LabelError(
                    f"class '{self.name}': {field} is {value!r}, expected an integer from 0 to "
                    f'{VOID_CLASS - 1} ({VOID_CLASS} means void)'
                )
        if not isinstance(self.name, str) or not self.name:
            raise LabelError(f'class {self.train_id}: name is {self.name!r}, expected a text')
        if type(self.is_thing) is not bool:
            raise LabelError(
                f"class '{self.name}': is_thing is {self.is_thing!r}, expected True or False"
            )
        if not _is_colour(self.colour):
            raise LabelError(
                f"class '{self.name}': colour is {self.colour!r}, expected a tuple of three "
                'integers from 0 to 255 (red, green, blue)'
            )


def _is_colour(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in value)
    )


@dataclass(frozen=True)
class LabelSet:
    """The classes a model tells apart, stuff first, in the order of its semantic channels.

    Attributes:
        name: short name, for example `cityscapes`.
        classes: one entry per train id, ascending from 0, all stuff before all things.
    """

    name: str
    classes: tuple[LabelClass, ...]

    def __post_init__(self) -> None:
        """Refuse gaps in the train ids, things before stuff, and repeated names or ids."""
        if not self.classes:
            raise LabelError(f"label set '{self.name}': no classes, expected at least one")
        train_ids = [entry.train_id for entry in self.classes]
        if train_ids != list(range(len(train_ids))):
            raise LabelError(
                f"label set '{self.name}': train ids are {train_ids}, expected "
                f'0 to {len(train_ids) - 1} in this order'
            )
        kinds = [entry.is_thing for entry in self.classes]
        if kinds != sorted(kinds):
            raise LabelError(
                f"label set '{self.name}': a stuff class follows a thing class, expected all "
                'stuff classes first; reorder the train ids'
            )
        self._refuse_repeats('name')
        self._refuse_repeats('dataset_id')

    def _refuse_repeats(self, field: str) -> None:
        """Raise LabelError if two classes share the value of a field."""
        values = [getattr(entry, field) for entry in self.classes]
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise LabelError(
                f"label set '{self.name}': {field} {repeated} is used by more than one class, "
                'expected each to be unique'
            )

    @property
    def num_classes(self) -> int:
        """Number of classes S, stuff and things together."""
        return len(self.classes)

    @property
    def num_stuff(self) -> int:
        """Number of stuff classes N; they have train ids 0 to N - 1."""
        return sum(not entry.is_thing for entry in self.classes)

    @property
    def num_things(self) -> int:
        """Number of thing classes T; they have train ids N to N + T - 1."""
        return self.num_classes - self.num_stuff

    @property
    def thing_ids(self) -> tuple[int, ...]:
        """Train ids of the thing classes, ascending."""
        return tuple(range(self.num_stuff, self.num_classes))

    def colour_table(self) -> np.ndarray:
        """Return the colours by class id: uint8 [256, 3] RGB, black where there is no class."""
        table = np.zeros((256, 3), dtype=np.uint8)
        for entry in self.classes:
            table[entry.train_id] = entry.colour
        return table

    def class_of_dataset_id(self) -> np.ndarray:
        """Return the train id by data set id: uint8 [256], 255 where no class has that id."""
        table = np.full(256, VOID_CLASS, dtype=np.uint8)
        for entry in self.classes:
            table[entry.dataset_id] = entry.train_id
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return the set as plain JSON values; `from_dict` undoes it."""
        return {
            'name': self.name,
            'classes': [
                {
                    'train_id': entry.train_id,
                    'dataset_id': entry.dataset_id,
                    'name': entry.name,
                    'is_thing': entry.is_thing,
                    'colour': list(entry.colour),
                }
                for entry in self.classes
            ],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LabelSet:
        """Return the set written by `to_dict`.

        Raises:
            LabelError: a key is missing or unknown, or a value breaks the rules above.
        """
        try:
            classes = tuple(
                LabelClass(**{**entry, 'colour': tuple(entry['colour'])})
                for entry in values['classes']
            )
            return cls(name=values['name'], classes=classes)
        except (KeyError, TypeError) as error:
            raise LabelError(
                f'label set is malformed ({type(error).__name__}: {error}), expected a name and a '
                'list of classes, each with train_id, dataset_id, name, is_thing and colour'
            ) from error


def encode_label(class_id: int, instance: int) -> int:
    """Return the label image value of a class and an instance number.

    Args:
        class_id: train id, 0 to 254.
        instance: 0 for stuff (or a crowd), otherwise 1 to 255.

    Raises:
        LabelError: either number does not fit its eight bits.
    """
    if not 0 <= class_id < VOID_CLASS or not 0 <= instance <= MAX_INSTANCE:
        raise LabelError(
            f'class {class_id} and instance {instance} cannot be encoded, expected a class from 0 '
            f'to {VOID_CLASS - 1} and an instance from 0 to {MAX_INSTANCE}'
        )
    return class_id << INSTANCE_BITS | instance


def class_image(label_image: np.ndarray) -> np.ndarray:
    """Return the class ids of a label image: uint16 [H, W] to uint8 [H, W], 255 for unknown."""
    return (label_image >> INSTANCE_BITS).astype(np.uint8)


def instance_image(label_image: np.ndarray) -> np.ndarray:
    """Return the instance numbers of a label image: uint16 [H, W] to uint8 [H, W].

    Stuff has 0. Unknown pixels have 255, like their class, so look at the class first.
    """
    return (label_image & MAX_INSTANCE).astype(np.uint8)


# train id, Cityscapes label id, name, is thing, colour; the order is the benchmark's.
_CITYSCAPES = (
    (0, 7, 'road', False, (128, 64, 128)),
    (1, 8, 'sidewalk', False, (244, 35, 232)),
    (2, 11, 'building', False, (70, 70, 70)),
    (3, 12, 'wall', False, (102, 102, 156)),
    (4, 13, 'fence', False, (190, 153, 153)),
    (5, 17, 'pole', False, (153, 153, 153)),
    (6, 19, 'traffic light', False, (250, 170, 30)),
    (7, 20, 'traffic sign', False, (220, 220, 0)),
    (8, 21, 'vegetation', False, (107, 142, 35)),
    (9, 22, 'terrain', False, (152, 251, 152)),
    (10, 23, 'sky', False, (70, 130, 180)),
    (11, 24, 'person', True, (220, 20, 60)),
    (12, 25, 'rider', True, (255, 0, 0)),
    (13, 26, 'car', True, (0, 0, 142)),
    (14, 27, 'truck', True, (0, 0, 70)),
    (15, 28, 'bus', True, (0, 60, 100)),
    (16, 31, 'train', True, (0, 80, 100)),
    (17, 32, 'motorcycle', True, (0, 0, 230)),
    (18, 33, 'bicycle', True, (119, 11, 32)),
)


@lru_cache(maxsize=1)
def cityscapes_label_set() -> LabelSet:
    """Return the 19 evaluated Cityscapes classes: 11 stuff, then 8 things."""
    return LabelSet(name='cityscapes', classes=tuple(LabelClass(*row) for row in _CITYSCAPES))
