# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture sheet: a title, panels with boxes, and a legend of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

Colour = tuple[int, int, int]  # RGB, 0 to 255

WIDTH = 16.0  # inches, at 100 pixels each
TITLE_HEIGHT = 0.6
PANEL_TITLE_HEIGHT = 0.4
LEGEND_COLUMNS = 8
LEGEND_ROW_HEIGHT = 0.28
TALLEST_PANEL = 9.0
MAP_COLOURS = 'viridis'
HALO = (1.0, 1.0, 1.0, 0.6)  # light beside a line: many classes have dark colours
PLATE = (0.0, 0.0, 0.0, 0.65)  # dark behind white text
NO_ROOM_ABOVE = 0.05  # share of the height in which text goes inside its box


@dataclass(frozen=True)
class Box:
    """A rectangle on a panel.

    Attributes:
        corners: x1, y1, x2, y2 in pixels of the panel's image, both corners inside.
        colour: Of its line.
        text: Written at its upper left corner; empty for none.
        is_faint: Whether it is thin and dashed.
    """

    corners: Sequence[float]
    colour: Colour
    text: str = ''
    is_faint: bool = False


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet.

    Attributes:
        title: What it shows, one line.
        image: uint8 [H, W, 3] BGR, or float [H, W], drawn in colours from dark violet to yellow;
            the title then says which values these are.
        boxes: Drawn on it.
        limits: Values of the first and the last colour of a float image; None: its own.
    """

    title: str
    image: np.ndarray
    boxes: tuple[Box, ...] = field(default=())
    limits: tuple[float, float] | None = None


def draw_sheet(
    path: Path,
    title: str,
    panels: Sequence[Panel],
    *,
    columns: int = 2,
    legend: Sequence[tuple[str, Colour]] = (),
) -> None:
    """Draw a sheet as a PNG file.

    Args:
        path: File to write.
        title: One or two lines.
        panels: At least one.
        columns: Panels beside each other.
        legend: Names with their colours.

    Raises:
        OSError: If the file cannot be written.
    """
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    panel_width = WIDTH / columns
    tallest = max(panel.image.shape[0] / panel.image.shape[1] for panel in panels)
    panel_height = min(panel_width * tallest, TALLEST_PANEL) + PANEL_TITLE_HEIGHT
    legend_height = math.ceil(len(legend) / LEGEND_COLUMNS) * LEGEND_ROW_HEIGHT
    height = TITLE_HEIGHT + rows * panel_height + legend_height + 0.2
    figure = Figure(figsize=(WIDTH, height), dpi=100, facecolor='white')
    FigureCanvasAgg(figure)
    figure.text(0.015, 1 - 0.25 / height, title, fontsize=14, va='top', weight='bold')
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        top = TITLE_HEIGHT + row * panel_height + PANEL_TITLE_HEIGHT
        bottom = 1 - (top + panel_height - PANEL_TITLE_HEIGHT) / height
        size = (0.97 / columns, (panel_height - PANEL_TITLE_HEIGHT) / height)
        axes = figure.add_axes((0.015 + column / columns * 0.985, bottom, *size))
        _draw_panel(axes, panel)
    if legend:
        _draw_legend(figure, legend)
    # The default compression would take a third of the time of a sheet.
    figure.savefig(path, format='png', pil_kwargs={'compress_level': 1})


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set_axis_off()
    axes.set_anchor('NW')
    title = panel.title
    if panel.image.ndim == 3:
        axes.imshow(panel.image[:, :, ::-1])
    else:
        low, high = panel.limits or (panel.image.min(), panel.image.max())
        title += f'; {low:.4g} (violet) to {high:.4g} (yellow)'
        axes.imshow(panel.image, cmap=MAP_COLOURS, vmin=low, vmax=high)
    axes.set_title(title, fontsize=11, loc='left', pad=5)
    for box in panel.boxes:
        _draw_box(axes, box, height=panel.image.shape[0])


def _draw_box(axes: Axes, box: Box, *, height: int) -> None:
    x1, y1, x2, y2 = (float(value) for value in box.corners)
    colour = tuple(part / 255 for part in box.colour)
    width, style = (0.8, (0, (4, 3))) if box.is_faint else (1.6, 'solid')
    # The centre of the first pixel is 0: a box that holds it alone reaches from -0.5 to 0.5.
    corner, size = (x1 - 0.5, y1 - 0.5), (x2 - x1 + 1, y2 - y1 + 1)
    rectangle = Rectangle(corner, *size, fill=False, ec=colour, lw=width, ls=style)
    rectangle.set_path_effects([withStroke(linewidth=width + 1.2, foreground=HALO)])
    axes.add_patch(rectangle)
    if box.text:
        is_at_top = y1 < height * NO_ROOM_ABOVE
        axes.text(
            *corner,
            box.text,
            fontsize=7,
            color='white',
            va='top' if is_at_top else 'bottom',
            bbox={'facecolor': PLATE, 'edgecolor': 'none', 'pad': 1.0},
            clip_on=True,
        )


def _draw_legend(figure: Figure, entries: Sequence[tuple[str, Colour]]) -> None:
    patches = [
        Patch(facecolor=(r / 255, g / 255, b / 255), edgecolor='grey', label=name)
        for name, (r, g, b) in entries
    ]
    figure.legend(
        handles=patches,
        loc='lower left',
        ncols=LEGEND_COLUMNS,
        fontsize=9,
        frameon=False,
        bbox_to_anchor=(0.01, 0.0),
    )
