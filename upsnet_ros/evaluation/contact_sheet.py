# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One picture that shows the whole drive: sample frames, their labels, their truth, the legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.pictures import fit_width

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = (255, 255, 255)
CELL_WIDTH = 480
GAP = 8
TITLE_HEIGHT = 40
LEGEND_ROW = 30
LEGEND_COLUMN = 180
PAPER = (248, 246, 244)
INK = (40, 34, 30)
FAINT = (225, 221, 217)


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame to look at; all pictures are BGR uint8 [H, W, 3].

    Attributes:
        title: which one, and what was measured of it, in ASCII.
        image: what the camera saw.
        labelled: the same under its labels.
        truth: the same under its true labels, or None.
    """

    title: str
    image: np.ndarray
    labelled: np.ndarray
    truth: np.ndarray | None


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


def sheet_row(moment: Moment) -> np.ndarray:
    """Camera, labels and truth of one frame side by side, BGR."""
    gap = np.full((fit_width(moment.image, CELL_WIDTH).shape[0], GAP, 3), PAPER, np.uint8)
    parts = [gap]
    for picture in (moment.image, moment.labelled, moment.truth):
        empty = np.full((gap.shape[0], CELL_WIDTH, 3), FAINT, np.uint8)
        parts += [empty if picture is None else fit_width(picture, CELL_WIDTH), gap]
    write_caption(parts[1], moment.title, (0, gap.shape[0]), scale=0.45)
    return np.hstack(parts)


def _write(picture: np.ndarray, text: str, x: int, y: int, *, scale: float = 0.5) -> None:
    cv2.putText(picture, text, (x, y), FONT, scale, INK, 1, cv2.LINE_AA)


def title_row(width: int) -> np.ndarray:
    """The names of the three columns."""
    row = np.full((TITLE_HEIGHT, width, 3), PAPER, np.uint8)
    for column, text in enumerate(('camera', 'labels of the node', 'ground truth')):
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


def draw_contact_sheet(moments: Sequence[Moment], label_set: LabelSet) -> np.ndarray:
    """The sheet, BGR uint8; with no moments it is the titles and the legend alone."""
    width = 3 * CELL_WIDTH + 4 * GAP
    gap = np.full((GAP, width, 3), PAPER, np.uint8)
    parts = [title_row(width)]
    for moment in moments:
        parts += [sheet_row(moment), gap]
    return np.vstack([*parts, legend_rows(label_set, width)])
