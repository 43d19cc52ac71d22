# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The study's tables in Markdown, the paper's figures beside ours."""

import statistics
from collections.abc import Sequence

from training.ablation.study import ABLATION, COMPARISON, Row

Figures = dict[str, dict[str, dict[str, float]]]  # row key -> seed -> group -> PQ [%]
GROUPS = ('all', 'things', 'stuff')


def format_report(figures: Figures) -> str:
    """Both tables; rows that were not measured are left empty.

    Args:
        figures: Panoptic quality of each row, seed and group [%].
    """
    parts = [
        '## The ideas one after the other (paper: table 6, COCO)\n',
        format_table(ABLATION, figures),
        '\n## Against merging by heuristic (paper: table 8, Cityscapes)\n',
        format_table(COMPARISON, figures),
    ]
    return '\n'.join(parts)


def format_table(rows: Sequence[Row], figures: Figures) -> str:
    """One table: PQ, things and stuff of ours as mean ± deviation over seeds, and the paper's."""
    lines = [
        '| | PQ | PQ things | PQ stuff | seeds | paper PQ | things | stuff |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for row in rows:
        seeds = figures.get(row.key, {})
        ours = [spread([values[group] for values in seeds.values()]) for group in GROUPS]
        theirs = [f'{value:.1f}' for value in row.paper]
        cells = [row.title, *ours, str(len(seeds)), *theirs]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation of the seeds, or the one value, or nothing."""
    if not values:
        return ''
    if len(values) == 1:
        return f'{values[0]:.1f}'
    return f'{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}'
