# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The spread of the frames' panoptic quality as SVG: no script, colours from the page's style."""

from collections.abc import Sequence
from math import ceil

import numpy as np

# Units of the drawing; the page scales it. Made so that text stays readable at 330 px.
WIDTH, HEIGHT = 440, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 12, 40
BINS = 20  # of 5 % each
X_TICKS = range(0, 101, 20)
LABEL = 'Number of frames by their panoptic quality'


def quality_histogram(values: Sequence[float]) -> str:
    """How many frames have which panoptic quality.

    Args:
        values: Panoptic quality of each frame [%], any number of them.

    Returns:
        An ``<svg>`` element.
    """
    counts = np.histogram(np.clip(values, 0, 100), bins=BINS, range=(0, 100))[0].tolist()
    step = max(1, ceil(max(counts) / 4))
    top = step * max(1, ceil(max(counts) / step))
    ticks = range(0, top + 1, step)
    body = [_level(_y(tick, top), tick) for tick in ticks]
    body += [_text(_x(tick), HEIGHT - BOTTOM + 16, str(tick), 'middle') for tick in X_TICKS]
    body.append(_text(WIDTH - RIGHT, HEIGHT - 5, 'PQ of a frame [%]', 'end'))
    body += [_bar(index, count, top) for index, count in enumerate(counts) if count]
    if not len(values):
        body.append(_text(WIDTH / 2, HEIGHT / 2, 'no frame was evaluated', 'middle'))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{LABEL}">'
        f'<title>{LABEL}</title>{"".join(body)}</svg>'
    )


def _x(quality: float) -> float:
    return round(LEFT + quality / 100 * (WIDTH - LEFT - RIGHT), 1)


def _y(count: int, top: int) -> float:
    return round(HEIGHT - BOTTOM - count / top * (HEIGHT - TOP - BOTTOM), 1)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _level(y: float, tick: int) -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"></line>'
    return line + _text(LEFT - 6, y + 4, str(tick), 'end')


def _bar(index: int, count: int, top: int) -> str:
    width = 100 / BINS
    x, y = _x(index * width), _y(count, top)
    return (
        f'<rect class="bar" x="{x + 0.5:.1f}" y="{y}" '
        f'width="{_x((index + 1) * width) - x - 1:.1f}" height="{_y(0, top) - y:.1f}">'
        f'<title>PQ {index * width:.0f} to {(index + 1) * width:.0f}: {count}</title></rect>'
    )
