# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A measure over the seconds of a drive as SVG text, however many frames it has.

Long drives are drawn as the mean of short stretches with a band from the least to the greatest
value, so that a page of an hour is no larger than one of a minute and no outlier is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from upsnet_ros.evaluation.svg_charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Reference,
    nice_ticks,
)

STRETCHES = 200
# A line is broken where no frame came for so many usual distances between frames.
GAP_DISTANCES = 3.5
MARK_HEIGHT = 12
LINE_STYLES = 6  # line0 to line5 of the page's style


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class Track:
    """What was measured of one camera.

    Attributes:
        name: of the camera.
        seconds: float64 [n], ascending.
        values: float64 [n]; NaN where nothing was measured.
        marks: float64 [m], seconds at which a frame was lost.
    """

    name: str
    seconds: np.ndarray
    values: np.ndarray
    marks: np.ndarray


@dataclass(frozen=True)
class _Axes:
    """Maps seconds and values to places of the drawing."""

    begin: float
    end: float
    top: float

    def x(self, second: float) -> float:
        share = (second - self.begin) / ((self.end - self.begin) or 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM), 1)


@dataclass(frozen=True)
class _Stretch:
    second: float
    low: float
    mean: float
    high: float
    frames: int


def timeline(
    tracks: Sequence[Track],
    *,
    label: str,
    references: Sequence[Reference] = (),
    top: float = 0.0,
) -> str:
    """Draw one line per camera.

    Args:
        tracks: cameras with values from 0 up.
        label: what it shows, with its unit.
        references: lines to compare with.
        top: least upper end of the axis; the data may go beyond.

    Returns:
        An `<svg>` element.
    """
    present = [track.values[~np.isnan(track.values)] for track in tracks]
    title = f'<title>{escape(label)}</title>'
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{title}'
    if not any(values.size for values in present):
        middle = _text(WIDTH / 2, HEIGHT / 2, 'nothing was measured')
        return f'{head}{middle}</svg>'
    highest = max(float(values.max()) for values in present if values.size)
    ticks = nice_ticks(0.0, max(highest, top, *(r.value for r in references), 1e-9))
    times = np.concatenate([part for t in tracks for part in (t.seconds, t.marks)])
    axes = _Axes(float(times.min()), float(times.max()), ticks[-1])
    body = _grid(axes, ticks)
    for reference in references:
        y = axes.y(reference.value)
        body.append(
            f'<line class="reference" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        )
    names = ' · '.join(reference.name for reference in references)
    if names:
        body.append(_text(WIDTH - RIGHT, 10, names, anchor='end', style='names'))
    for index, track in enumerate(tracks):
        body += _line(axes, track, index, with_band=len(tracks) == 1)
    return f'{head}{"".join(body)}</svg>'


def _text(x: float, y: float, text: str, *, anchor: str = 'middle', style: str = '') -> str:
    css = f' class="{style}"' if style else ''
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{css}>{escape(text)}</text>'


def _grid(axes: _Axes, ticks: Sequence[float]) -> list[str]:
    parts = []
    for tick in ticks:
        y = axes.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(_text(LEFT - 6, y + 4, f'{tick:g}', anchor='end'))
    for tick in nice_ticks(axes.begin, axes.end, count=6):
        if axes.begin <= tick <= axes.end:
            parts.append(_text(axes.x(tick), HEIGHT - BOTTOM + 15, f'{tick:g}'))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 4, 'seconds', anchor='end', style='axis'))
    return parts


def _line(axes: _Axes, track: Track, index: int, *, with_band: bool) -> list[str]:
    """Band, line, dots of single stretches, and marks of lost frames."""
    style = f'line{index % LINE_STYLES}'
    parts = []
    for run in _runs(_stretches(axes, track), _longest_step(axes, track)):
        points = [f'{axes.x(s.second)},{axes.y(s.mean)}' for s in run]
        if with_band and any(s.frames > 1 for s in run):
            upper = [f'{axes.x(s.second)},{axes.y(s.high)}' for s in run]
            lower = [f'{axes.x(s.second)},{axes.y(s.low)}' for s in reversed(run)]
            parts.append(f'<polygon class="band {style}" points="{" ".join(upper + lower)}"/>')
        if len(run) > 1:
            parts.append(f'<polyline class="line {style}" points="{" ".join(points)}"/>')
        else:
            x, y = points[0].split(',')
            parts.append(f'<circle class="dot {style}" cx="{x}" cy="{y}" r="2"/>')
    foot = HEIGHT - BOTTOM
    places = sorted({axes.x(float(second)) for second in track.marks})
    parts += [
        f'<line class="missing" x1="{x}" x2="{x}" y1="{foot}" y2="{foot - MARK_HEIGHT}"/>'
        for x in places
    ]
    return parts


def _stretches(axes: _Axes, track: Track) -> list[_Stretch]:
    """Every frame where there are few, else the frames of equal parts of the time."""
    kept = ~np.isnan(track.values)
    seconds, values = track.seconds[kept], track.values[kept]
    if len(values) <= STRETCHES:
        columns = zip(seconds.tolist(), values.tolist(), strict=True)
        return [_Stretch(second, value, value, value, 1) for second, value in columns]
    share = (seconds - axes.begin) / ((axes.end - axes.begin) or 1.0)
    part = np.minimum((share * STRETCHES).astype(int), STRETCHES - 1)
    groups = np.flatnonzero(np.diff(part, prepend=-1))  # first frame of each stretch
    return [
        _Stretch(float(s.mean()), float(v.min()), float(v.mean()), float(v.max()), len(v))
        for s, v in zip(np.split(seconds, groups[1:]), np.split(values, groups[1:]), strict=True)
    ]


def _longest_step(axes: _Axes, track: Track) -> float:
    """Seconds after which a line is broken."""
    kept = track.seconds[~np.isnan(track.values)]
    if len(kept) < 2:
        return 0.0
    usual = float(np.median(np.diff(kept)))
    stretch = (axes.end - axes.begin) / STRETCHES if len(kept) > STRETCHES else 0.0
    return GAP_DISTANCES * max(usual, stretch)


def _runs(stretches: Sequence[_Stretch], longest_step: float) -> list[list[_Stretch]]:
    """Stretches without a gap between them."""
    runs: list[list[_Stretch]] = []
    for stretch in stretches:
        if runs and stretch.second - runs[-1][-1].second <= longest_step:
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    return runs
