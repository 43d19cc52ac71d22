# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The charts of the report."""

from __future__ import annotations

from html import escape

from upsnet_ros.evaluation.report_json import Report
from upsnet_ros.evaluation.svg_charts import Reference, histogram, time_series


def _latency_references(report: Report) -> list[Reference]:
    latency = report['latency_ms']
    return [
        Reference(latency[name], f'{name} {latency[name]:.0f} ms')
        for name in ('p50', 'p95')
        if latency[name] is not None
    ]


def _figure(caption: str, svg: str) -> str:
    return f'<figure class="chart"><figcaption>{escape(caption)}</figcaption>{svg}</figure>'


def stage_bars(report: Report) -> str:
    """Median time of each stage in the node beside the latency; empty without diagnostics."""
    stages = dict(report['node_stages_ms'])
    total = stages.pop('total', None)
    rows = [(name.replace('_', ' '), values['p50']) for name, values in stages.items()]
    if total is not None:
        rows.append(('the node in all', total['p50']))
    if report['latency_ms']['p50'] is not None:
        rows.append(('stamp to label', report['latency_ms']['p50']))
    if not stages:
        return ''
    longest = max(value for _, value in rows) or 1.0
    body = ''.join(
        f'<tr><td class="name">{escape(name)}</td><td class="wide"><div class="bar-track">'
        f'<div class="bar-fill plain" style="width:{100 * value / longest:.1f}%"></div></div></td>'
        f'<td>{value:.1f}</td></tr>'
        for name, value in rows
    )
    return (
        '<figure class="chart"><figcaption>Where the time goes: medians [ms]</figcaption>'
        f'<table class="stages"><tbody>{body}</tbody></table></figure>'
    )


def charts(report: Report) -> str:
    """Latency as it went and how it spreads; quality and unknown pixels as they went."""
    frames = report['frames']
    latencies = [frame['latency_ms'] for frame in frames]
    figures = [
        _figure(
            'Latency of each frame [ms]',
            time_series(
                latencies, label='latency by frame', references=_latency_references(report)
            ),
        ),
        _figure(
            'Frames by latency',
            histogram(
                [value for value in latencies if value is not None],
                label='histogram of latency',
                unit='ms',
                references=_latency_references(report),
            ),
        ),
    ]
    if report['pq']['all'] is not None:
        mean = Reference(report['pq']['all'], f'drive {report["pq"]["all"]:.1f}')
        figures.append(
            _figure(
                'Panoptic quality of each frame',
                time_series(
                    [frame['pq'] for frame in frames],
                    label='panoptic quality by frame',
                    references=[mean],
                    top=100.0,
                ),
            )
        )
    shares = [frame['unknown_share'] for frame in frames]
    figures.append(
        _figure(
            'Unknown pixels of each frame [%]',
            time_series(
                [None if share is None else 100 * share for share in shares],
                label='share of unknown pixels by frame',
                top=1.0,
            ),
        )
    )
    return '\n'.join([*figures, stage_bars(report)])
