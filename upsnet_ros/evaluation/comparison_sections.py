# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison of two replays for people: a page, a section of the report's page, the terminal.

And the page that leads to the reports of several models which were evaluated in one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from upsnet_ros.evaluation.compared_pictures import compared_pictures
from upsnet_ros.evaluation.comparison import ComparedFrame, Comparison, Difference, read_comparison
from upsnet_ros.evaluation.figures import BY_KEY, FIGURES
from upsnet_ros.evaluation.frame_record import PAGE_FILE
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report
from upsnet_ros.report import document as doc
from upsnet_ros.report.page import write_page
from upsnet_ros.report.text import terminal_text

COMPARISON_PAGE = 'comparison.html'
CARDS = ('pq', 'pq_things', 'pq_stuff', 'miou', 'unknown_share', 'latency_p50_ms')
PARTS = (('pq', 'PQ'), ('sq', 'SQ'), ('rq', 'RQ'), ('iou', 'IoU'))
TONES: dict[str, doc.Tone] = {'better': 'better', 'worse': 'worse', 'unclear': 'unclear'}


def write_comparison_page(comparison: Comparison, folder: Path) -> Path:
    """Write `comparison.html`; returns its path.

    Raises:
        EvaluationError: the report that is judged is no longer where it was.
    """
    report = read_report(Path(comparison.this.folder))
    reports = (
        doc.Facts(vars(comparison.this), 'This'),
        doc.Facts(vars(comparison.against), 'Other'),
    )
    page = doc.Report(
        kind='Comparison',
        title=' against '.join(report_names(comparison)),
        verdict=_verdict(comparison),
        sections=(
            doc.Section('', (_cards(comparison),)),
            comparison_section(comparison, report, folder),
            doc.Section('The reports', reports),
        ),
        footer='Made by upsnet_ros.',
    )
    return write_page(page, folder / COMPARISON_PAGE)


def comparison_section(comparison: Comparison, report: ReplayReport, folder: Path) -> doc.Section:
    """What changed, how sure it is, and where to look.

    Args:
        comparison: what to show.
        report: the one that is judged.
        folder: of the comparison, where the pictures of its frames lie.
    """
    colours = {entry.train_id: entry.colour for entry in report.label_set.classes}
    blocks: list[doc.Block] = [doc.Note(_introduction(comparison)), _totals(comparison, digits=1)]
    classes = [c for c in comparison.classes if c.pq.difference is not None]
    if classes:
        note = (
            'The dot is the change in percentage points, the line its interval; grey ones are '
            'not sure.'
        )
        rows = [(doc.Key(colours.get(c.class_id, (0, 0, 0)), c.name), c.pq, '%') for c in classes]
        blocks.append(
            doc.Section(
                'Change of PQ by class', (doc.Note(note), _changes('Class', rows, digits=1))
            )
        )
        blocks.append(doc.Fold('All figures of all classes', (_all_figures(comparison),)))
    for title, frames in (('better', comparison.better), ('worse', comparison.worse)):
        if frames:
            shown = tuple(_frame(frame, report, folder) for frame in frames)
            blocks.append(
                doc.Section(f'Frames that got {title} most', (doc.Frames(shown, across=4),))
            )
    return doc.Section(f'Against {report_names(comparison)[1]}', tuple(blocks))


def comparison_text(comparison: Comparison) -> str:
    """Tables of all changes, and the frames that changed most, for the terminal."""
    this, against = comparison.this, comparison.against
    blocks: list[doc.Block] = [
        doc.Points(
            (f'this: {this.model} ({this.folder})', f'other: {against.model} ({against.folder})')
        ),
        doc.Note(_introduction(comparison)),
        _totals(comparison, digits=2, in_words=True),
    ]
    for part, title in PARTS:
        rows = [(c.name, getattr(c, part), '%') for c in comparison.classes]
        told = [row for row in rows if row[1].this is not None or row[1].against is not None]
        if told:
            blocks.append(_changes(f'{title} [%]', told, digits=2, in_words=True))
    heads = (doc.Column('this', 2), doc.Column('other', 2), doc.Column('change'))
    for title, frames in (('better', comparison.better), ('worse', comparison.worse)):
        if frames:
            cells = tuple(
                (f'{f.camera} {f.stamp_ns}', f.this, f.against, doc.signed(f.difference, 2))
                for f in frames
            )
            columns = (doc.Column(f'frames that got {title}, PQ [%]'), *heads)
            blocks.append(doc.Table(columns, cells))
    return terminal_text(blocks)


def change_against(comparison: Comparison | None, key: str) -> doc.Toned | None:
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


def _toned(value: Difference, *, digits: int = 1) -> doc.Toned:
    return doc.Toned(doc.signed(value.difference, digits), TONES.get(value.verdict, 'soft'))


def _interval(value: Difference, *, digits: int = 1) -> str:
    """Both ends of the interval of a change; a dash where there is none."""
    if value.low is None or value.high is None:
        return doc.DASH
    return f'{doc.signed(value.low, digits)} to {doc.signed(value.high, digits)}'


def _verdict(comparison: Comparison) -> str:
    """The result in a sentence."""
    quality = comparison.totals['pq']
    words = {
        'better': f'PQ is better by {doc.figure(quality.difference)}',
        'worse': f'PQ is worse by {doc.figure(-(quality.difference or 0.0))}',
        'unclear': f'PQ changed by {doc.signed(quality.difference)}, which is not sure',
        'none': 'There is no ground truth to tell which is better',
    }
    text = words[quality.verdict]
    if quality.verdict == 'none':
        return f'{text}.'
    confidence = f'{100 * comparison.bootstrap.confidence:g} %'
    return f'{text} ({confidence} interval: {_interval(quality)}).'


def _cards(comparison: Comparison) -> doc.Cards:
    shown = shown_totals(comparison)
    cards = []
    for key in CARDS:
        if key in shown:
            value, name = shown[key], BY_KEY[key].called(comparison.this.kind)
            ends = f'{doc.figure(value.against)} to {doc.figure(value.this)}'
            sure = doc.Toned(_interval(value), TONES.get(value.verdict, 'soft'))
            cards.append(
                doc.Card(name, doc.signed(value.difference), BY_KEY[key].unit, [ends, sure])
            )
    return doc.Cards(tuple(cards))


def _introduction(comparison: Comparison) -> str:
    frames, draws = comparison.frames, comparison.bootstrap
    left_out = [
        f'{doc.count_of(number, "frame")} {where}'
        for number, where in (
            (frames.only_this, 'only here'),
            (frames.only_against, 'only in the other report'),
        )
        if number
    ]
    sentences = [
        f'{doc.count_of(frames.both, "frame")} that both reports have, {frames.with_truth} with '
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
    where = f'{other.backend} on {other.device} in {other.precision}'
    sentences.append(f'The other report: {other.folder}, {where}.')
    return ' '.join(sentences)


def _totals(comparison: Comparison, *, digits: int, in_words: bool = False) -> doc.Table:
    rows = []
    for key, value in shown_totals(comparison).items():
        unit = BY_KEY[key].unit
        rows.append((f'{BY_KEY[key].called(comparison.this.kind)} [{unit}]', value, unit))
    return _changes('Over all', rows, digits=digits, in_words=in_words)


def _changes(
    title: str,
    rows: Sequence[tuple[doc.Cell, Difference, str]],
    *,
    digits: int,
    in_words: bool = False,
) -> doc.Table:
    """Both figures, the change and its interval in each row.

    Args:
        title: head of the first column.
        rows: name, figures, and unit, which decides what is drawn at the same scale.
        digits: of all figures.
        in_words: whether better and worse are said, for where there are no colours.
    """
    reach = {unit: _reach(row[1] for row in rows if row[2] == unit) for *_, unit in rows}
    heads = (doc.Column('this', digits, minor=True), doc.Column('other', digits, minor=True),
             doc.Column('change'), doc.Column('interval', digits, wide=True))  # fmt: skip
    cells = []
    for name, value, unit in rows:
        tone = TONES.get(value.verdict, 'soft')
        drawn = doc.Interval(value.difference, value.low, value.high, reach[unit], tone)
        said = (value.verdict if tone in ('better', 'worse') else '',) if in_words else ()
        change = _toned(value, digits=digits)
        cells.append((name, value.this, value.against, change, drawn, *said))
    columns = (doc.Column(title), *heads, *((doc.Column(''),) if in_words else ()))
    return doc.Table(columns, tuple(cells))


def _reach(values: Iterable[Difference]) -> float:
    """The largest distance from zero that must be drawn; 1 where there is none."""
    ends = (end for value in values for end in (value.low, value.high, value.difference))
    return max((abs(end) for end in ends if end), default=1.0)


def _all_figures(comparison: Comparison) -> doc.Table:
    """PQ, SQ, RQ and IoU of every class that occurs."""
    heads = [head for _, title in PARTS for head in (title, 'change', 'interval')]
    rows = []
    for entry in comparison.classes:
        if entry.pq.this is not None or entry.pq.against is not None:
            values = [getattr(entry, part) for part, _ in PARTS]
            cells = [cell for v in values for cell in (v.this, _toned(v), _interval(v))]
            rows.append((entry.name, *cells))
    return doc.Table((doc.Column('Class'), *map(doc.Column, heads)), tuple(rows), scrolls=True,
                 label='All figures of all classes')  # fmt: skip


def _frame(frame: ComparedFrame, report: ReplayReport, folder: Path) -> doc.Frame:
    start_ns = report.start_ns
    when = '' if start_ns is None else f' at {(frame.stamp_ns - start_ns) / 1e9:.1f} s'
    tone: doc.Tone = 'better' if frame.difference > 0 else 'worse'
    note = (
        f'PQ {doc.figure(frame.against)} to {doc.figure(frame.this)},',
        doc.Toned(doc.signed(frame.difference), tone),
    )
    shown = compared_pictures(folder, frame.camera, frame.stamp_ns)
    return doc.Frame(f'{frame.camera}{when}', shown, (note,), stamp=str(frame.stamp_ns))


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
        change: tuple[doc.Cell, doc.Cell] = (None, None)
        if comparison is not None:
            quality = comparison.totals['pq']
            change = (_toned(quality), _interval(quality))
        rows.append(
            (
                doc.Link(name, f'{quote(name)}/{PAGE_FILE}'),
                f'{report.total.decoded} of {report.total.frames}',
                *change,
                *(each.shown(report.total) for each in figures),
            )
        )
    columns = (
        *map(doc.Column, ('Model', 'frames', 'change of PQ', 'interval')),
        *(doc.Column(each.column, digits=each.digits) for each in figures),
    )
    page = doc.Report(
        kind='Models on one drive',
        title=f'{len(names)} models on {bag}',
        verdict=f'Changes of PQ are against {baseline}, with their intervals. The name of a model '
        'leads to its report.',
        sections=(
            doc.Section(
                'Models', (doc.Table(columns, tuple(rows), scrolls=True, label='Models'),)
            ),
            doc.Section('Command', (doc.Command(command),)),
        ),
        footer='Made by upsnet_ros.',
    )
    return write_page(page, folder / PAGE_FILE)
