# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation as blocks, which become a page, Markdown and lines of a terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.tables import (
    CLASS_COLUMNS,
    PAPER_COLUMNS,
    class_rows,
    footnotes,
    mask_precision,
    paper_cells,
    paper_row,
)
from training.evaluation.worst_frames import WorstFrame, frame_panels, what_is_worst
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.overlay import UNKNOWN_BGR, WRONG_BGR
from upsnet_ros.report.document import (
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Cell,
    Charts,
    Column,
    Command,
    Facts,
    Frame,
    Frames,
    Histogram,
    Key,
    Note,
    Picture,
    Points,
    Report,
    Section,
    Table,
    count_of,
    figure,
    percent,
)
from upsnet_ros.report.text import terminal_text

BINS = 20  # of 5 % each
TOLD = 5  # names in a sentence; metrics.json has all
CLASSES_NOTE = (
    'The bar is the panoptic quality in the colour of the class. A dash is no figure: the class '
    'was neither there nor predicted, or the figure is not known for it. TP, FP and FN count '
    'segments.'
)


def evaluation_report(
    metrics: dict[str, Any],
    frames: Sequence[dict[str, Any]],
    worst: Sequence[WorstFrame],
    label_set: LabelSet,
) -> Report:
    """Everything an evaluation tells people.

    Args:
        metrics: Content of ``metrics.json``.
        frames: Name, panoptic quality [%], share of unknown pixels and time [ms] of each frame.
        worst: Frames to show, the worst first.
        label_set: Names and colours of the classes.
    """
    data = metrics['data']
    model = Path(str(metrics['model']['path'])).name
    paper = Table(
        (Column('Model'), *map(Column, PAPER_COLUMNS)),
        ((model, *paper_cells(metrics)),),
        scrolls=True,
        label="Figures in the paper's order",
    )
    facts = ('model', 'data', 'options', 'environment')
    sections = (
        Section('', (_headlines(metrics),)),
        Section("In the paper's order", (paper, Points(tuple(footnotes(metrics))))),
        Section('Classes', (Note(CLASSES_NOTE), *_classes(metrics, label_set))),
        Section('Frames', (Charts((_histogram(frames),)), Note(_spread(frames)))),
        *_worst_frames(worst, label_set),
        *_left_out(metrics),
        Section(
            'How this was measured',
            (
                Section('Command', (Command(metrics['command']),)),
                Beside(tuple(Facts(metrics[name], name.capitalize()) for name in facts)),
            ),
        ),
    )
    return Report(
        kind='Evaluation',
        title=f'{model} on {Path(data["root"]).name}',
        verdict=f'{metrics["frames"]} frames of split {data["split"]}, label set '
        f'{data["label_set"]}.',
        sections=sections,
        warnings=tuple(warnings(metrics)),
        footer='Made by upsnet_ros.',
    )


def terminal_table(metrics: dict[str, Any]) -> str:
    """One line for all classes, for things, for stuff, and for each class.

    Args:
        metrics: Content of ``metrics.json``.
    """
    precision = metrics['ap'] and metrics['ap']['box']
    sources = ((metrics['miou'], 'miou'), (precision, 'ap'), (mask_precision(metrics), 'ap'))
    means = [table['per_class'] | {'all': table[key]} if table else {} for table, key in sources]
    quality = metrics['pq']
    rows = [(group, quality[group]) for group in ('all', 'things', 'stuff')]
    rows += [(row['name'], row) for row in quality['per_class']]
    columns = ('', 'PQ', 'SQ', 'RQ', 'IoU', 'AP box', 'AP mask')
    cells = tuple(
        (name, *(row[part] for part in ('pq', 'sq', 'rq')), *(table.get(name) for table in means))
        for name, row in rows
    )
    return terminal_text([Table(tuple(map(Column, columns)), cells)])


def _headlines(metrics: dict[str, Any]) -> Cards:
    row = paper_row(metrics)
    pq, sq, rq, pq_things, _, _, pq_stuff, _, _, miou, ap_box, ap_mask, milliseconds = row
    skipped = len(metrics['skipped'])
    kind = metrics['ap']['of'] if metrics['ap'] else 'not measured'
    return Cards(
        (
            Card('Panoptic quality', pq, '%',
                 f'things {figure(pq_things)} · stuff {figure(pq_stuff)}'),
            Card('Segmentation quality', sq, '%', 'mean IoU of the matches'),
            Card('Recognition quality', rq, '%', 'F1 of the matching'),
            Card('Mean IoU', miou, '%', 'semantic head' if miou is not None else 'not known'),
            Card('AP of masks', ap_mask, '%', f'boxes {figure(ap_box)} · {kind}'),
            Card('Unknown pixels', 100 * metrics['unknown_share'], '%',
                 'of all, mean of frames', digits=2),
            Card('Run time', milliseconds, 'ms', 'per image, mean', digits=0),
            Card('Frames', metrics['frames'], '',
                 f'{skipped} left out' if skipped else 'none left out', alarm=bool(skipped)),
        )
    )  # fmt: skip


def _classes(metrics: dict[str, Any], label_set: LabelSet) -> list[Table]:
    """Things and stuff, each with bars in the classes' colours."""
    colours = {entry.train_id: entry.colour for entry in label_set.classes}
    tables = []
    for title, is_thing in (('Things', True), ('Stuff', False)):
        rows: list[tuple[Cell, ...]] = [
            (
                Key(colours[row.class_id], row.name),
                Bar(row.figures[0], colours[row.class_id]),
                *row.figures,
                *row.counts,
            )
            for row in class_rows(metrics)
            if row.is_thing == is_thing
        ]
        columns = (Column(title), Column('', wide=True), *map(Column, CLASS_COLUMNS))
        tables.append(Table(columns, tuple(rows), scrolls=True))
    return tables


def _histogram(frames: Sequence[dict[str, Any]]) -> Histogram:
    quality = np.clip([frame['pq'] for frame in frames], 0, 100)
    counts = np.histogram(quality, bins=BINS, range=(0, 100))[0]
    title = 'Frames by their panoptic quality'
    return Histogram(title, tuple(counts.tolist()), 0, 100, 'PQ of a frame [%]')


def _spread(frames: Sequence[dict[str, Any]]) -> str:
    """The histogram in a sentence."""
    low, middle, high = np.percentile([frame['pq'] for frame in frames], (10, 50, 90))
    return (
        f'Half of the frames are above {figure(middle)}, one in ten below {figure(low)}, one in '
        f'ten above {figure(high)}. The mean of these is not the PQ above: there every class '
        'counts once over all frames.'
    )


def _worst_frames(worst: Sequence[WorstFrame], label_set: LabelSet) -> list[Section]:
    if not worst:
        return []
    frames = tuple(
        Frame(
            frame.name,
            tuple(
                Picture(name, panel, widest=640)
                for name, panel in frame_panels(frame, label_set).items()
            ),
            (
                f'PQ {figure(frame.pq)} · {percent(frame.unknown_share)} % unknown',
                what_is_worst(frame, label_set),
            ),
        )
        for frame in worst
    )
    legend = (
        'In the last picture:',
        Key(WRONG_BGR[::-1], 'wrong class'),
        Key(UNKNOWN_BGR[::-1], 'labelled unknown'),
    )
    note = Note('The lowest panoptic quality of all.')
    return [Section('Worst frames', (note, Frames(frames, legend=legend)))]


def _left_out(metrics: dict[str, Any]) -> list[Section]:
    """Every frame that was skipped or got an empty answer, by name."""
    skipped = tuple((entry['name'], entry['problem']) for entry in metrics['skipped'])
    empty = tuple((name, 'no segment; counted') for name in metrics['empty_predictions'])
    blocks: list[Block] = [
        Table((Column(title), Column('problem', words=True)), rows)
        for title, rows in (('left out', skipped), ('empty prediction', empty))
        if rows
    ]
    return [Section('Frames left out or empty', tuple(blocks))] if blocks else []


def warnings(metrics: dict[str, Any]) -> list[str]:
    """One sentence for each thing that makes the figures other than they seem.

    Args:
        metrics: Content of ``metrics.json``.
    """
    lines = []
    skipped, empty = metrics['skipped'], metrics['empty_predictions']
    if skipped:
        are = 'is' if len(skipped) == 1 else 'are'
        lines.append(
            f'{count_of(len(skipped), "frame")} could not be evaluated and {are} left out of all '
            'figures; they are listed below.'
        )
    if empty:
        lines.append(
            f'{count_of(len(empty), "frame")} got labels without a single segment and '
            f'{"count" if len(empty) > 1 else "counts"} with all their misses: {_names(empty)}.'
        )
    lines += _about_classes(metrics)
    oracles = metrics['options'].get('oracles')
    if oracles:
        lines.append(
            f'The truth stood in for a part of the answer ({", ".join(oracles)}): these are not '
            'figures of the model alone.'
        )
    return lines


def _about_classes(metrics: dict[str, Any]) -> list[str]:
    rows = class_rows(metrics)
    absent = [row.name for row in rows if not any(row.counts)]
    invented = [row.name for row in rows if row.counts[0] + row.counts[2] == 0 < row.counts[1]]
    lines = []
    if absent:
        lines.append(
            f'{_classes_are(absent)} in neither truth nor labels and count in no mean, so the '
            f'means are not those of the whole label set: {_names(absent)}.'
        )
    if invented:
        lines.append(
            f'{_classes_are(invented)} in the labels but never in the truth; their PQ of 0 counts '
            f'in the means: {_names(invented)}.'
        )
    return lines


def _classes_are(names: Sequence[str]) -> str:
    return '1 class is' if len(names) == 1 else f'{len(names)} classes are'


def _names(names: Sequence[str]) -> str:
    more = len(names) - TOLD
    return ', '.join(names[:TOLD]) + (f' and {more} more' if more > 0 else '')
