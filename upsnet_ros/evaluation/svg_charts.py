# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small charts as SVG text for the report: no script, no font, colours from the page's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

# Units of the drawing; the page scales it. Made so that text stays readable at 330 px.
WIDTH, HEIGHT = 440, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 22, 34
BINS = 24


@dataclass(frozen=True)
class Reference:
    """A dashed line at a value. Its name stands above the plot and should tell the value."""

    value: float
    name: str


def nice_ticks(low: float, high: float, *, count: int = 4) -> list[float]:
    """Round values from at or below `low` to at or above `high`, about `count` steps apart.

    The steps are 1, 2 or 5 times a power of ten, so the numbers are short to read.
    """
    span = high - low if high > low else max(abs(high), 1.0)
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(i * step, 10) for i in range(first, last + 1)]


@dataclass(frozen=True)
class _Frame:
    """Maps values to places of the drawing."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        share = (value - self.x_low) / (self.x_high - self.x_low or 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / (self.y_high - self.y_low or 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _svg(body: Sequence[str], *, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<title>{escape(label)}</title>{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = 'middle', style: str = '') -> str:
    css = f' class="{style}"' if style else ''
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{css}>{escape(text)}</text>'


def _grid(frame: _Frame, ticks: Sequence[float]) -> list[str]:
    parts = []
    for tick in ticks:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(_text(LEFT - 6, y + 4, f'{tick:g}', anchor='end'))
    return parts


def _x_labels(frame: _Frame, ticks: Sequence[float], name: str) -> list[str]:
    inside = [t for t in ticks if frame.x_low <= t <= frame.x_high]
    labels = [_text(frame.x(tick), HEIGHT - BOTTOM + 15, f'{tick:g}') for tick in inside]
    return [*labels, _text(WIDTH - RIGHT, HEIGHT - 4, name, anchor='end', style='axis')]


def _empty(label: str) -> str:
    return _svg([_text(WIDTH / 2, HEIGHT / 2, 'nothing was measured')], label=label)


def time_series(
    values: Sequence[float | None],
    *,
    label: str,
    references: Sequence[Reference] = (),
    top: float | None = None,
) -> str:
    """One value per frame as a line; frames without a value are marked red at the foot.

    Args:
        values: In the order of the frames, None where there is none.
        label: What it shows, with its unit.
        references: Lines to compare with.
        top: Least upper end of the axis; the data may go beyond.

    Returns:
        An `<svg>` element.
    """
    present = [v for v in values if v is not None]
    if not present:
        return _empty(label)
    high = max([*present, *(r.value for r in references), top or 0.0])
    ticks = nice_ticks(0.0, high)
    frame = _Frame(0, max(len(values) - 1, 1), ticks[0], ticks[-1])
    body = _grid(frame, ticks)
    body += _x_labels(frame, nice_ticks(0, max(len(values) - 1, 1), count=6), 'frame')
    body += [_level_line(frame, reference) for reference in references]
    body += _names(references)
    body += [f'<polyline class="line" points="{points}"/>' for points in _runs(values, frame)]
    for index, value in enumerate(values):
        if value is None:
            x = frame.x(index)
            foot = HEIGHT - BOTTOM
            body.append(
                f'<line class="missing" x1="{x}" x2="{x}" y1="{foot}" y2="{foot - 14}">'
                f'<title>frame {index}: none</title></line>'
            )
        else:
            body.append(
                f'<circle class="dot" cx="{frame.x(index)}" cy="{frame.y(value)}" r="2">'
                f'<title>frame {index}: {value:.4g}</title></circle>'
            )
    return _svg(body, label=label)


def _runs(values: Sequence[float | None], frame: _Frame) -> list[str]:
    """Point lists of the unbroken stretches of at least two values."""
    runs: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f'{frame.x(index)},{frame.y(value)}')
    return [' '.join(run) for run in runs if len(run) > 1]


def _level_line(frame: _Frame, reference: Reference) -> str:
    y = frame.y(reference.value)
    return (
        f'<line class="reference" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}">'
        f'<title>{escape(reference.name)}</title></line>'
    )


def _names(references: Sequence[Reference]) -> list[str]:
    """The names of all references above the plot, where they cover neither data nor each other."""
    if not references:
        return []
    names = ' · '.join(reference.name for reference in references)
    return [_text(WIDTH - RIGHT, 10, names, anchor='end', style='names')]


def histogram(
    values: Sequence[float], *, label: str, unit: str, references: Sequence[Reference] = ()
) -> str:
    """How often values occur.

    Args:
        values: Any number of them, none included.
        label: What it shows.
        unit: Of the values.
        references: Upright dashed lines to compare with.

    Returns:
        An `<svg>` element.
    """
    if not len(values):
        return _empty(label)
    ticks = nice_ticks(min(values), max(values), count=6)
    counts, edges = np.histogram(values, bins=BINS, range=(ticks[0], ticks[-1]))
    heights = nice_ticks(0, float(counts.max()), count=3)
    frame = _Frame(ticks[0], ticks[-1], 0, heights[-1])
    body = _grid(frame, [t for t in heights if t == int(t)])
    body += _x_labels(frame, ticks, unit)
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x, y = frame.x(low), frame.y(float(count))
            body.append(
                f'<rect class="bar" x="{x + 0.5}" y="{y}" width="{frame.x(high) - x - 1:.1f}" '
                f'height="{frame.y(0) - y:.1f}"><title>{low:.4g} to {high:.4g} {escape(unit)}: '
                f'{count} frames</title></rect>'
            )
    body += [_upright_line(frame, reference) for reference in references]
    body += _names(references)
    return _svg(body, label=label)


def _upright_line(frame: _Frame, reference: Reference) -> str:
    x = frame.x(reference.value)
    return (
        f'<line class="reference" x1="{x}" x2="{x}" y1="{TOP}" y2="{frame.y(0)}">'
        f'<title>{escape(reference.name)}</title></line>'
    )
