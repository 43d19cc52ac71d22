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
    paper_cells,
    paper_row,
)
from training.evaluation.worst_frames import WorstFrame, frame_panels, what_is_worst
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.overlay import UNKNOWN_BGR, WRONG_BGR
from upsnet_ros.report import document as doc
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
) -> doc.Report:
    """Everything an evaluation tells people.

    Args:
        metrics: Content of ``metrics.json``.
        frames: Name, panoptic quality [%], share of unknown pixels and time [ms] of each frame.
        worst: Frames to show, the worst first.
        label_set: Names and colours of the classes.
    """
    data = metrics['data']
    model = Path(str(metrics['model']['path'])).name
    paper = doc.Table(
        (doc.Column('Model'), *map(doc.Column, PAPER_COLUMNS)),
        ((model, *paper_cells(metrics)),),
        scrolls=True,
        label="Figures in the paper's order",
    )
    facts = ('model', 'data', 'options', 'environment')
    sections = (
        doc.Section('', (_headlines(metrics),)),
        doc.Section("In the paper's order", (paper, doc.Points(tuple(footnotes(metrics))))),
        doc.Section('Classes', (doc.Note(CLASSES_NOTE), *_classes(metrics, label_set))),
        doc.Section('Frames', (doc.Charts((_histogram(frames),)), doc.Note(_spread(frames)))),
        *_worst_frames(worst, label_set),
        *_left_out(metrics),
        doc.Section(
            'How this was measured',
            (
                doc.Section('Command', (doc.Command(metrics['command']),)),
                doc.Beside(tuple(doc.Facts(metrics[name], name.capitalize()) for name in facts)),
            ),
        ),
    )
    return doc.Report(
        kind='Evaluation',
        title=f'{model} on {Path(data["root"]).name}',
        verdict=f'{metrics["frames"]} frames of split {data["split"]}, label set '
        f'{data["label_set"]}.',
        sections=sections,
        warnings=tuple(warnings(metrics)),
        footer='Made by upsnet_ros.',
    )


def terminal_table(metrics: dict[str, Any]) -> str:
    """One line for all classes, for things, for stuff, and for each class; a dash is no figure.

    Args:
        metrics: Content of ``metrics.json``.
    """
    quality = paper_row(metrics)
    cells: list[tuple[doc.Cell, ...]] = []
    miou, box, mask = quality[9:12]
    for start, group in ((0, 'all'), (3, 'things'), (6, 'stuff')):
        whole = (miou, box, mask) if group == 'all' else (None, None, None)
        cells.append((group, *quality[start : start + 3], *whole))
    cells += [(row.name, *row.figures) for row in class_rows(metrics)]
    columns = ('', 'PQ', 'SQ', 'RQ', 'IoU', 'AP box', 'AP mask')
    return terminal_text([doc.Table(tuple(map(doc.Column, columns)), tuple(cells))])


def _headlines(metrics: dict[str, Any]) -> doc.Cards:
    row = paper_row(metrics)
    pq, sq, rq, pq_things, _, _, pq_stuff, _, _, miou, ap_box, ap_mask, milliseconds = row
    skipped = len(metrics['skipped'])
    kind = metrics['ap']['of'] if metrics['ap'] else 'not measured'
    return doc.Cards(
        (
            doc.Card('Panoptic quality', pq, '%',
                 f'things {doc.figure(pq_things)} · stuff {doc.figure(pq_stuff)}'),
            doc.Card('Segmentation quality', sq, '%', 'mean IoU of the matches'),
            doc.Card('Recognition quality', rq, '%', 'F1 of the matching'),
            doc.Card('Mean IoU', miou, '%', 'semantic head' if miou is not None else 'not known'),
            doc.Card('AP of masks', ap_mask, '%', f'boxes {doc.figure(ap_box)} · {kind}'),
            doc.Card('Unknown pixels', 100 * metrics['unknown_share'], '%',
                 'of all, mean of frames', digits=2),
            doc.Card('Run time', milliseconds, 'ms', 'per image, mean', digits=0),
            doc.Card('Frames', metrics['frames'], '',
                 f'{skipped} left out' if skipped else 'none left out', alarm=bool(skipped)),
        )
    )  # fmt: skip


def _classes(metrics: dict[str, Any], label_set: LabelSet) -> list[doc.Table]:
    """Things and stuff, each with bars in the classes' colours."""
    colours = {entry.train_id: entry.colour for entry in label_set.classes}
    tables = []
    for title, is_thing in (('Things', True), ('Stuff', False)):
        rows: list[tuple[doc.Cell, ...]] = [
            (
                doc.Key(colours[row.class_id], row.name),
                doc.Bar(row.figures[0], colours[row.class_id]),
                *row.figures,
                *row.counts,
            )
            for row in class_rows(metrics)
            if row.is_thing == is_thing
        ]
        columns = (doc.Column(title), doc.Column('', wide=True), *map(doc.Column, CLASS_COLUMNS))
        tables.append(doc.Table(columns, tuple(rows), scrolls=True))
    return tables


def _histogram(frames: Sequence[dict[str, Any]]) -> doc.Histogram:
    quality = np.clip([frame['pq'] for frame in frames], 0, 100)
    counts = np.histogram(quality, bins=BINS, range=(0, 100))[0]
    title = 'Frames by their panoptic quality'
    return doc.Histogram(title, tuple(counts.tolist()), 0, 100, 'PQ of a frame [%]')


def _spread(frames: Sequence[dict[str, Any]]) -> str:
    """The histogram in a sentence."""
    low, middle, high = np.percentile([frame['pq'] for frame in frames], (10, 50, 90))
    return (
        f'Half of the frames are above {doc.figure(middle)}, one in ten below {doc.figure(low)}, '
        f'one in ten above {doc.figure(high)}. The mean of these is not the PQ above: there every '
        'class counts once over all frames.'
    )


def _worst_frames(worst: Sequence[WorstFrame], label_set: LabelSet) -> list[doc.Section]:
    if not worst:
        return []
    frames = tuple(
        doc.Frame(
            frame.name,
            tuple(
                doc.Picture(name, panel, widest=640)
                for name, panel in frame_panels(frame, label_set).items()
            ),
            (
                f'PQ {doc.figure(frame.pq)} · {doc.percent(frame.unknown_share)} % unknown',
                what_is_worst(frame, label_set),
            ),
        )
        for frame in worst
    )
    legend = (
        'In the last picture:',
        doc.Key(WRONG_BGR[::-1], 'wrong class'),
        doc.Key(UNKNOWN_BGR[::-1], 'labelled unknown'),
    )
    note = doc.Note('The lowest panoptic quality of all.')
    return [doc.Section('Worst frames', (note, doc.Frames(frames, legend=legend)))]


def _left_out(metrics: dict[str, Any]) -> list[doc.Section]:
    """Every frame that was skipped or got an empty answer, by name."""
    skipped = tuple((entry['name'], entry['problem']) for entry in metrics['skipped'])
    empty = tuple((name, 'no segment; counted') for name in metrics['empty_predictions'])
    blocks: list[doc.Block] = [
        doc.Table((doc.Column(title), doc.Column('problem', words=True)), rows)
        for title, rows in (('left out', skipped), ('empty prediction', empty))
        if rows
    ]
    return [doc.Section('Frames left out or empty', tuple(blocks))] if blocks else []


def has_figures(metrics: dict[str, Any]) -> bool:
    """Whether any pixel of the truth has a class, so that something was measured."""
    return metrics['has_truth'] and metrics['pq']['all']['classes'] > 0


def warnings(metrics: dict[str, Any]) -> list[str]:
    """One sentence for each thing that makes the figures other than they seem.

    Args:
        metrics: Content of ``metrics.json``.
    """
    lines = []
    if not metrics['has_truth']:
        lines.append('The split has no truth: there are no figures, only predictions.')
    elif not has_figures(metrics):
        lines.append(
            'Every pixel of the truth is void, as where it is kept secret or is of other classes: '
            'there are no figures.'
        )
    lines += [
        f'The classes of the data are others: {line}.' for line in metrics['label_set_remarks']
    ]
    skipped, empty = metrics['skipped'], metrics['empty_predictions']
    if skipped:
        are = 'is' if len(skipped) == 1 else 'are'
        lines.append(
            f'{doc.count_of(len(skipped), "frame")} could not be evaluated and {are} left out of '
            f'all figures, for example {skipped[0]["name"]}: {skipped[0]["problem"]}'
        )
    if empty:
        lines.append(
            f'{doc.count_of(len(empty), "frame")} got labels without a single segment and '
            f'{"count" if len(empty) > 1 else "counts"} with all their misses: {_names(empty)}.'
        )
    lines += _about_classes(metrics) if has_figures(metrics) else []
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
