# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The result of an evaluated replay as a few lines for the terminal."""

from __future__ import annotations

from pathlib import Path

from upsnet_ros.evaluation.figures import CameraFigures, Json
from upsnet_ros.evaluation.frame_record import REPORT_FILE
from upsnet_ros.evaluation.replay_report import ReplayReport

NAME_WIDTH = 22
# A system clock set by more than this while a bag was played falsifies the ages.
CLOCK_STEP_MS = 2.0


def _value(value: float | None, unit: str = '', *, digits: int = 1) -> str:
    return 'not measured' if value is None else f'{value:.{digits}f}{unit}'


def _percent(share: float | None, *, digits: int = 2) -> str:
    return _value(None if share is None else 100 * share, ' %', digits=digits)


def _rows(figures: CameraFigures) -> list[tuple[str, str]]:
    quality, latency, stability = figures.pq, figures.latency_ms, figures.stability or {}
    parts = {name: quality[name]['pq'] if quality else None for name in ('all', 'things', 'stuff')}
    unreadable = len(figures.skipped) - figures.drops
    skipped = f', {figures.drops} dropped' if figures.drops else ''
    skipped += f', {unreadable} skipped' if unreadable else ''
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


def live_rows(speed: Json) -> list[tuple[str, str]]:
    """Name and text of what the node took, and of where frames were lost."""
    counts = ((speed['dropped_by_node'], 'dropped by the node'),
              (speed['refused_by_node'], 'refused by it'),
              (speed['lost_on_the_way'], 'lost on the way'))  # fmt: skip
    lost = [f'{_value(count, digits=0)} {what}' for count, what in counts]
    return [
        ('of those unanswered', ', '.join(lost)),
        (
            'CPU of the node',
            f'{_value(speed["node_cpu_percent"], " %", digits=0)} of a core, '
            f'{_value(speed["node_cpu_ms_per_frame"], " ms", digits=0)} a frame',
        ),
        ('memory of the node', _value(speed['node_peak_mb'], ' MB at most', digits=0)),
    ]


def summary_text(report: ReplayReport, folder: Path) -> str:
    """The figures over all cameras, what was lost of the bag, and where the report is."""
    lines = [f'  {name:<{NAME_WIDTH}}{value}' for name, value in _rows(report.total)]
    share = report.speed.get('network_share')
    if share is not None:
        lines.append(f'  {"time in the network":<{NAME_WIDTH}}{_percent(share, digits=1)}')
    if report.kind == 'live':
        lines += [f'  {name:<{NAME_WIDTH}}{value}' for name, value in live_rows(report.speed)]
    lines += [f'  Note: {problem}' for problem in report.bag.problems]
    if report.total.skipped:
        first = report.total.skipped[0]
        lines.append(f'  Note: first image skipped, {first.stamp_ns}: {first.problem}')
    if abs(report.speed.get('clock_step_ms') or 0.0) > CLOCK_STEP_MS:
        lines.append(
            f'  Note: the clock was set by {report.speed["clock_step_ms"]} ms while playing; the '
            'times are wrong by as much'
        )
    return '\n'.join([*lines, '', f'  report: {folder / REPORT_FILE}'])
