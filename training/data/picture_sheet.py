# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A sheet of frames: each image beside its panoptic truth, under a legend of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    VOID_CLASS,
    LabelClass,
    LabelSet,
    class_image,
)
from upsnet_ros.core.overlay import draw_overlay

WIDTH = 2000  # pixels, as all below
MARGIN = 32
TITLE = 58
LEGEND_ROW = 34
LEGEND_COLUMNS = 8
KIND_WIDTH = 92  # of the word before the classes
SWATCH = 20
CAPTION = 36
GAP = 28  # between frames
SEAM = 4  # between image and truth
TALLEST = 620  # so that upright images leave room for others
ALPHA = 0.75  # share of the classes' colours on the truth
DPI = 100
JPEG = {'quality': 90, 'subsampling': 0}  # text and thin lines stay sharp
INK, PALE, EDGE, VOID_COLOUR = '#1a1d21', '#5f6773', '#c3c8d0', (0, 0, 0)
NAME_LENGTH, CLASS_LENGTH = 40, 22  # letters
OBJECTS_TOLD = 3


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class Example:
    """A frame to be shown.

    Attributes:
        name: Of the frame.
        image: BGR uint8 ``[H, W, 3]``.
        labels: Truth, uint16 ``[H, W]``.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray


def draw_picture_sheet(
    path: Path, title: str, examples: Sequence[Example], label_set: LabelSet
) -> None:
    """Write a JPEG, :data:`WIDTH` pixels wide, of two frames a row.

    Args:
        path: The file.
        title: One line.
        examples: At least one.
        label_set: Names and colours of the classes.

    Raises:
        OSError: If the file cannot be written.
    """
    columns = min(2, len(examples))
    cell = (WIDTH - 2 * MARGIN - GAP * (columns - 1)) // columns
    panels = [_panels(example, label_set, (cell - SEAM) // 2) for example in examples]
    rows = [range(i, min(i + columns, len(panels))) for i in range(0, len(panels), columns)]
    heights = [CAPTION + max(panels[i].shape[0] for i in row) for row in rows]
    legend = legend_lines(examples, label_set)
    top = MARGIN + TITLE + len(legend) * LEGEND_ROW + GAP
    canvas = _Canvas(top + sum(heights) + GAP * (len(rows) - 1) + MARGIN)
    canvas.write(MARGIN, MARGIN + 18, title, size=17, weight='bold')
    for number, (kind, entries) in enumerate(legend):
        _draw_legend_line(canvas, MARGIN + TITLE + number * LEGEND_ROW, kind, entries)
    for row, height in zip(rows, heights, strict=True):
        for column, index in enumerate(row):
            left = MARGIN + column * (cell + GAP)
            _draw_caption(canvas, left, top, cell, examples[index], label_set)
            canvas.paste(left, top + CAPTION, panels[index])
        top += height + GAP
    canvas.save(path)


def _panels(example: Example, label_set: LabelSet, widest: int) -> np.ndarray:
    """Image and truth side by side, RGB, each within a width and the greatest height."""
    height, width = example.labels.shape
    scale = min(widest / width, TALLEST / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = cv2.resize(example.image, size, interpolation=method)
    labels = cv2.resize(example.labels, size, interpolation=cv2.INTER_NEAREST)
    truth = draw_overlay(image, labels, label_set, alpha=ALPHA)
    seam = np.full((size[1], SEAM, 3), 255, np.uint8)
    return np.ascontiguousarray(np.hstack((image, seam, truth))[:, :, ::-1])


def legend_lines(
    examples: Sequence[Example], label_set: LabelSet
) -> list[tuple[str, list[tuple[str, tuple[int, int, int]]]]]:
    """Names and colours of the classes that occur in the examples, stuff, things, void.

    Returns:
        Lines of up to eight classes; the first of each kind begins with its name.
    """
    present = {int(v) for example in examples for v in np.unique(class_image(example.labels))}
    known = [entry for entry in label_set.classes if entry.train_id in present]
    groups = {
        'stuff': [(entry.name, entry.colour) for entry in known if not entry.is_thing],
        'things': [(entry.name, entry.colour) for entry in known if entry.is_thing],
        'void': [('no trained class', VOID_COLOUR)] if VOID_CLASS in present else [],
    }
    return [
        (kind if first == 0 else '', entries[first : first + LEGEND_COLUMNS])
        for kind, entries in groups.items()
        for first in range(0, len(entries), LEGEND_COLUMNS)
    ]


def _draw_legend_line(
    canvas: '_Canvas', top: int, kind: str, entries: list[tuple[str, tuple[int, int, int]]]
) -> None:
    middle = top + LEGEND_ROW // 2
    canvas.write(MARGIN, middle, kind, size=11, weight='bold', colour=PALE)
    step = (WIDTH - 2 * MARGIN - KIND_WIDTH) // LEGEND_COLUMNS
    for column, (name, colour) in enumerate(entries):
        left = MARGIN + KIND_WIDTH + column * step
        canvas.swatch(left, middle - SWATCH // 2, colour)
        canvas.write(left + SWATCH + 9, middle, _shortened(name, CLASS_LENGTH), size=11)


def _draw_caption(
    canvas: '_Canvas', left: int, top: int, width: int, example: Example, label_set: LabelSet
) -> None:
    middle = top + CAPTION // 2 - 2
    canvas.write(left, middle, _shortened(example.name, NAME_LENGTH), size=11, weight='bold')
    height, across = example.labels.shape
    text = f'{across} x {height}, {count_objects(example.labels, label_set)}'
    canvas.write(left + width, middle, text, size=10.5, colour=PALE, align='right')


def count_objects(labels: np.ndarray, label_set: LabelSet) -> str:
    """The objects of a label image in words, the most frequent classes first."""
    values = np.unique(labels)
    classes, instances = values >> INSTANCE_BITS, values & MAX_INSTANCE
    counts = np.bincount(classes[instances > 0], minlength=VOID_CLASS + 1)
    things: list[LabelClass] = [entry for entry in label_set.classes if counts[entry.train_id]]
    things.sort(key=lambda entry: -counts[entry.train_id])
    parts = [f'{entry.name} {counts[entry.train_id]}' for entry in things]
    more = f' and {len(parts) - OBJECTS_TOLD} more classes' if len(parts) > OBJECTS_TOLD else ''
    return (', '.join(parts[:OBJECTS_TOLD]) + more) or 'no objects'


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f'{text[: length - 1]}…'


class _Canvas:
    """A white sheet; positions in pixels from its upper left corner."""

    def __init__(self, height: int) -> None:
        self._height = height
        self._figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor='white')
        FigureCanvasAgg(self._figure)

    def write(
        self,
        left: int,
        middle: int,
        text: str,
        *,
        size: float,
        weight: str = 'normal',
        colour: str = INK,
        align: str = 'left',
    ) -> None:
        """One line of text around a height."""
        place = (left / WIDTH, 1 - middle / self._height)
        # Names may hold dollar signs, which would be read as formulas.
        self._figure.text(
            *place, text, size=size, weight=weight, color=colour, ha=align,
            va='center_baseline', parse_math=False,
        )  # fmt: skip

    def swatch(self, left: int, top: int, colour: tuple[int, int, int]) -> None:
        """A square of a colour."""
        corner = (left / WIDTH, 1 - (top + SWATCH) / self._height)
        size = (SWATCH / WIDTH, SWATCH / self._height)
        face = tuple(part / 255 for part in colour)
        transform = self._figure.transFigure
        self._figure.add_artist(
            Rectangle(corner, *size, facecolor=face, edgecolor=EDGE, transform=transform)
        )

    def paste(self, left: int, top: int, picture: np.ndarray) -> None:
        """An RGB picture, pixel by pixel."""
        bottom = self._height - top - picture.shape[0]
        self._figure.figimage(picture, xo=left, yo=bottom, origin='upper')

    def save(self, path: Path) -> None:
        """Write the JPEG file."""
        self._figure.savefig(path, format='jpg', dpi=DPI, pil_kwargs=JPEG)
