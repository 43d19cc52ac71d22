# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a reader must know before trusting the figures, in plain words."""

from collections.abc import Sequence
from typing import Any

from training.evaluation.report.table import class_rows

SHOWN = 5  # names in a sentence; metrics.json has all


def warnings(metrics: dict[str, Any]) -> list[str]:
    """One sentence for each thing that makes the figures other than they seem; not escaped.

    Args:
        metrics: Content of ``metrics.json``.
    """
    lines = []
    skipped, empty = metrics['skipped'], metrics['empty_predictions']
    if not metrics['frames']:
        lines.append('No frame was evaluated: there are no figures.')
    if skipped:
        lines.append(
            f'{_frames(len(skipped))} could not be evaluated and {_are(skipped)} left out of all '
            'figures; they are listed below.'
        )
    if empty:
        lines.append(
            f'{_frames(len(empty))} got labels without a single segment and '
            f'{"count" if len(empty) > 1 else "counts"} with all their misses: {_names(empty)}.'
        )
    lines += _about_classes(metrics) if metrics['frames'] else []
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
            f'{_classes(absent)} in neither truth nor labels and count in no mean, so the means '
            f'are not those of the whole label set: {_names(absent)}.'
        )
    if invented:
        lines.append(
            f'{_classes(invented)} in the labels but never in the truth; their PQ of 0 counts in '
            f'the means: {_names(invented)}.'
        )
    return lines


def _frames(count: int) -> str:
    return '1 frame' if count == 1 else f'{count} frames'


def _are(things: Sequence[Any]) -> str:
    return 'is' if len(things) == 1 else 'are'


def _classes(names: Sequence[str]) -> str:
    return '1 class is' if len(names) == 1 else f'{len(names)} classes are'


def _names(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ', '.join(names[:SHOWN]) + (f' and {more} more' if more > 0 else '')
