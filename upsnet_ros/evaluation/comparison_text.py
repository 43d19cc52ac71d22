# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from upsnet_ros.evaluation.comparison import Comparison, Difference
from upsnet_ros.evaluation.figures import BY_KEY

DASH = '–'
COLUMNS = ('', 'this', 'other', 'change', 'interval', '')
# An unclear change has no sign of its own.
VERDICT_MARKS = {'better': 'better', 'worse': 'worse', 'unclear': '', 'none': ''}


def plain(value: float | None, *, digits: int = 2) -> str:
    """A figure; a dash where there is none."""
    return DASH if value is None else f'{value:.{digits}f}'


def signed(value: float | None, *, digits: int = 2) -> str:
    """A change with its sign, never `-0.00`; a dash where there is none."""
    if value is None:
        return DASH
    text = f'{value:+.{digits}f}'
    return f'{0.0:.{digits}f}' if float(text) == 0.0 else text


def interval(difference: Difference, *, digits: int = 2) -> str:
    """Both ends of the interval of a change; a dash where there is none."""
    if difference.low is None or difference.high is None:
        return DASH
    return f'{signed(difference.low, digits=digits)} to {signed(difference.high, digits=digits)}'


def report_names(comparison: Comparison) -> tuple[str, str]:
    """Names of both reports: their models, with the folders where these have the same name."""
    this, against = comparison.this, comparison.against
    if this.model != against.model:
        return this.model, against.model
    return f'{this.model} ({this.folder})', f'{against.model} ({against.folder})'


def shown_totals(comparison: Comparison) -> dict[str, Difference]:
    """The totals that have a figure and mean the same in both reports."""
    return {
        name: value
        for name, value in comparison.totals.items()
        if (value.this is not None or value.against is not None)
        and (comparison.same_kind or not BY_KEY[name].live_name)
    }


def total_name(comparison: Comparison, key: str) -> str:
    """What a figure is called where both reports measure the same with it."""
    return BY_KEY[key].called(comparison.this.kind)


def comparison_text(comparison: Comparison) -> str:
    """Tables of all changes, and the frames that changed most."""
    frames, draws = comparison.frames, comparison.bootstrap
    heading = [
        f'this:  {comparison.this.model} ({comparison.this.folder})',
        f'other: {comparison.against.model} ({comparison.against.folder})',
        f'{frames.both} frames in both, {frames.with_truth} of them with ground truth; '
        f'{frames.only_this} only in this, {frames.only_against} only in the other. '
        f'{100 * draws.confidence:g} % intervals of {draws.resamples} draws.',
    ]
    if not comparison.same_kind:
        heading.append('One was live and one offline: their latencies are left out.')
    totals = [
        (f'{total_name(comparison, name)} [{BY_KEY[name].unit}]', *_cells(value))
        for name, value in shown_totals(comparison).items()
    ]
    parts = ['\n'.join(heading), table([COLUMNS, *totals])]
    for part, title in (('pq', 'PQ'), ('sq', 'SQ'), ('rq', 'RQ'), ('iou', 'IoU')):
        rows = [
            (entry.name, *_cells(getattr(entry, part)))
            for entry in comparison.classes
            if getattr(entry, part).this is not None or getattr(entry, part).against is not None
        ]
        if rows:
            parts.append(table([(f'{title} [%]', *COLUMNS[1:]), *rows]))
    for title, frames_moved in (('better', comparison.better), ('worse', comparison.worse)):
        rows = [
            (f'{f.camera} {f.stamp_ns}', plain(f.this), plain(f.against), signed(f.difference))
            for f in frames_moved
        ]
        if rows:
            parts.append(table([(f'frames that got {title}, PQ [%]', *COLUMNS[1:4]), *rows]))
    return '\n\n'.join(parts)


def _cells(value: Difference) -> tuple[str, ...]:
    return (
        plain(value.this),
        plain(value.against),
        signed(value.difference),
        interval(value),
        VERDICT_MARKS[value.verdict],
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in aligned columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append('  '.join([first, *others]).rstrip())
    return '\n'.join(lines)
