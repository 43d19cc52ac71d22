# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG to stand inside a page: drawn by matplotlib, in the colours of the page's style.

Colours are drawn as placeholders and become variables of the style sheet, so a chart is light by
day and dark by night as the page is. Names of references stand in the page, not in the drawing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from upsnet_ros.report import document as doc

WIDTH, HEIGHT = 440, 200  # units of the drawing; text of a chart stays readable at 330 px
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 8, 38
TEXT = 12.5
GAP_DISTANCES = 3.5  # a line is broken where nothing came for so many usual distances
LARGEST = 1e100  # what is beyond is drawn there
STEPS = [1, 2, 5, 10]
# Placeholders: each stands for a variable of the style sheet.
INK, SOFT, RULE, ACCENT, ALARM = (f'#fe00{index:02x}' for index in range(5))
TRACKS = tuple(f'#fe01{index:02x}' for index in range(doc.TRACK_COLOURS))
VARIABLES = {
    **dict(
        zip((INK, SOFT, RULE, ACCENT, ALARM), 'ink soft rule accent alarm'.split(), strict=True)
    ),
    **{colour: f'line{index}' for index, colour in enumerate(TRACKS)},
}


def chart_svg(chart: doc.Timeline | doc.Histogram) -> str:
    """The `<svg>` element of a chart."""
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), facecolor='none')
    axes = figure.add_axes(
        (LEFT / WIDTH, BOTTOM / HEIGHT, 1 - (LEFT + RIGHT) / WIDTH, 1 - (TOP + BOTTOM) / HEIGHT),
        facecolor='none',
        frameon=False,
    )
    if isinstance(chart, doc.Timeline):
        drawn = _draw_timeline(axes, chart)
    else:
        drawn = _draw_histogram(axes, chart)
    if not drawn:
        axes.set_axis_off()
        axes.text(0.5, 0.5, 'nothing was measured', ha='center', va='center', fontsize=TEXT,
                  color=SOFT, transform=axes.transAxes)  # fmt: skip
    return _inside_a_page(figure, chart.title)


def _inside_a_page(figure: Figure, title: str) -> str:
    """The drawing without what only a file of its own needs, its colours as variables."""
    buffer = io.StringIO()
    with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': title}):
        FigureCanvasSVG(figure).print_svg(buffer)
    text = buffer.getvalue()
    text = text[text.index('<g id="figure_1">') : text.rindex('</svg>')]
    text = re.sub(r'<defs>\s*<clipPath.*?</defs>', '', text, flags=re.DOTALL)
    text = re.sub(r'(?<=<g) id="[^"]*"| clip-path="[^"]*"', '', text)  # nothing reaches beyond
    text = re.sub(r'font-family: [^;"]*;', '', text)  # that of the page
    text = re.sub(r'<[^>]*>', _with_short_numbers, text)
    text = re.sub(r'\s*\n\s*', ' ', text)
    text = re.sub('|'.join(VARIABLES), lambda found: f'var(--{VARIABLES[found[0]]})', text)
    size, label = f'viewBox="0 0 {WIDTH} {HEIGHT}"', escape(doc.one_line(title))
    return f'<svg {size} role="img" aria-label="{label}">{text}</svg>'


def _with_short_numbers(tag: re.Match[str]) -> str:
    return re.sub(r'\d+\.\d{3,}', lambda found: f'{float(found[0]):.1f}', tag[0])


def _draw_timeline(axes: Axes, chart: doc.Timeline) -> bool:
    """Draw all lines; False where nothing was measured."""
    tracks = [_within_reach(track) for track in chart.tracks]
    present = np.concatenate([np.empty(0), *(t.values[~np.isnan(t.values)] for t in tracks)])
    if not present.size:
        return False
    references = [reference.value for reference in chart.references]
    _value_axis(axes, min(0.0, present.min()), max([present.max(), chart.top, *references]))
    times = np.concatenate([part for t in tracks for part in (t.seconds, t.marks)])
    begin, end = float(times.min()), float(times.max())
    if begin == end:
        begin, end = begin - 0.5, end + 0.5
    _lower_axis(axes, begin, end, 'seconds')
    for value in references:
        axes.axhline(value, color=SOFT, linewidth=1, dashes=(4, 4), zorder=3)
    for index, track in enumerate(tracks):
        colour = TRACKS[index % doc.TRACK_COLOURS]
        _draw_track(axes, track, colour, (begin, end), band=len(tracks) == 1)
    return True


def _within_reach(track: doc.Track) -> doc.Track:
    """What is infinite was not measured; what is huge is drawn at the edge of what can be."""
    values = np.where(np.isfinite(track.values), track.values, np.nan)
    return doc.Track(track.name, track.seconds, np.clip(values, -LARGEST, LARGEST), track.marks)


def _value_axis(axes: Axes, low: float, high: float) -> None:
    """Round values up to the least one above all that is drawn."""
    high = high if high > low else low + 1.0
    ticks = np.asarray(MaxNLocator(4, steps=STEPS).tick_values(low, high))
    first = max(int(np.searchsorted(ticks, low, side='right')) - 1, 0)
    last = int(np.searchsorted(ticks, high, side='left'))
    ticks = ticks[first : last + 1]
    axes.set_ylim(ticks[0], ticks[-1])
    names = [_plain(tick) for tick in ticks]
    axes.set_yticks(ticks, names)
    left = max(LEFT, 9 + 6.4 * max(map(len, names))) / WIDTH  # long numbers need room
    box = axes.get_position()
    axes.set_position((left, box.y0, box.x1 - left, box.height))
    axes.tick_params(left=False, labelsize=TEXT, labelcolor=SOFT, pad=6)
    axes.grid(axis='y', color=RULE, linewidth=1)
    axes.set_axisbelow(True)


def _lower_axis(axes: Axes, begin: float, end: float, name: str) -> None:
    ticks = np.asarray(MaxNLocator(6, steps=STEPS).tick_values(begin, end))
    ticks = ticks[(ticks >= begin) & (ticks <= end)]
    axes.set_xlim(begin, end)
    axes.set_xticks(ticks, [_plain(tick) for tick in ticks])
    axes.tick_params(bottom=False, labelsize=TEXT, labelcolor=SOFT, pad=4)
    axes.figure.text(1 - RIGHT / WIDTH, 3 / HEIGHT, name, ha='right', va='bottom', fontsize=TEXT,
                     color=SOFT, parse_math=False)  # fmt: skip


def _plain(tick: float) -> str:
    """A number as one reads it, 150,000; only from a thousand millions on with an exponent."""
    return f'{tick:,.9g}'


def _draw_track(
    axes: Axes, track: doc.Track, colour: str, ends: tuple[float, float], *, band: bool
) -> None:
    """Line, band from the least to the greatest value, dots of single points, marks of losses."""
    seconds, low, mean, high = _stretches(track, ends)
    breaks = np.flatnonzero(np.diff(seconds) > _longest_step(seconds)) + 1
    if band and (high > low).any():
        for part in np.split(np.arange(len(seconds)), breaks):
            axes.fill_between(seconds[part], low[part], high[part], color=colour, alpha=0.18,
                              linewidth=0)  # fmt: skip
    line: dict[str, Any] = dict(
        color=colour, linewidth=1.6, solid_joinstyle='round', clip_on=False
    )
    axes.plot(np.insert(seconds, breaks, np.nan), np.insert(mean, breaks, np.nan), **line)
    edges = np.diff(np.concatenate(([0], breaks, [len(seconds)])))
    alone = np.concatenate(([0], breaks))[edges == 1] if len(seconds) else []
    axes.plot(seconds[alone], mean[alone], 'o', markersize=4, markeredgewidth=0, **line)
    places = np.unique(np.round((track.marks - ends[0]) / (ends[1] - ends[0]) * WIDTH))
    axes.vlines(ends[0] + places / WIDTH * (ends[1] - ends[0]), 0, 0.08, color=ALARM,
                linewidth=2.5, transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip


def _stretches(track: doc.Track, ends: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Seconds, least, mean and greatest value of every point, or of equal parts of the time."""
    kept = ~np.isnan(track.values)
    seconds, values = track.seconds[kept], track.values[kept]
    if len(values) <= doc.STRETCHES:
        return seconds, values, values, values
    share = (seconds - ends[0]) / (ends[1] - ends[0])
    part = np.minimum((share * doc.STRETCHES).astype(int), doc.STRETCHES - 1)
    first = np.flatnonzero(np.diff(part, prepend=-1))  # of each stretch
    counts = np.diff(np.append(first, len(values)))
    return (
        np.add.reduceat(seconds, first) / counts,
        np.minimum.reduceat(values, first),
        np.add.reduceat(values, first) / counts,
        np.maximum.reduceat(values, first),
    )


def _longest_step(seconds: np.ndarray) -> float:
    """Seconds after which a line is broken."""
    return GAP_DISTANCES * float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0


def _draw_histogram(axes: Axes, chart: doc.Histogram) -> bool:
    """Draw all bars; False where there are none."""
    counts: Sequence[int] = chart.counts
    if not sum(counts):
        return False
    _value_axis(axes, 0.0, float(max(counts)))
    low, high = chart.low, chart.high if chart.high > chart.low else chart.low + 1.0
    _lower_axis(axes, low, high, chart.unit)
    edges = np.linspace(low, high, len(counts) + 1)
    axes.bar(edges[:-1], counts, width=0.95 * (edges[1] - edges[0]), align='edge', color=ACCENT,
             linewidth=0)  # fmt: skip
    for reference in chart.references:
        axes.axvline(
            min(max(reference.value, low), high), color=SOFT, linewidth=1, dashes=(4, 4), zorder=3
        )
    return True
