# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The result of an evaluated replay as a few lines for the terminal."""

from __future__ import annotations

from pathlib import Path

from upsnet_ros.evaluation.replay_report import REPORT_FILE, CameraFigures, ReplayReport

NAME_WIDTH = 22


def _value(value: float | None, unit: str = '', *, digits: int = 1) -> str:
    return 'not measured' if value is None else f'{value:.{digits}f}{unit}'


def _percent(share: float | None, *, digits: int = 2) -> str:
    return _value(None if share is None else 100 * share, ' %', digits=digits)


def _rows(figures: CameraFigures) -> list[tuple[str, str]]:
    quality, latency, stability = figures.pq, figures.latency_ms, figures.stability or {}
    parts = {name: quality[name]['pq'] if quality else None for name in ('all', 'things', 'stuff')}
    skipped = f', {len(figures.skipped)} skipped' if figures.skipped else ''
    unusable = len(figures.truth_problems) + figures.truth_unmatched
    unused = f' ({unusable} without use)' if unusable else ''
    return [
        ('images labelled', f'{figures.decoded} of {figures.frames}{skipped}'),
        ('with ground truth', f'{figures.truth_frames}{unused}'),
        (
            'panoptic quality',
            f'{_value(parts["all"])} (things {_value(parts["things"])}, '
            f'stuff {_value(parts["stuff"])})',
        ),
        ('mean IoU', _value(figures.miou['miou'] if figures.miou else None)),
        ('unknown pixels', _percent(figures.unknown_share)),
        ('pixels that flip', f'{_percent(stability.get("flip_share"), digits=3)} a frame'),
        (
            'instances',
            f'{_value(stability.get("births_per_second"))} come and '
            f'{_value(stability.get("deaths_per_second"))} go a second',
        ),
        (
            'time p50/p95/p99',
            ' / '.join(_value(value) for value in (latency.p50, latency.p95, latency.p99)) + ' ms',
        ),
    ]


def summary_text(report: ReplayReport, folder: Path) -> str:
    """The figures over all cameras, what was lost of the bag, and where the report is."""
    lines = [f'  {name:<{NAME_WIDTH}}{value}' for name, value in _rows(report.total)]
    share = report.speed.get('network_share')
    if share is not None:
        lines.append(f'  {"time in the network":<{NAME_WIDTH}}{_percent(share, digits=1)}')
    lines += [f'  Note: {problem}' for problem in report.bag.problems]
    if report.total.skipped:
        first = report.total.skipped[0]
        lines.append(f'  Note: first image skipped, {first.stamp_ns}: {first.problem}')
    return '\n'.join([*lines, '', f'  report: {folder / REPORT_FILE}'])
