# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A report with every block, whose texts and values are the worst that can come."""

from __future__ import annotations

import numpy as np

from upsnet_ros.report.document import (
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Charts,
    Column,
    Command,
    Facts,
    Film,
    Fold,
    Frame,
    Frames,
    Histogram,
    Interval,
    Key,
    Link,
    Note,
    Picture,
    Points,
    Reference,
    Report,
    Section,
    Table,
    Timeline,
    Toned,
    Track,
)

NASTY = '"><script>alert(1)</script>&amp;{{ 7 * 7 }}$x$'
NAN = float('nan')
VALUES = (None, NAN, float('inf'), 0.0, -0.0, 1.0, 100.0, -5.0, 1e300, 7, np.float32(2.5))
PICTURE = np.full((40, 60, 3), 128, np.uint8)


def track(*values: float, name: str = 'front', marks: tuple[float, ...] = ()) -> Track:
    seconds = np.arange(len(values), dtype=np.float64)
    return Track(name, seconds, np.array(values, np.float64), np.array(marks, np.float64))


def report_of(*blocks: Block, text: str = 'a report') -> Report:
    return Report(text, text, text, (Section(text, blocks),), (text,), text)


def every_block(text: str) -> tuple[Block, ...]:
    """One of each block, every text of it the given one."""
    line = (text, Toned(text, 'better'), Key((1, 2, 3), text), Link(text, text))
    reference = (Reference(1.0, text),)
    cells = tuple((text, Key((9, 9, 9), text), Toned(text, 'worse'), Bar(v), v) for v in VALUES)
    intervals = tuple((line, v, Interval(v, v, 2.0, 3.0, 'better')) for v in VALUES)
    pictures = (Picture(text, PICTURE), Picture(text, PICTURE))
    columns = tuple(Column(text, wide=i == 3, minor=i == 2) for i in range(5))
    return (
        Cards(tuple(Card(text, value, text, [line, text], alarm=True) for value in VALUES)),
        Table(columns, cells, total=True),
        Table((Column(text), Column(text), Column(text, wide=True)), intervals, scrolls=True),
        Charts((
            Timeline(text, (track(1, 2, NAN, name=text), track(3, name=text)), reference, 5.0),
            Histogram(text, (1, 2), 0.0, 1.0, 'ms', reference),
        )),
        Frames((Frame(text, pictures, (line, text), text),), across=4, legend=line),
        Film('film.webm', text, PICTURE),
        Facts({text: text, 'inner': {text: [text, None]}}, text),
        Note(line),
        Points((line, text)),
        Command(text),
        Beside((Note(text), Section(text, (Note(text),)))),
        Fold(text, (Note(text),)),
    )  # fmt: skip
