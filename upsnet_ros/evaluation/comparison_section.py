# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison as a part of a page: what changed, how sure it is, and where to look."""

from __future__ import annotations

from collections.abc import Sequence

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.comparison import ClassDifference, ComparedFrame, Comparison, Difference
from upsnet_ros.evaluation.comparison_text import (
    interval,
    plain,
    report_names,
    shown_totals,
    signed,
    total_name,
)
from upsnet_ros.evaluation.figures import BY_KEY
from upsnet_ros.evaluation.frame_pictures import ComparedPictures
from upsnet_ros.evaluation.page_text import chip, count_of, html_text

HEADS = ('this', 'other', 'change')


def comparison_section(
    comparison: Comparison, label_set: LabelSet, pictures: ComparedPictures
) -> str:
    """The section.

    Args:
        comparison: What to show.
        label_set: Colours of the classes.
        pictures: Finds pictures of frames, where there are any.
    """
    with_quality = [c for c in comparison.classes if c.pq.difference is not None]
    parts = [
        f'<section><h2>Against {html_text(report_names(comparison)[1])}</h2>',
        f'<p class="note">{_introduction(comparison)}</p>',
        _totals(comparison),
    ]
    if with_quality:
        parts.append(
            '<h3>Change of PQ by class</h3><p class="note">The dot is the change in percentage '
            'points, the line its interval; grey ones are not sure.</p>'
        )
        parts.append(_class_changes(with_quality, label_set))
        parts.append(_all_figures(comparison.classes))
    start_ns = pictures.start_ns
    for title, frames in (('better', comparison.better), ('worse', comparison.worse)):
        if frames:
            figures = ''.join(_frame(frame, pictures, start_ns) for frame in frames)
            parts.append(f'<h3>Frames that got {title} most</h3>{figures}')
    return ''.join([*parts, '</section>'])


def _introduction(comparison: Comparison) -> str:
    frames, draws = comparison.frames, comparison.bootstrap
    left_out = [
        f'{count_of(number, "frame")} {where}'
        for number, where in (
            (frames.only_this, 'only here'),
            (frames.only_against, 'only in the other report'),
        )
        if number
    ]
    sentences = [
        f'{count_of(frames.both, "frame")} that both reports have, {frames.with_truth} with '
        f'ground truth{"; left out: " + ", ".join(left_out) if left_out else ""}.',
        f'Intervals hold {100 * draws.confidence:g} % of {draws.resamples} draws of the frames'
        f'{f" in blocks of {draws.block_frames}" if draws.block_frames > 1 else ""}; a change is '
        'coloured where its interval leaves out zero.',
    ]
    if not comparison.same_kind:
        sentences.append(
            'One report is live and one offline: their latencies are not set against each other.'
        )
    other = comparison.against
    sentences.append(f'The other report: {other.folder}, {other.backend} on {other.device}.')
    return html_text(' '.join(sentences))


def _totals(comparison: Comparison) -> str:
    shown = shown_totals(comparison)
    reach = {
        unit: _reach(shown[n] for n in shown if BY_KEY[n].unit == unit) for unit in '% ms'.split()
    }
    rows = ''.join(
        _row(
            f'{html_text(total_name(comparison, name))} <small>{BY_KEY[name].unit}</small>',
            value,
            reach[BY_KEY[name].unit],
        )
        for name, value in shown.items()
    )  # fmt: skip
    return _change_table('Over all', rows)


def _class_changes(classes: Sequence[ClassDifference], label_set: LabelSet) -> str:
    colours = {entry.train_id: entry.colour for entry in label_set.classes}
    reach = _reach(entry.pq for entry in classes)
    rows = ''.join(
        _row(
            f'{chip(colours.get(entry.class_id, (0, 0, 0)))}{html_text(entry.name)}',
            entry.pq,
            reach,
        )
        for entry in classes
    )
    return _change_table('Class', rows)


def _change_table(title: str, rows: str) -> str:
    heads = ''.join(
        f'<th class="{"factor" if head != "change" else ""}">{head}</th>' for head in HEADS
    )
    return (
        f'<table class="changes"><thead><tr><th>{title}</th>{heads}<th class="wide">interval</th>'
        f'</tr></thead><tbody>{rows}</tbody></table>'
    )


def _row(name: str, value: Difference, reach: float) -> str:
    """A row of a table; `name` is HTML."""
    return (
        f'<tr><td class="name">{name}</td><td class="factor">{plain(value.this, digits=1)}</td>'
        f'<td class="factor">{plain(value.against, digits=1)}</td>'
        f'<td class="{value.verdict}">{signed(value.difference, digits=1)}</td>'
        f'<td class="wide">{_whisker(value, reach)}</td></tr>'
    )


def _reach(differences: object) -> float:
    """The largest distance from zero that must be drawn; 1 where there is none."""
    ends = [
        abs(end)
        for value in differences
        for end in (value.low, value.high, value.difference)
        if end
    ]
    return max(ends, default=1.0)


def _whisker(value: Difference, reach: float) -> str:
    """The interval as a line and the change as a dot on both sides of a zero in the middle."""
    if value.difference is None:
        return ''

    def place(end: float) -> float:
        return round(50.0 + 48.0 * max(-1.0, min(1.0, end / reach)), 2)

    low = place(value.difference if value.low is None else value.low)
    high = place(value.difference if value.high is None else value.high)
    label = f'{signed(value.difference)}, {interval(value)}'
    return (
        f'<div class="whisker {value.verdict}" role="img" aria-label="{html_text(label)}" '
        f'title="{html_text(label)}"><i style="left:{low}%;width:{round(high - low, 2)}%"></i>'
        f'<b style="left:{place(value.difference)}%"></b></div>'
    )


def _all_figures(classes: Sequence[ClassDifference]) -> str:
    """PQ, SQ, RQ and IoU of every class, in a box that opens and scrolls by itself."""
    parts = (('pq', 'PQ'), ('sq', 'SQ'), ('rq', 'RQ'), ('iou', 'IoU'))
    heads = ''.join(f'<th>{title}</th><th>change</th><th>interval</th>' for _, title in parts)
    rows = ''.join(
        f'<tr><td class="name">{html_text(entry.name)}</td>'
        + ''.join(_three_cells(getattr(entry, part)) for part, _ in parts)
        + '</tr>'
        for entry in classes
        if entry.pq.this is not None or entry.pq.against is not None
    )
    return (
        '<details><summary>All figures of all classes</summary><div class="scroll" role="region" '
        'tabindex="0" aria-label="All figures of all classes"><table><thead><tr><th>Class</th>'
        f'{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _three_cells(value: Difference) -> str:
    return (
        f'<td>{plain(value.this, digits=1)}</td><td class="{value.verdict}">'
        f'{signed(value.difference, digits=1)}</td><td>{interval(value, digits=1)}</td>'
    )


def _frame(frame: ComparedFrame, pictures: ComparedPictures, start_ns: int | None) -> str:
    """One frame in both reports."""
    when = '' if start_ns is None else f' at {(frame.stamp_ns - start_ns) / 1e9:.1f} s'
    verdict = 'better' if frame.difference > 0 else 'worse'
    figures = ''.join(
        f'<figure><img src="{uri}" width="{width}" height="{height}" decoding="async" '
        f'alt="{html_text(caption)} of this frame"><figcaption>{html_text(caption)}</figcaption>'
        '</figure>'
        for caption, (uri, width, height) in pictures.of(frame.camera, frame.stamp_ns).items()
    )
    panels = f'<div class="panels side">{figures}</div>' if figures else ''
    return (
        f'<div class="frame"><h4>{html_text(frame.camera)}{when} <span class="stamp">'
        f'{frame.stamp_ns}</span></h4><p class="note">PQ {plain(frame.against, digits=1)} to '
        f'{plain(frame.this, digits=1)}, <span class="{verdict}">'
        f'{signed(frame.difference, digits=1)}</span></p>{panels}</div>'
    )
