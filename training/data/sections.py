# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a look at a data set found, as blocks of a report for terminal and page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.data.class_statistics import ClassStatistics, SplitStatistics
from training.data.split_report import SplitReport
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.report import document as doc

COUNTS = ('objects', 'small', 'medium', 'large', 'crowds')
SIZES_TOLD = 5
PROBLEMS_TOLD = 20
CLASSES_TOLD = 20
SHEET_WIDTH = 1800  # pixels on the page
UNPAIRED = {
    'images_without_truth': 'images without truth',
    'truth_without_image': 'files of truth without an image',
}


def check_report(
    content: dict[str, Any], reports: dict[str, SplitReport], folder: Path
) -> doc.Report:
    """All that a check found.

    Args:
        content: Of ``data_check.json``.
        reports: Splits by their names.
        folder: Where that file and the sheets lie.
    """
    data, problems = content['data'], content['problems']
    frames = sum(report.statistics.frames for report in reports.values())
    sections = []
    for name, report in reports.items():
        found = split_section(report)
        sheet = content['splits'][name]['sheet']
        shown: list[doc.Block] = []
        if sheet:
            caption = 'images beside their truth, under a legend of the classes'
            picture = doc.Picture(caption, folder / sheet, widest=SHEET_WIDTH)
            shown = [doc.Frames((doc.Frame('Some frames', (picture,)),), across=1)]
        sections.append(doc.Section(found.title, (*found.blocks, *shown)))
    left_out = content['splits_without_truth']
    return doc.Report(
        kind='Data check',
        title=Path(data['root']).name,
        verdict=f'{doc.count_of(frames, "usable frame")} in {doc.count_of(len(reports), "split")}, '
        f'{data["format"]} format, classes of {data["label_set"]}: {problems_found(problems)}.',
        sections=(*sections, doc.Section('Command', (doc.Command(content['command']),))),
        warnings=(f'Not looked at, for want of truth: {", ".join(left_out)}.',)
        if left_out
        else (),
        footer='Made by upsnet_ros.',
    )


def problems_found(number: int) -> str:
    """`no problems`, `1 problem`, `2 problems`."""
    return doc.count_of(number, 'problem') if number else 'no problems'


def split_section(report: SplitReport) -> doc.Section:
    """Counts, the table of classes, unused files, remarks and problems of a split."""
    statistics = report.statistics
    broken = f', {len(report.broken)} broken' if report.broken else ''
    blocks: list[doc.Block] = []
    if statistics.frames:
        blocks += [_cards(statistics), *_class_tables(statistics, report.summary.label_set)]
    remarks = _remarks(report)
    if remarks:
        blocks.append(doc.Section('Remarks', (doc.Points(tuple(remarks)),)))
    problems = report.problems
    if problems:
        lines = problems[:PROBLEMS_TOLD]
        if len(problems) > PROBLEMS_TOLD:
            lines.append(f'and {len(problems) - PROBLEMS_TOLD} more in data_check.json')
        blocks.append(doc.Section(f'Problems ({len(problems)})', (doc.Points(tuple(lines)),)))
    title = f"split '{report.summary.split}': {statistics.frames} usable frames{broken}"
    return doc.Section(title, tuple(blocks))


def _cards(statistics: SplitStatistics) -> doc.Cards:
    small, medium, large = (statistics.total(key) for key in ('small', 'medium', 'large'))
    return doc.Cards(
        (
            doc.Card('Frames', statistics.frames, '', _sizes(statistics)),
            doc.Card('Objects', statistics.total('objects'), '',
                 f'{small} small, {medium} medium, {large} large'),
            doc.Card('Crowds', statistics.total('crowds')),
            doc.Card('Void', 100 * (statistics.void_share or 0.0), '%', 'of the pixels'),
        )
    )  # fmt: skip


def _sizes(statistics: SplitStatistics) -> str:
    parts = [f'{w}x{h} ({count})' for (h, w), count in statistics.sizes.items()]
    more = f' and {len(parts) - SIZES_TOLD} more' if len(parts) > SIZES_TOLD else ''
    return ', '.join(parts[:SIZES_TOLD]) + more


def _class_tables(statistics: SplitStatistics, label_set: LabelSet) -> list[doc.Table]:
    """The classes that occur, stuff first; a bar is the share of the pixels, of the largest."""
    classes = list(zip(statistics.classes, label_set.classes, statistics.shares(), strict=True))
    largest = max((share for *_, share in classes), default=0.0) or 1.0
    tables = []
    for title, is_thing, counts in (('stuff', False, ()), ('things', True, COUNTS)):
        rows: list[tuple[doc.Cell, ...]] = [
            (
                doc.Key(entry.colour, entry.name),
                doc.Bar(100 * share, entry.colour, top=100 * largest),
                counted.frames,
                100 * share,
                *(getattr(counted, count) for count in counts),
                *([_box(counted)] if is_thing else []),
            )
            for counted, entry, share in classes
            if counted.frames and counted.is_thing == is_thing
        ]
        heads = (doc.Column('frames'), doc.Column('pixels [%]', digits=2), *map(doc.Column, counts))
        box = (doc.Column('median box'),) if is_thing else ()
        if rows:
            columns = (doc.Column(title), doc.Column('', wide=True), *heads, *box)
            tables.append(doc.Table(columns, tuple(rows), scrolls=True))
    return tables


def _box(entry: ClassStatistics) -> str:
    return doc.DASH if entry.median_box is None else '{:.0f}x{:.0f}'.format(*entry.median_box)


def _remarks(report: SplitReport) -> list[str]:
    """What is allowed but worth knowing of, with names."""
    lines = []
    missing = report.summary.never_seen() if report.statistics.frames else []
    if missing:
        lines.append(f'classes never seen ({len(missing)}): {_first(missing, CLASSES_TOLD)}')
    lines += [
        f'{len(paths)} {UNPAIRED[kind]}: {_first(paths, 1)}'
        for kind, paths in report.unpaired.items()
        if paths
    ]
    return [*lines, *report.remarks]


def _first(names: Sequence[str], number: int) -> str:
    return ', '.join(names[:number]) + (', ...' if len(names) > number else '')
