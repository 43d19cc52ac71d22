# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One picture that shows the whole drive: sample frames, their labels, their truth, the legend."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.frame_scores import FrameMaterial, FrameScore
from upsnet_ros.evaluation.panels import (
    FONT,
    fit_width,
    labels_panel,
    truth_panel,
    write_caption,
)

CELL_WIDTH = 480
GAP = 8
TITLE_HEIGHT = 40
LEGEND_ROW = 30
LEGEND_COLUMN = 180
PAPER = (248, 246, 244)
INK = (40, 34, 30)
FAINT = (225, 221, 217)


def row_caption(material: FrameMaterial, score: FrameScore) -> list[str]:
    """Frame number and what was measured of it, each in ASCII."""
    parts = [f'Frame {material.index}']
    if score.pq is not None:
        parts.append(f'PQ {score.pq:.0f}')
    if material.outcome.latency_ms is not None:
        parts.append(f'{material.outcome.latency_ms:.0f} ms')
    else:
        parts.append('no label')
    return parts


def sheet_row(material: FrameMaterial, score: FrameScore, label_set: LabelSet) -> np.ndarray:
    """Camera, labels and truth of one frame side by side, BGR."""
    truth = truth_panel(material, label_set)
    labels = labels_panel(material, label_set) if material.predicted is not None else None
    pictures = [fit_width(material.image, CELL_WIDTH)]
    height = pictures[0].shape[0]
    for panel in (labels, truth):
        pictures.append(
            np.full((height, CELL_WIDTH, 3), FAINT, np.uint8)
            if panel is None
            else fit_width(panel, CELL_WIDTH)
        )
    write_caption(pictures[0], '  '.join(row_caption(material, score)), (0, height), scale=0.45)
    gap = np.full((height, GAP, 3), PAPER, np.uint8)
    return np.hstack([gap, pictures[0], gap, pictures[1], gap, pictures[2], gap])


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


def draw_contact_sheet(
    samples: Sequence[tuple[FrameMaterial, FrameScore]], label_set: LabelSet
) -> np.ndarray:
    """The sheet, BGR uint8; with no samples it is the titles and the legend alone."""
    width = 3 * CELL_WIDTH + 4 * GAP
    gap = np.full((GAP, width, 3), PAPER, np.uint8)
    parts = [title_row(width)]
    for material, score in samples:
        parts += [sheet_row(material, score, label_set), gap]
    return np.vstack([*parts, legend_rows(label_set, width)])
