# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one frame offers to a training run, found by reading both of its files whole."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.data.frames import Frame, FrameReader
from training.data.label_runs import LabelRuns
from training.data.objects import find_objects
from training.data.training_set import size_mismatch
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.labels import INSTANCE_BITS, VOID_CLASS


@dataclass(frozen=True)
class FrameFacts:
    """A readable frame.

    Attributes:
        objects: Single objects that can be trained on.
        crowds: Crowds.
        flat: Objects and crowds left out because their box has no area.
        classes: Train ids that occur, ascending.
        one_colour: Whether all pixels of the image are equal.
    """

    objects: int
    crowds: int
    flat: int
    classes: tuple[int, ...]
    one_colour: bool

    def to_list(self) -> list[Any]:
        """Plain values, undone by :meth:`from_list`."""
        return list(asdict(self).values())

    @classmethod
    def from_list(cls, values: list[Any]) -> 'FrameFacts':
        """The facts of plain values.

        Raises:
            TypeError, ValueError: If they are something else.
        """
        objects, crowds, flat, classes, one_colour = values
        numbers = (objects, crowds, flat, *classes)
        if not all(isinstance(value, int) for value in (*numbers, one_colour)):
            raise ValueError(f'not the facts of a frame: {values}')
        return cls(objects, crowds, flat, tuple(classes), bool(one_colour))


def examine_frame(reader: FrameReader, frame: Frame, *, num_stuff: int) -> FrameFacts | list[str]:
    """Read a frame whole.

    Args:
        reader: Reads it.
        frame: Its files.
        num_stuff: Number of stuff classes.

    Returns:
        The facts, or every reason why it cannot be used.
    """
    problems: list[str] = []
    image = _attempt(reader.read_image, frame, problems)
    labels = _attempt(reader.read_label_image, frame, problems)
    if image is not None and labels is not None and labels.shape != image.shape[:2]:
        problems.append(size_mismatch(frame, image.shape[:2], labels.shape))
    if problems:
        return problems
    runs = LabelRuns.of(labels)
    objects = find_objects(runs, num_stuff=num_stuff)
    classes = np.unique(runs.values >> INSTANCE_BITS)
    return FrameFacts(
        objects=len(objects.values),
        crowds=len(objects.crowd_values),
        flat=objects.flat,
        classes=tuple(classes[classes != VOID_CLASS].tolist()),
        one_colour=_has_one_colour(image),
    )


def _has_one_colour(image: np.ndarray) -> bool:
    first = image[0, 0]
    # The coarse look settles nearly all images at a hundredth of the work.
    return bool((image[::10, ::10] == first).all() and (image == first).all())


def _attempt(read: Any, frame: Frame, problems: list[str]) -> np.ndarray | None:
    try:
        return read(frame)
    except (UpsnetError, OSError, MemoryError) as error:
        text = str(error) if isinstance(error, UpsnetError) else f'{frame.image}: {error!r}'
        problems.append(text)
        return None
