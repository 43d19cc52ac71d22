# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of an evaluation for a terminal."""

from typing import Any

from training.evaluation.report.table import mask_precision

COLUMNS = ('PQ', 'SQ', 'RQ', 'IoU', 'AP box', 'AP mask')


def text_table(metrics: dict[str, Any]) -> str:
    """One line for all classes, for things, for stuff, and for each class; a dash is no figure.

    Args:
        metrics: Content of ``metrics.json``.
    """
    quality = metrics['pq']
    iou = _means(metrics['miou'], 'miou')
    boxes = _means(metrics['ap'] and metrics['ap']['box'], 'ap')
    masks = _means(mask_precision(metrics), 'ap')
    rows = [(group, quality[group]) for group in ('all', 'things', 'stuff')]
    rows += [(row['name'], row) for row in quality['per_class']]
    width = max(len(name) for name, _ in rows)
    lines = [' ' * width + ''.join(f'{column:>9}' for column in COLUMNS)]
    for name, row in rows:
        values = [row[key] for key in ('pq', 'sq', 'rq')]
        values += [iou.get(name), boxes.get(name), masks.get(name)]
        lines.append(f'{name:{width}}' + ''.join(_cell(value) for value in values))
    return '\n'.join(lines)


def _means(figures: dict[str, Any] | None, key: str) -> dict[str, float | None]:
    if figures is None:
        return {}
    return figures['per_class'] | {'all': figures[key]}


def _cell(value: float | None) -> str:
    return f'{"–":>9}' if value is None else f'{value:9.1f}'
