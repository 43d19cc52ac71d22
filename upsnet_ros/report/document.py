# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a report can say: frozen data without any word of how it looks.

A `Report` has sections, a section has blocks. `page.py` makes HTML of them, `text.py` Markdown and
lines for the terminal. Any text may come from outside: whoever writes it out escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np

DASH = '–'
TRACK_COLOURS = 6  # of the lines of a chart, then they repeat
STRETCHES = 200  # points of a line; of longer ones the mean of equal parts is drawn

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255
Tone = Literal['better', 'worse', 'unclear', 'soft']


@dataclass(frozen=True)
class Toned:
    """Words with a meaning that a colour shows: better, worse, not sure, beside the point."""

    text: str
    tone: Tone


@dataclass(frozen=True)
class Key:
    """A colour and what it stands for."""

    colour: Colour
    text: str


@dataclass(frozen=True)
class Link:
    """Words that lead somewhere; the address is relative to the page."""

    text: str
    address: str


# A line of a page: words, or some of them in a row.
Words = str | Toned | Key | Link
Line = Words | tuple[Words, ...]


@dataclass(frozen=True)
class Card:
    """A headline figure.

    Attributes:
        name: What it is.
        value: The figure; None where there is none.
        unit: Beside the figure.
        detail: Small lines below it.
        digits: Decimals of a figure that is no whole number.
        alarm: Whether it must not be overlooked.
    """

    name: str
    value: float | str | None
    unit: str = ''
    detail: Line | list[Line] = ''
    digits: int = 1
    alarm: bool = False


@dataclass(frozen=True)
class Cards:
    """Headline figures beside each other."""

    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Bar:
    """A cell with a bar from 0 to `top`, in the colour of a class or of the page."""

    value: float | None
    colour: Colour | None = None
    top: float = 100.0


@dataclass(frozen=True)
class Interval:
    """A cell with a change as a dot and its interval as a line, around a zero in the middle.

    Attributes:
        value: The change; nothing is drawn where it is None.
        low, high: Ends of the interval, None where it is not known.
        reach: Distance from zero at the ends of the cell; what lies beyond is drawn there.
        tone: Better, worse or unclear.
    """

    value: float | None
    low: float | None
    high: float | None
    reach: float
    tone: Tone = 'unclear'


Cell = float | str | None | Words | Bar | Interval


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its head.
        digits: Decimals of figures that are no whole numbers.
        wide: Whether it takes the room that is left, as bars do.
        minor: Whether it is left out on a narrow screen.
        words: Whether it holds words, which begin at the left, as names do.
    """

    title: str
    digits: int = 1
    wide: bool = False
    minor: bool = False
    words: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under the heads of columns; the first column holds names.

    Attributes:
        columns: Their heads.
        rows: As many cells each as there are columns.
        total: Whether the last row sums up the others.
        scrolls: Whether it may be wider than the screen, in a box that scrolls by itself.
        label: What it shows, for those who cannot see it; else the head of the first column.

    Raises:
        ValueError: A row has not as many cells as there are columns.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False
    scrolls: bool = False
    label: str = ''

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f'row {number} of the table has {len(row)} cells, expected '
                    f'{len(self.columns)}, one for each column'
                )


@dataclass(frozen=True)
class Reference:
    """A dashed line at a value of a chart, and its name, which should tell the value."""

    value: float
    name: str


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class Track:
    """A line of a timeline.

    Attributes:
        name: What it belongs to.
        seconds: float64 [n], ascending.
        values: float64 [n]; NaN where nothing was measured.
        marks: float64 [m], seconds at which something was lost.
    """

    name: str
    seconds: np.ndarray
    values: np.ndarray
    marks: np.ndarray


@dataclass(frozen=True, eq=False)
class Timeline:
    """A measure over time, one line per track.

    Attributes:
        title: What it shows, with its unit.
        tracks: Lines in the order of their colours.
        references: Levels to compare with.
        top: Least upper end of the axis; values may go beyond.
    """

    title: str
    tracks: tuple[Track, ...]
    references: tuple[Reference, ...] = ()
    top: float = 0.0


@dataclass(frozen=True)
class Histogram:
    """How many there are of each value.

    Attributes:
        title: What is counted.
        counts: In equal bins.
        low, high: Ends of the first and the last bin.
        unit: Of the values.
        references: Values to compare with.
    """

    title: str
    counts: tuple[int, ...]
    low: float
    high: float
    unit: str = ''
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Charts:
    """Charts beside each other, under one legend of their tracks."""

    charts: tuple[Timeline | Histogram, ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture for the page.

    Attributes:
        caption: What it shows.
        image: BGR uint8 [H, W, 3], or a file; a file that is missing or unreadable is left out.
        widest: Pixels; wider ones are made smaller.
    """

    caption: str
    image: np.ndarray | Path
    widest: int = 720


@dataclass(frozen=True)
class Frame:
    """Pictures of one moment side by side.

    Attributes:
        title: Which moment.
        pictures: Of the same size and kind, as a rule.
        notes: Lines about it.
        stamp: Its exact name, in small.
    """

    title: str
    pictures: tuple[Picture, ...]
    notes: tuple[Line, ...] = ()
    stamp: str = ''


@dataclass(frozen=True)
class Frames:
    """Moments below each other.

    Attributes:
        frames: In their order.
        across: Pictures in a row where there is room.
        legend: What the colours of the pictures mean.
    """

    frames: tuple[Frame, ...]
    across: Literal[1, 2, 3, 4] = 2
    legend: Line = ''


@dataclass(frozen=True, eq=False)
class Film:
    """A film in a file beside the page, which is read only when somebody plays it.

    Attributes:
        address: Of the file, relative to the page.
        caption: What it shows.
        still: What stands there until it plays, or None.
    """

    address: str
    caption: str
    still: np.ndarray | Path | None = None


@dataclass(frozen=True)
class Facts:
    """Names and values of settings; what is None or empty is left out, nested ones in a line."""

    values: Mapping[str, Any]
    title: str = ''

    def rows(self) -> Iterator[tuple[str, str]]:
        """Each name and its value as text."""
        for name, value in self.values.items():
            text = _in_a_line(value)
            if text:
                yield name.replace('_', ' '), text


def _in_a_line(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = ((str(name).replace('_', ' '), _in_a_line(inner)) for name, inner in value.items())
        return ', '.join(f'{name} {text}' for name, text in parts if text)
    if isinstance(value, list | tuple):
        return ', '.join(filter(None, map(_in_a_line, value)))
    return '' if value is None else str(value)


@dataclass(frozen=True)
class Note:
    """A paragraph in small."""

    line: Line


@dataclass(frozen=True)
class Points:
    """Sentences, each with a dot before it."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Command:
    """A command line to copy."""

    text: str


@dataclass(frozen=True)
class Beside:
    """Blocks that stand beside each other where there is room."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Fold:
    """Blocks that are seen only when somebody opens them."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; one inside another has a smaller heading."""

    title: str
    blocks: tuple[Block, ...]


Block = (
    Cards | Table | Charts | Frames | Film | Facts | Note | Points | Command | Beside | Fold
    | Section
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        kind: What sort of report it is, above the title.
        title: What was looked at.
        verdict: The result in a sentence.
        sections: In their order; one without a title has no heading.
        warnings: What a reader must know before trusting the figures.
        footer: Last line.
    """

    kind: str
    title: str
    verdict: str
    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()
    footer: str = ''


def one_line(value: Any) -> str:
    """Any value as one line that can be printed; what cannot becomes `?`."""
    folded = ' '.join(str(value).split())
    return ''.join(sign if sign.isprintable() else '?' for sign in folded)


def figure(value: float | str | None, digits: int = 1) -> str:
    """A figure as text, never `-0.0`; a dash where there is none."""
    if isinstance(value, Integral | str):
        return str(value)
    if not isinstance(value, Real) or not math.isfinite(value):
        return DASH
    text = f'{value:.{digits}f}' if abs(value) < 1e9 else f'{value:.4g}'
    return text.lstrip('-') if float(text) == 0.0 else text


def signed(value: float | None, digits: int = 1) -> str:
    """A change with its sign, never `-0.0`; a dash where there is none."""
    text = figure(value, digits)
    return text if text[0] in f'-{DASH}' or float(text) == 0.0 else f'+{text}'


def percent(share: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 in percent; a dash where there is none."""
    return figure(None if share is None else 100.0 * share, digits)


def count_of(number: int, name: str) -> str:
    """`1 frame`, `2 frames`."""
    return f'{number} {name}' if number == 1 else f'{number} {name}s'


def words_of(line: Line) -> tuple[Words, ...]:
    """A line as its parts."""
    return line if isinstance(line, tuple) else (line,)
