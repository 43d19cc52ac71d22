# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one frame offers to a training run, found by reading both of its files whole."""

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from training.data.frames import Frame, FrameReader, size_mismatch
from training.data.image_files import exif_orientation
from training.data.label_runs import LabelRuns
from training.data.objects import find_objects
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.labels import INSTANCE_BITS, MAX_INSTANCE, VOID_CLASS

# COCO's limits of small, medium and large objects, in pixels of the image on disk.
MEDIUM_AREA = 32 * 32
LARGE_AREA = 96 * 96


@dataclass(frozen=True, slots=True)  # slots, because large data sets have a million
class ClassFacts:
    """What a frame holds of a class.

    Attributes:
        class_id: Train id.
        pixels: Its pixels, of crowds and of objects without area, too.
        small: Single objects of fewer than 32 x 32 pixels.
        medium: Single objects between.
        large: Single objects of 96 x 96 pixels or more.
        crowds: 1 where there is a crowd.
        widths: Of the box of each single object in pixels, in any order.
        heights: Of the same boxes.
    """

    class_id: int
    pixels: int
    small: int
    medium: int
    large: int
    crowds: int
    widths: tuple[int, ...]
    heights: tuple[int, ...]

    @property
    def objects(self) -> int:
        """Single objects that can be trained on."""
        return self.small + self.medium + self.large


@dataclass(frozen=True)
class FrameFacts:
    """A readable frame.

    Attributes:
        size: Height and width in pixels.
        per_class: Of each class that occurs, by ascending train id.
        flat: Objects and crowds left out because their box has no area.
        full: Classes whose 255 numbers of objects are all used; further objects are its crowd.
        one_colour: Whether all pixels of the image are equal.
        brightest: Largest value of the image as it is read, 0 to 255.
        orientation: EXIF orientation that the image is turned by, 1 to 8; 1: not at all.
    """

    size: tuple[int, int]
    per_class: tuple[ClassFacts, ...]
    flat: int
    full: int
    one_colour: bool
    brightest: int
    orientation: int

    @property
    def classes(self) -> tuple[int, ...]:
        """Train ids that occur, ascending."""
        return tuple(entry.class_id for entry in self.per_class)

    @property
    def objects(self) -> int:
        """Single objects that can be trained on."""
        return sum(entry.objects for entry in self.per_class)

    @property
    def crowds(self) -> int:
        """Crowds."""
        return sum(entry.crowds for entry in self.per_class)

    @property
    def void(self) -> int:
        """Pixels of no class."""
        return self.size[0] * self.size[1] - sum(entry.pixels for entry in self.per_class)

    def to_list(self) -> list[Any]:
        """Plain values, undone by :meth:`from_list`."""
        rows = [list(astuple(entry)) for entry in self.per_class]
        image = [self.one_colour, self.brightest, self.orientation]
        return [list(self.size), rows, self.flat, self.full, *image]

    @classmethod
    def from_list(cls, values: list[Any]) -> 'FrameFacts':
        """The facts of plain values.

        Raises:
            TypeError, ValueError: If they are something else.
        """
        (height, width), rows, *others = values
        flat, full, one_colour, brightest, orientation = others
        numbers = [height, width, *others]
        entries = []
        for class_id, pixels, small, medium, large, crowds, widths, heights in rows:
            counts = (class_id, pixels, small, medium, large, crowds)
            numbers += [*counts, *widths, *heights]
            entries.append(ClassFacts(*counts, tuple(widths), tuple(heights)))
        if not all(isinstance(value, int) for value in numbers):
            raise ValueError(f'not the facts of a frame: {values}')
        image = (bool(one_colour), brightest, orientation)
        return cls((height, width), tuple(entries), flat, full, *image)


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
    if problems or image is None or labels is None:
        return problems
    runs = LabelRuns.of(labels)
    per_class, flat = _count_classes(runs, num_stuff)
    full = (runs.values & MAX_INSTANCE == MAX_INSTANCE) & (
        runs.values >> INSTANCE_BITS != VOID_CLASS
    )
    return FrameFacts(
        labels.shape,
        per_class,
        flat,
        int(full.sum()),
        one_colour=_has_one_colour(image),
        brightest=int(image.max()),
        orientation=exif_orientation(frame.image),
    )


def _count_classes(runs: LabelRuns, num_stuff: int) -> tuple[tuple[ClassFacts, ...], int]:
    """Facts of each class of a label image, and the number of flat objects and crowds."""
    objects = find_objects(runs, num_stuff=num_stuff)
    areas = runs.areas()
    object_areas = areas[np.searchsorted(runs.values, objects.values)]
    groups = np.digitize(object_areas, (MEDIUM_AREA, LARGE_AREA))
    counts = np.zeros((VOID_CLASS + 1, 5), np.int64)  # pixels, three sizes, crowds
    np.add.at(counts[:, 0], runs.values >> INSTANCE_BITS, areas)
    np.add.at(counts, (objects.values >> INSTANCE_BITS, 1 + groups), 1)
    np.add.at(counts[:, 4], objects.crowd_values >> INSTANCE_BITS, 1)
    present = np.flatnonzero(counts[:VOID_CLASS, 0])
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]).astype(int) + 1  # corners are inside
    object_classes = objects.values >> INSTANCE_BITS
    rows = []
    for class_id in present.tolist():
        widths, heights = sides[object_classes == class_id].T.tolist()
        pixels, small, medium, large, crowds = counts[class_id].tolist()
        sizes = (small, medium, large)
        rows.append(ClassFacts(class_id, pixels, *sizes, crowds, tuple(widths), tuple(heights)))
    return tuple(rows), objects.flat


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
