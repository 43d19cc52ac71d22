# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison of two replays for people: a page, a section of the report's page, the terminal.

And the page that leads to the reports of several models which were evaluated in one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.compared_pictures import ComparedPictures
from upsnet_ros.evaluation.comparison import (
    ComparedFrame,
    Comparison,
    Difference,
    read_comparison,
)
from upsnet_ros.evaluation.figures import BY_KEY, FIGURES
from upsnet_ros.evaluation.frame_record import PAGE_FILE
from upsnet_ros.evaluation.replay_report import read_report
from upsnet_ros.report.document import (
    DASH,
    Block,
    Card,
    Cards,
    Cell,
    Column,
    Command,
    Facts,
    Fold,
    Frame,
    Frames,
    Interval,
    Key,
    Link,
    Note,
    Points,
    Report,
    Section,
    Table,
    Tone,
    Toned,
    count_of,
    figure,
    signed,
)
from upsnet_ros.report.page import write_page
from upsnet_ros.report.text import terminal_text

COMPARISON_PAGE = 'comparison.html'
CARDS = ('pq', 'pq_things', 'pq_stuff', 'miou', 'unknown_share', 'latency_p50_ms')
PARTS = (('pq', 'PQ'), ('sq', 'SQ'), ('rq', 'RQ'), ('iou', 'IoU'))
TONES: dict[str, Tone] = {'better': 'better', 'worse': 'worse', 'unclear': 'unclear'}


def write_comparison_page(comparison: Comparison, folder: Path) -> Path:
    """Write `comparison.html`; returns its path.

    Raises:
        EvaluationError: the report that is judged is no longer where it was.
    """
    pictures = ComparedPictures(comparison, folder)
    if pictures.this is None:
        raise EvaluationError(
            f'{comparison.this.folder} has no report any more, expected the one that was '
            'compared; compare again'
        )
    reports = (
        Facts(vars(comparison.this), 'This'),
        Facts(vars(comparison.against), 'Other'),
    )
    page = Report(
        kind='Comparison',
        title=' against '.join(report_names(comparison)),
        verdict=_verdict(comparison),
        sections=(
            Section('', (_cards(comparison),)),
            comparison_section(comparison, pictures.this.label_set, pictures),
            Section('The reports', reports),
        ),
        footer='Made by upsnet_ros.',
    )
    return write_page(page, folder / COMPARISON_PAGE)


def comparison_section(
    comparison: Comparison, label_set: LabelSet, pictures: ComparedPictures
) -> Section:
    """What changed, how sure it is, and where to look.

    Args:
        comparison: what to show.
        label_set: colours of the classes.
        pictures: finds pictures of frames, where there are any.
    """
    colours = {entry.train_id: entry.colour for entry in label_set.classes}
    blocks: list[Block] = [Note(_introduction(comparison)), _totals(comparison, digits=1)]
    classes = [c for c in comparison.classes if c.pq.difference is not None]
    if classes:
        note = (
            'The dot is the change in percentage points, the line its interval; grey ones are '
            'not sure.'
        )
        rows = [(Key(colours.get(c.class_id, (0, 0, 0)), c.name), c.pq, '%') for c in classes]
        blocks.append(
            Section('Change of PQ by class', (Note(note), _changes('Class', rows, digits=1)))
        )
        blocks.append(Fold('All figures of all classes', (_all_figures(comparison),)))
    for title, frames in (('better', comparison.better), ('worse', comparison.worse)):
        if frames:
            shown = tuple(_frame(frame, pictures) for frame in frames)
            blocks.append(Section(f'Frames that got {title} most', (Frames(shown, across=4),)))
    return Section(f'Against {report_names(comparison)[1]}', tuple(blocks))


def comparison_text(comparison: Comparison) -> str:
    """Tables of all changes, and the frames that changed most, for the terminal."""
    this, against = comparison.this, comparison.against
    blocks: list[Block] = [
        Points(
            (f'this: {this.model} ({this.folder})', f'other: {against.model} ({against.folder})')
        ),
        Note(_introduction(comparison)),
        _totals(comparison, digits=2, in_words=True),
    ]
    for part, title in PARTS:
        rows = [(c.name, getattr(c, part), '%') for c in comparison.classes]
        told = [row for row in rows if row[1].this is not None or row[1].against is not None]
        if told:
            blocks.append(_changes(f'{title} [%]', told, digits=2, in_words=True))
    heads = (Column('this', 2), Column('other', 2), Column('change'))
    for title, frames in (('better', comparison.better), ('worse', comparison.worse)):
        if frames:
            cells = tuple(
                (f'{f.camera} {f.stamp_ns}', f.this, f.against, signed(f.difference, 2))
                for f in frames
            )
            columns = (Column(f'frames that got {title}, PQ [%]'), *heads)
            blocks.append(Table(columns, cells))
    return terminal_text(blocks)


def change_against(comparison: Comparison | None, key: str) -> Toned | None:
    """The change of a figure against the other report; None where there is none to tell."""
    value = shown_totals(comparison).get(key) if comparison else None
    if value is None or value.difference is None:
        return None
    return _toned(value, digits=2)


def report_names(comparison: Comparison) -> tuple[str, str]:
    """Names of both reports: their models, with the folders where these have the same name."""
    this, against = comparison.this, comparison.against
    if this.model != against.model:
        return this.model, against.model
    return f'{this.model} ({this.folder})', f'{against.model} ({against.folder})'


def shown_totals(comparison: Comparison) -> dict[str, Difference]:
    """The totals that have a figure and mean the same in both reports."""
    return {
        key: value
        for key, value in comparison.totals.items()
        if (value.this is not None or value.against is not None)
        and (comparison.same_kind or not BY_KEY[key].live_name)
    }


def _toned(value: Difference, *, digits: int = 1) -> Toned:
    return Toned(signed(value.difference, digits), TONES.get(value.verdict, 'soft'))


def _interval(value: Difference, *, digits: int = 1) -> str:
    """Both ends of the interval of a change; a dash where there is none."""
    if value.low is None or value.high is None:
        return DASH
    return f'{signed(value.low, digits)} to {signed(value.high, digits)}'


def _verdict(comparison: Comparison) -> str:
    """The result in a sentence."""
    quality = comparison.totals['pq']
    words = {
        'better': f'PQ is better by {figure(quality.difference)}',
        'worse': f'PQ is worse by {figure(-(quality.difference or 0.0))}',
        'unclear': f'PQ changed by {signed(quality.difference)}, which is not sure',
        'none': 'There is no ground truth to tell which is better',
    }
    text = words[quality.verdict]
    if quality.verdict == 'none':
        return f'{text}.'
    confidence = f'{100 * comparison.bootstrap.confidence:g} %'
    return f'{text} ({confidence} interval: {_interval(quality)}).'


def _cards(comparison: Comparison) -> Cards:
    shown = shown_totals(comparison)
    cards = []
    for key in CARDS:
        if key in shown:
            value, name = shown[key], BY_KEY[key].called(comparison.this.kind)
            ends = f'{figure(value.against)} to {figure(value.this)}'
            sure = Toned(_interval(value), TONES.get(value.verdict, 'soft'))
            cards.append(Card(name, signed(value.difference), BY_KEY[key].unit, [ends, sure]))
    return Cards(tuple(cards))


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
        f'{f" in blocks of {draws.block_frames}" if draws.block_frames > 1 else ""}; a change '
        'counts as better or worse where its interval leaves out zero.',
    ]
    if not comparison.same_kind:
        sentences.append(
            'One report is live and one offline: their latencies are left out, as they are not '
            'of the same thing.'
        )
    other = comparison.against
    sentences.append(f'The other report: {other.folder}, {other.backend} on {other.device}.')
    return ' '.join(sentences)


def _totals(comparison: Comparison, *, digits: int, in_words: bool = False) -> Table:
    rows = []
    for key, value in shown_totals(comparison).items():
        unit = BY_KEY[key].unit
        rows.append((f'{BY_KEY[key].called(comparison.this.kind)} [{unit}]', value, unit))
    return _changes('Over all', rows, digits=digits, in_words=in_words)


def _changes(
    title: str,
    rows: Sequence[tuple[Cell, Difference, str]],
    *,
    digits: int,
    in_words: bool = False,
) -> Table:
    """Both figures, the change and its interval in each row.

    Args:
        title: head of the first column.
        rows: name, figures, and unit, which decides what is drawn at the same scale.
        digits: of all figures.
        in_words: whether better and worse are said, for where there are no colours.
    """
    reach = {unit: _reach(row[1] for row in rows if row[2] == unit) for *_, unit in rows}
    heads = (Column('this', digits, minor=True), Column('other', digits, minor=True),
             Column('change'), Column('interval', digits, wide=True))  # fmt: skip
    cells = []
    for name, value, unit in rows:
        tone = TONES.get(value.verdict, 'soft')
        drawn = Interval(value.difference, value.low, value.high, reach[unit], tone)
        said = (value.verdict if tone in ('better', 'worse') else '',) if in_words else ()
        change = _toned(value, digits=digits)
        cells.append((name, value.this, value.against, change, drawn, *said))
    columns = (Column(title), *heads, *((Column(''),) if in_words else ()))
    return Table(columns, tuple(cells))


def _reach(values: Iterable[Difference]) -> float:
    """The largest distance from zero that must be drawn; 1 where there is none."""
    ends = (end for value in values for end in (value.low, value.high, value.difference))
    return max((abs(end) for end in ends if end), default=1.0)


def _all_figures(comparison: Comparison) -> Table:
    """PQ, SQ, RQ and IoU of every class that occurs."""
    heads = [head for _, title in PARTS for head in (title, 'change', 'interval')]
    rows = []
    for entry in comparison.classes:
        if entry.pq.this is not None or entry.pq.against is not None:
            values = [getattr(entry, part) for part, _ in PARTS]
            cells = [cell for v in values for cell in (v.this, _toned(v), _interval(v))]
            rows.append((entry.name, *cells))
    return Table((Column('Class'), *map(Column, heads)), tuple(rows), scrolls=True,
                 label='All figures of all classes')  # fmt: skip


def _frame(frame: ComparedFrame, pictures: ComparedPictures) -> Frame:
    """One frame in both reports."""
    start_ns = None if pictures.this is None else pictures.this.start_ns
    when = '' if start_ns is None else f' at {(frame.stamp_ns - start_ns) / 1e9:.1f} s'
    tone: Tone = 'better' if frame.difference > 0 else 'worse'
    note = (
        f'PQ {figure(frame.against)} to {figure(frame.this)},',
        Toned(signed(frame.difference), tone),
    )
    shown = pictures.of(frame.camera, frame.stamp_ns)
    return Frame(f'{frame.camera}{when}', shown, (note,), stamp=str(frame.stamp_ns))


def write_models_page(folder: Path, names: Sequence[str], *, baseline: str, command: str) -> Path:
    """Write `report.html` above the reports of several models; returns its path.

    Args:
        folder: where the folders of the reports lie.
        names: these folders, in the order of the models.
        baseline: what the models are compared with.
        command: the command line.

    Raises:
        EvaluationError: a report or a comparison is missing or not of this version.
    """
    figures = [each for each in FIGURES if each.column]
    rows, bag = [], ''
    for name in names:
        report, comparison = read_report(folder / name), read_comparison(folder / name)
        bag = Path(report.bag.path).name
        change: tuple[Cell, Cell] = (None, None)
        if comparison is not None:
            quality = comparison.totals['pq']
            change = (_toned(quality), _interval(quality))
        rows.append(
            (
                Link(name, f'{quote(name)}/{PAGE_FILE}'),
                f'{report.total.decoded} of {report.total.frames}',
                *change,
                *(each.shown(report.total) for each in figures),
            )
        )
    columns = (
        *map(Column, ('Model', 'frames', 'change of PQ', 'interval')),
        *(Column(each.column, digits=each.digits) for each in figures),
    )
    page = Report(
        kind='Models on one drive',
        title=f'{len(names)} models on {bag}',
        verdict=f'Changes of PQ are against {baseline}, with their intervals. The name of a model '
        'leads to its report.',
        sections=(
            Section('Models', (Table(columns, tuple(rows), scrolls=True, label='Models'),)),
            Section('Command', (Command(command),)),
        ),
        footer='Made by upsnet_ros.',
    )
    return write_page(page, folder / PAGE_FILE)
