# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The charts of a replay: quality, unknown pixels, time and flips over the drive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from upsnet_ros.evaluation.figures import CameraFigures, SeriesPoint
from upsnet_ros.evaluation.frame_pictures import first_stamp
from upsnet_ros.evaluation.page_text import html_text
from upsnet_ros.evaluation.replay_cards import group_figure
from upsnet_ros.evaluation.replay_report import ReplayReport
from upsnet_ros.evaluation.svg_charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Reference
from upsnet_ros.evaluation.svg_timeline import LINE_STYLES, STRETCHES, Track, timeline

TIMES = {'offline': 'Time of each frame [ms]', 'live': 'Age of the labels when they came [ms]'}

Measure = Callable[[SeriesPoint], float | None]


def charts_note(report: ReplayReport) -> str:
    """How to read the charts, plain text."""
    parts = []
    if any(len(figures.series) > STRETCHES for figures in report.cameras.values()):
        parts.append('The line is the mean of short stretches of the drive.')
        if len(report.cameras) == 1:
            parts.append('The band around it goes from the least to the greatest value.')
    if report.total.skipped or report.total.drops:
        parts.append('A red mark at the foot is a frame that was lost.')
    return ' '.join(parts)


def charts(report: ReplayReport) -> str:
    """All charts, and a legend where there are several cameras."""
    start_ns = first_stamp(report)
    if start_ns is None:
        return ''
    total = report.total
    figures = []
    if total.pq is not None:
        quality = group_figure(total, 'all')
        drive = [] if quality is None else [Reference(quality, f'drive {quality:.1f}')]
        figures.append(
            _chart(report, start_ns, 'Panoptic quality of each frame', lambda p: p.pq,
                   references=drive, top=100.0)
        )  # fmt: skip
    figures.append(
        _chart(report, start_ns, 'Unknown pixels [%]', lambda p: 100.0 * p.unknown_share, top=1.0)
    )
    times = [
        Reference(value, f'{name} {value:.0f} ms')
        for name, value in (('p50', total.latency_ms.p50), ('p95', total.latency_ms.p95))
        if value is not None
    ]
    figures.append(
        _chart(report, start_ns, TIMES[report.kind], lambda p: p.latency_ms,
               references=times)
    )  # fmt: skip
    if total.stability is not None:
        figures.append(_chart(report, start_ns, 'Pixels that flip [%]', _flips, top=1.0))
    if sum(total.confidence['counts']):
        figures.append(
            _chart(report, start_ns, 'Mean confidence of the instances', lambda p: p.mean_score,
                   top=1.0)
        )  # fmt: skip
        figures.append(
            _figure('Instances by confidence', confidence_bars(total.confidence['counts']))
        )
    return '\n'.join(figures)


def _flips(point: SeriesPoint) -> float | None:
    return None if point.flip_share is None else 100.0 * point.flip_share


def legend(cameras: Sequence[str]) -> str:
    """Which line is which camera, nothing where there is one."""
    if len(cameras) < 2:
        return ''
    entries = ''.join(
        f'<span><i class="line{index % LINE_STYLES}"></i>{html_text(name)}</span>'
        for index, name in enumerate(cameras)
    )
    return f'<p class="legend">{entries}</p>'


def _chart(
    report: ReplayReport,
    start_ns: int,
    caption: str,
    measure: Measure,
    *,
    references: Sequence[Reference] = (),
    top: float = 0.0,
) -> str:
    tracks = [_track(name, f, start_ns, measure) for name, f in report.cameras.items() if f.series]
    svg = timeline(tracks, label=f'{caption} over the drive', references=references, top=top)
    return _figure(caption, svg)


def _track(name: str, figures: CameraFigures, start_ns: int, measure: Measure) -> Track:
    points = sorted(figures.series, key=lambda point: point.stamp_ns)
    values = [measure(point) for point in points]
    first, last = points[0].stamp_ns, points[-1].stamp_ns
    # A message without a readable stamp has the time of recording, which may be of other clocks.
    lost = [each.stamp_ns for each in figures.skipped if first <= each.stamp_ns <= last]
    return Track(
        name=name,
        seconds=np.array([(point.stamp_ns - start_ns) / 1e9 for point in points]),
        values=np.array([np.nan if value is None else value for value in values], np.float64),
        marks=np.array([(stamp_ns - start_ns) / 1e9 for stamp_ns in lost], np.float64),
    )


def _figure(caption: str, svg: str) -> str:
    return f'<figure class="chart"><figcaption>{html_text(caption)}</figcaption>{svg}</figure>'


def confidence_bars(counts: Sequence[int]) -> str:
    """Instances in equal bins of confidence from 0 to 1 as an `<svg>` element."""
    label = 'instances by confidence'
    highest = max(counts)
    step = (WIDTH - LEFT - RIGHT) / len(counts)
    foot = HEIGHT - BOTTOM
    body = []
    for value in (0.0, 0.5, 1.0):
        x = LEFT + value * (WIDTH - LEFT - RIGHT)
        body.append(f'<text x="{x:.1f}" y="{foot + 15}" text-anchor="middle">{value:g}</text>')
    body.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{foot}" y2="{foot}"/>')
    body.append(f'<text x="{LEFT - 6}" y="{TOP + 4}" text-anchor="end">{highest}</text>')
    for index, count in enumerate(counts):
        if count:
            height = count / highest * (foot - TOP)
            body.append(
                f'<rect class="bar" x="{LEFT + index * step + 0.5:.1f}" y="{foot - height:.1f}" '
                f'width="{step - 1:.1f}" height="{height:.1f}"><title>'
                f'{index / len(counts):.2f} to {(index + 1) / len(counts):.2f}: {count} instances'
                '</title></rect>'
            )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<title>{escape(label)}</title>{"".join(body)}</svg>'
    )
