# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One picture that shows all: sample frames, their labels, their truth, the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.pictures import fit_width
from upsnet_ros.report.document import Frame

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = (255, 255, 255)
# The columns, by kind of picture.
CAPTIONS = {'image': 'camera', 'labels': 'labels of the node', 'truth': 'ground truth'}
# What stands in place of a picture that there is not.
DROPPED = 'dropped: no labels came'
MISSING = {'labels': DROPPED, 'truth': 'no ground truth'}
SEPARATOR = ' · '  # of what is noted of a frame
CELL_WIDTH = 480
OVERVIEW_COLUMNS = 3
MOST_LETTERS = 48  # of a name in a cell
GAP = 8
TITLE_HEIGHT = 40
LEGEND_ROW = 30
LEGEND_COLUMN = 180
PAPER = (248, 246, 244)
INK = (40, 34, 30)
FAINT = (225, 221, 217)


def write_caption(
    picture: np.ndarray, text: str, corner: tuple[int, int], *, scale: float, right: bool = False
) -> None:
    """Write text on a dark plate into `picture`, in place.

    Args:
        picture: BGR uint8 [H, W, 3], changed.
        text: ASCII.
        corner: left (or, if `right`, right) lower corner of the plate [px].
        scale: size of the font, 1 being about 22 px high.
        right: align to the right.
    """
    thickness = max(1, round(1.6 * scale))
    (width, height), base = cv2.getTextSize(text, FONT, scale, thickness)
    pad = round(10 * scale)
    x = corner[0] - width - 2 * pad if right else corner[0]
    y = corner[1]
    top = max(0, y - height - base - 2 * pad)
    plate = picture[top:y, max(0, x) : x + width + 2 * pad]
    plate[:] = plate // 4
    cv2.putText(
        picture, text, (x + pad, y - pad - base), FONT, scale, WHITE, thickness, cv2.LINE_AA
    )


def sheet_row(frame: Frame) -> np.ndarray:
    """The pictures of a frame below their captions, BGR; what is missing is told in its place."""
    shown = {
        each.caption: fit_width(each.image, CELL_WIDTH)
        for each in frame.pictures
        if isinstance(each.image, np.ndarray)
    }
    height = next(iter(shown.values())).shape[0]
    gap = np.full((height, GAP, 3), PAPER, np.uint8)
    parts = [gap]
    for kind, caption in CAPTIONS.items():
        picture = shown.get(caption)
        parts += [empty_cell(height, MISSING.get(kind, '')) if picture is None else picture, gap]
    title = '  '.join([frame.title, *map(str, frame.notes)]).replace(SEPARATOR, '  ')
    write_caption(parts[1], title, (0, height), scale=0.45)
    return np.hstack(parts)


def empty_cell(height: int, text: str) -> np.ndarray:
    """The place of a picture that is missing, BGR uint8 [height, CELL_WIDTH, 3], with the reason.

    Args:
        height: of the row [px].
        text: ASCII.
    """
    cell = np.full((height, CELL_WIDTH, 3), FAINT, np.uint8)
    width = cv2.getTextSize(text, FONT, 0.6, 1)[0][0]
    _write(cell, text, (CELL_WIDTH - width) // 2, height // 2, scale=0.6)
    return cell


def _write(picture: np.ndarray, text: str, x: int, y: int, *, scale: float = 0.5) -> None:
    cv2.putText(picture, text, (x, y), FONT, scale, INK, 1, cv2.LINE_AA)


def title_row(width: int) -> np.ndarray:
    """The names of the three columns."""
    row = np.full((TITLE_HEIGHT, width, 3), PAPER, np.uint8)
    for column, text in enumerate(CAPTIONS.values()):
        _write(row, text, GAP + column * (CELL_WIDTH + GAP), 26, scale=0.6)
    return row


def legend_rows(label_set: LabelSet, width: int) -> np.ndarray:
    """A colour chip and the name of every class and of unknown, in as many rows as needed."""
    entries = [(c.name, c.colour) for c in label_set.classes] + [('unknown', (0, 0, 0))]
    columns = max(1, (width - 2 * GAP) // LEGEND_COLUMN)
    rows = -(-len(entries) // columns)
    legend = np.full((rows * LEGEND_ROW + GAP, width, 3), PAPER, np.uint8)
    for position, (name, colour) in enumerate(entries):
        row, column = divmod(position, columns)
        x, y = GAP + column * LEGEND_COLUMN, row * LEGEND_ROW + GAP
        cv2.rectangle(legend, (x, y), (x + 22, y + 16), colour[::-1], cv2.FILLED)
        _write(legend, name, x + 30, y + 13)
    return legend


def draw_contact_sheet(frames: Sequence[Frame], label_set: LabelSet) -> np.ndarray:
    """The sheet, BGR uint8; without frames it is the titles and the legend alone."""
    width = 3 * CELL_WIDTH + 4 * GAP
    gap = np.full((GAP, width, 3), PAPER, np.uint8)
    parts = [title_row(width)]
    for frame in frames:
        parts += [sheet_row(frame), gap]
    return np.vstack([*parts, legend_rows(label_set, width)])


def draw_overview(overlays: Mapping[str, np.ndarray], label_set: LabelSet) -> np.ndarray:
    """A sheet of pictures under their labels, three in a row, with the legend: BGR uint8.

    Args:
        overlays: BGR uint8 [H, W, 3] by the name that is written into it; at least one.
        label_set: the classes.
    """
    columns = min(OVERVIEW_COLUMNS, len(overlays))
    width = columns * CELL_WIDTH + (columns + 1) * GAP
    usual = np.median([CELL_WIDTH * p.shape[0] / p.shape[1] for p in overlays.values()])
    height = round(min(max(float(usual), CELL_WIDTH / 4), CELL_WIDTH))
    cells = [_overview_cell(name, picture, height) for name, picture in overlays.items()]
    beside = np.full((height, GAP, 3), PAPER, np.uint8)
    gap = np.full((GAP, width, 3), PAPER, np.uint8)
    parts = [gap]
    for first in range(0, len(cells), columns):
        row = [beside]
        for cell in cells[first : first + columns]:
            row += [cell, beside]
        rest = width - sum(part.shape[1] for part in row)
        parts += [np.hstack([*row, np.full((height, rest, 3), PAPER, np.uint8)]), gap]
    return np.vstack([*parts, legend_rows(label_set, width)])


def _overview_cell(name: str, picture: np.ndarray, height: int) -> np.ndarray:
    """A picture in the middle of its cell, its name below."""
    scale = min(height / picture.shape[0], CELL_WIDTH / picture.shape[1])
    size = [max(1, round(side * scale)) for side in picture.shape[:2]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = cv2.resize(picture, (size[1], size[0]), interpolation=method)
    cell = np.full((height, CELL_WIDTH, 3), FAINT, np.uint8)
    top, left = (height - size[0]) // 2, (CELL_WIDTH - size[1]) // 2
    cell[top : top + size[0], left : left + size[1]] = shown
    told = name.encode('ascii', 'replace').decode()
    told = told if len(told) <= MOST_LETTERS else f'...{told[-MOST_LETTERS:]}'
    write_caption(cell, told, (0, height), scale=0.45)
    return cell
