# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The result as a small table for the terminal."""

from __future__ import annotations

from upsnet_ros.evaluation.drive_evaluation import DriveEvaluation, OutputFolder
from upsnet_ros.evaluation.report_json import Report

NAME_WIDTH = 22


def _value(value: float | None, unit: str = '', *, digits: int = 1) -> str:
    return 'not measured' if value is None else f'{value:.{digits}f}{unit}'


def summary_rows(report: Report) -> list[tuple[str, str]]:
    """Name and value of what a reader wants to know first."""
    pq, latency, unknown = report['pq'], report['latency_ms'], report['unknown_share']
    return [
        (
            'frames labelled',
            f'{report["frames_labelled"]} of {report["frames_sent"]} '
            f'({report["frames_dropped"]} dropped)',
        ),
        (
            'label rate',
            f'{_value(report["frames_per_second"], " per s")} '
            f'(camera {_value(report["camera_rate_hz"], " Hz")})',
        ),
        (
            'latency p50/p95/p99',
            ' / '.join(_value(latency[name], digits=0) for name in ('p50', 'p95', 'p99')) + ' ms',
        ),
        (
            'panoptic quality',
            f'{_value(pq["all"])} (things {_value(pq["things"])}, stuff {_value(pq["stuff"])}, '
            f'SQ {_value(pq["sq"])}, RQ {_value(pq["rq"])})',
        ),
        ('unknown pixels', _value(None if unknown is None else 100 * unknown, ' %', digits=2)),
        ('node memory, peak', _value(report['node_peak_memory_mb'], ' MB', digits=0)),
    ]


def summary_text(report: Report, evaluation: DriveEvaluation, folder: OutputFolder) -> str:
    """The table, and which file to open."""
    lines = [f'  {name:<{NAME_WIDTH}}{value}' for name, value in summary_rows(report)]
    places = [
        ('the report', folder.report_html),
        ('the film', evaluation.video),
        ('one picture', folder.contact_sheet),
        ('for programs', folder.report_json),
        ('every frame', f'{folder.labels}/ and {folder.overlays}/'),
    ]
    lines += ['', 'Where to look']
    lines += [f'  {name:<{NAME_WIDTH}}{place}' for name, place in places if place is not None]
    return '\n'.join(lines)
