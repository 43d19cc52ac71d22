# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live report says beside the labels: what came in time, and what the node took."""

from __future__ import annotations

from upsnet_ros.evaluation.comparison import Comparison
from upsnet_ros.evaluation.figures import Json
from upsnet_ros.evaluation.page_text import card, count_of, html_text, number, percent
from upsnet_ros.evaluation.replay_cards import LOST_ALARM, change_line
from upsnet_ros.evaluation.replay_report import ReplayReport

LOSSES = (
    ('dropped_by_node', 'dropped by the node, which took a newer one'),
    ('refused_by_node', 'refused by the node as unreadable, or failed in the model'),
    ('lost_on_the_way', 'lost on the way to the node or back'),
)


def live_section(report: ReplayReport, comparison: Comparison | None = None) -> str:
    """The section as HTML; nothing for an offline report.

    Args:
        report: What to show.
        comparison: With another report, or None.
    """
    if report.kind != 'live':
        return ''
    cards = '\n'.join(
        [
            _answered_card(report),
            _age_card(report, comparison),
            _cpu_card(report.speed),
            _memory_card(report.speed),
        ]
    )
    return (
        '<section><h2>What the car would have seen</h2>'
        f'<p class="note">{html_text(_note(report))}</p><div class="cards">{cards}</div></section>'
    )


def _note(report: ReplayReport) -> str:
    speed, total = report.speed, report.total
    pace = speed.get('rate')
    played = 'The bag was played' + ('.' if pace is None else f' at {pace:g} times its pace.')
    unread = total.frames - total.decoded - total.drops
    told_of_unread = (
        f' {count_of(unread, "frame")} could not be evaluated, see the reasons below.'
        if unread > 0
        else ''
    )
    if not total.drops:
        answered = 'Every other frame' if told_of_unread else 'Every frame'
        return f'{played}{told_of_unread} {answered} was answered.'
    known = [(speed.get(name), what) for name, what in LOSSES]
    parts = [f'{count} {what}' for count, what in known if count]
    missing = f'{count_of(total.drops, "frame")} got no label'
    told = '; '.join(parts) if parts else 'the node did not tell why'
    return f'{played}{told_of_unread} {missing}: {told}.'


def _answered_card(report: ReplayReport) -> str:
    total = report.total
    share = total.decoded / total.frames if total.frames else None
    lost = total.frames - total.decoded
    return card(
        'Frames answered', percent(share), '%',
        f'{total.decoded} of {total.frames} · {total.drops} dropped · '
        f'{number(report.speed.get("frames_per_second"))} labels/s',
        alarm=lost > LOST_ALARM * total.frames,
    )  # fmt: skip


def _age_card(report: ReplayReport, comparison: Comparison | None) -> str:
    latency = report.total.latency_ms
    return card(
        'Age of labels, median', number(latency.p50, digits=0), 'ms',
        f'p95 {number(latency.p95, digits=0)} · p99 {number(latency.p99, digits=0)}'
        f'{change_line(comparison, "latency_p50_ms")}',
    )  # fmt: skip


def _cpu_card(speed: Json) -> str:
    return card(
        'CPU of the node', number(speed.get('node_cpu_percent'), digits=0), '% of a core',
        f'{number(speed.get("node_cpu_ms_per_frame"), digits=0)} ms for each frame answered',
    )  # fmt: skip


def _memory_card(speed: Json) -> str:
    return card(
        'Memory of the node', number(speed.get('node_peak_mb'), digits=0), 'MB',
        'the most that it held',
    )  # fmt: skip
