# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The headline of a replay's page: figures as cards, the result in a sentence, warnings."""

from __future__ import annotations

from upsnet_ros.evaluation.comparison import Comparison
from upsnet_ros.evaluation.comparison_text import signed
from upsnet_ros.evaluation.figures import CameraFigures, Json
from upsnet_ros.evaluation.page_text import card, count_of, html_text, number, percent
from upsnet_ros.evaluation.replay_report import ReplayReport

# Shares above which a card is shown as an alarm.
LOST_ALARM = 0.05


def group_figure(figures: CameraFigures, group: str, part: str = 'pq') -> float | None:
    """PQ, SQ or RQ over a group of classes [%]; None where none of them occurs."""
    values = figures.pq and figures.pq[group]
    return values[part] if values and values['classes'] else None


def mean_iou(figures: CameraFigures) -> float | None:
    """Mean IoU [%]; None where no class occurs."""
    return figures.miou['miou'] if figures.miou and figures.miou['classes'] else None


def change_line(comparison: Comparison | None, name: str) -> str:
    """The change against the other report as a further line of a card, HTML."""
    value = comparison.totals.get(name) if comparison else None
    if value is None or value.difference is None:
        return ''
    if name.startswith('latency') and not comparison.same_kind:
        return ''
    return f'<br><span class="{value.verdict}">{signed(value.difference)} vs other</span>'


def headline_cards(report: ReplayReport, comparison: Comparison | None) -> str:
    """The cards.

    Args:
        report: What to show.
        comparison: With another report, or None.
    """
    total = report.total
    is_live = report.kind == 'live'  # those of `live_section` stand in their place
    cards = [] if is_live else [_labelled_card(report), _latency_card(total, comparison)]
    if total.pq is not None:
        cards = [_quality_card(total, comparison), _iou_card(total, comparison), *cards]
    cards.append(
        card('Unknown pixels', percent(total.unknown_share, digits=2), '%',
             'mean of all frames' + change_line(comparison, 'unknown_share'))
    )  # fmt: skip
    if total.stability is not None:
        cards.append(_stability_card(total.stability))
    if total.confidence.get('mean') is not None:
        cards.append(
            card('Confidence', percent(total.confidence['mean'], digits=0), '%',
                 f'mean of {sum(total.confidence["counts"])} instances')
        )  # fmt: skip
    rate = report.speed.get('frames_per_second')
    if rate is not None and not is_live:
        share = report.speed.get('network_share')
        detail = (
            '' if share is None else f'{percent(share, digits=0)} % of the time in the network'
        )
        cards.append(card('Throughput', number(rate), 'frames/s', detail))
    return '\n'.join(cards)


def _quality_card(total: CameraFigures, comparison: Comparison | None) -> str:
    things, stuff = (number(group_figure(total, group)) for group in ('things', 'stuff'))
    return card(
        'Panoptic quality', number(group_figure(total, 'all')), 'PQ',
        f'things {things} · stuff {stuff}{change_line(comparison, "pq")}',
    )  # fmt: skip


def _iou_card(total: CameraFigures, comparison: Comparison | None) -> str:
    classes = total.miou['classes'] if total.miou else 0
    detail = f'over {classes} class{"" if classes == 1 else "es"}'
    return card('Mean IoU', number(mean_iou(total)), '%', detail + change_line(comparison, 'miou'))


def _labelled_card(report: ReplayReport) -> str:
    total = report.total
    parts = [f'{total.drops} dropped'] if total.drops else []
    unreadable = len(total.skipped) - total.drops
    if unreadable:
        parts.append(f'{unreadable} unreadable')
    parts.append(f'{total.truth_frames} with ground truth')
    lost = total.frames - total.decoded
    return card(
        'Frames labelled', str(total.decoded), f'of {total.frames}', ' · '.join(parts),
        alarm=lost > LOST_ALARM * total.frames,
    )  # fmt: skip


def _latency_card(total: CameraFigures, comparison: Comparison | None) -> str:
    latency = total.latency_ms
    return card(
        'Time a frame, median', number(latency.p50, digits=0), 'ms',
        f'p95 {number(latency.p95, digits=0)} · p99 {number(latency.p99, digits=0)}'
        f'{change_line(comparison, "latency_p50_ms")}',
    )  # fmt: skip


def _stability_card(stability: Json) -> str:
    return card(
        'Pixels that flip', percent(stability['flip_share'], digits=2), '%',
        f'of a frame · instances a second: +{number(stability["births_per_second"])}, '
        f'−{number(stability["deaths_per_second"])}',
    )  # fmt: skip


def verdict(report: ReplayReport) -> str:
    """The result in a sentence, plain text."""
    total = report.total
    frames = count_of(total.frames, 'frame')
    how_many = frames if total.decoded == total.frames else f'{total.decoded} of {frames}'
    cameras = count_of(len(report.cameras), 'camera')
    sentence = f'{how_many} of {cameras} labelled'
    if total.latency_ms.p50 is not None:
        sentence += f', half of them within {number(total.latency_ms.p50, digits=0)} ms'
    quality = group_figure(total, 'all')
    if quality is not None:
        sentence += f', at a panoptic quality of {number(quality)}'
    return f'{sentence}.'


def warnings(report: ReplayReport) -> str:
    """What a reader must know before trusting the figures, or nothing."""
    total = report.total
    lines = list(report.bag.problems)
    unreadable = len(total.skipped) - total.drops
    for count, what in ((unreadable, 'could not be labelled'), (total.drops, 'got no label')):
        if count:
            lines.append(
                f'{count_of(count, "image")} {what} and {"is" if count == 1 else "are"} in no '
                'figure; see below.'
            )
    if total.truth_unmatched:
        lines.append(
            f'{count_of(total.truth_unmatched, "image")} of ground truth had a stamp that no '
            'camera image has.'
        )
    if total.truth_problems:
        lines.append(
            f'{count_of(len(total.truth_problems), "image")} of ground truth could not be used; '
            'see below.'
        )
    if not lines:
        return ''
    items = ''.join(f'<li>{html_text(line)}</li>' for line in lines)
    return f'<section class="warning"><h2>Mind</h2><ul>{items}</ul></section>'
