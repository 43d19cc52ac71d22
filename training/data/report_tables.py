# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a look at a split found, as text for a terminal."""

from training.data.class_statistics import ClassStatistics, SplitStatistics
from training.data.split_report import SplitReport

STUFF_COLUMNS = ('frames', 'pixels')
COLUMNS = (*STUFF_COLUMNS, 'objects', 'small', 'medium', 'large', 'crowds', 'median box')
NONE = '–'
SIZES_TOLD = 5
PROBLEMS_TOLD = 20
CLASSES_TOLD = 20
UNPAIRED = {
    'images_without_truth': 'images without truth',
    'truth_without_image': 'files of truth without an image',
}


def split_text(report: SplitReport) -> str:
    """Counts, the table of classes, unused files, remarks and problems of a split."""
    statistics = report.statistics
    broken = f', {len(report.broken)} broken' if report.broken else ''
    lines = [f"split '{report.summary.split}': {statistics.frames} usable frames{broken}"]
    if statistics.frames:
        lines += [
            f'  sizes: {_sizes(statistics)}',
            f'  {statistics.total("objects")} objects ({_groups(statistics)}), '
            f'{statistics.total("crowds")} crowds, {statistics.void_share:.1%} of the pixels void',
            '',
            *class_table(statistics),
        ]
        missing = report.summary.never_seen()
        if missing:
            more = ', ...' if len(missing) > CLASSES_TOLD else ''
            names = ', '.join(missing[:CLASSES_TOLD])
            lines.append(f'  classes never seen ({len(missing)}): {names}{more}')
    for kind, paths in report.unpaired.items():
        if paths:
            more = ', ...' if len(paths) > 1 else ''
            lines.append(f'  {len(paths)} {UNPAIRED[kind]}: {paths[0]}{more}')
    lines += [f'  {remark}' for remark in report.remarks]
    problems = report.problems
    if problems:
        lines += ['', f'  problems ({len(problems)}):']
        lines += [f'  - {problem}' for problem in problems[:PROBLEMS_TOLD]]
    if len(problems) > PROBLEMS_TOLD:
        lines.append(f'  and {len(problems) - PROBLEMS_TOLD} more in data_check.json')
    return '\n'.join(lines)


def class_table(statistics: SplitStatistics) -> list[str]:
    """One line for each class that occurs, stuff first; a dash where there are no objects."""
    rows: list[tuple[str, tuple[str, ...]]] = []
    for kind, is_thing, columns in (('stuff', False, STUFF_COLUMNS), ('things', True, COLUMNS)):
        pairs = zip(statistics.classes, statistics.shares(), strict=True)
        own = [
            (c.name, _cells(c, share)) for c, share in pairs if c.frames and c.is_thing == is_thing
        ]
        rows += [(kind, columns), *own] if own else []
    # Columns are as wide as their longest cells, for the counts of large data sets.
    width = max((len(name) for name, _ in rows), default=0)
    widths = [max(len(column), *(len(cells[i]) for _, cells in rows if i < len(cells)))
              for i, column in enumerate(COLUMNS)]  # fmt: skip
    return [
        f'  {name:{width}}' + ''.join(f'  {c:>{w}}' for c, w in zip(cells, widths, strict=False))
        for name, cells in rows
    ]


def _cells(entry: ClassStatistics, share: float) -> tuple[str, ...]:
    cells = (f'{entry.frames}', f'{share:.2%}')
    if not entry.is_thing:
        return cells
    counts = (str(getattr(entry, key)) for key in COLUMNS[2:7])
    box = NONE if entry.median_box is None else '{:.0f}x{:.0f}'.format(*entry.median_box)
    return (*cells, *counts, box)


def _sizes(statistics: SplitStatistics) -> str:
    parts = [f'{w}x{h} ({count})' for (h, w), count in statistics.sizes.items()]
    more = f' and {len(parts) - SIZES_TOLD} more' if len(parts) > SIZES_TOLD else ''
    return ', '.join(parts[:SIZES_TOLD]) + more


def _groups(statistics: SplitStatistics) -> str:
    return ', '.join(f'{statistics.total(key)} {key}' for key in ('small', 'medium', 'large'))
