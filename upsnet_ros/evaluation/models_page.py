# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page that leads to the reports of several models which were evaluated in one run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import quote

from upsnet_ros.evaluation.comparison import Comparison, read_comparison
from upsnet_ros.evaluation.comparison_page import page_style
from upsnet_ros.evaluation.comparison_text import interval, signed
from upsnet_ros.evaluation.frame_record import PAGE_FILE
from upsnet_ros.evaluation.page_text import DASH, html_text, number, percent
from upsnet_ros.evaluation.replay_cards import group_figure, mean_iou
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report

HEADS = (
    'frames',
    'PQ',
    'change',
    'interval',
    'PQ things',
    'PQ stuff',
    'IoU',
    'unknown [%]',
    'flips [%]',
    'p50 [ms]',
    'p95 [ms]',
)


def write_models_page(folder: Path, names: Sequence[str], *, baseline: str, command: str) -> Path:
    """Write `report.html` above the reports of several models; returns its path.

    Args:
        folder: Where the folders of the reports lie.
        names: These folders, in the order of the models.
        baseline: What the models are compared with.
        command: The command line.

    Raises:
        EvaluationError: a report or a comparison is missing or not of this version.
    """
    rows = []
    bag = ''
    for name in names:
        report = read_report(folder / name)
        bag = Path(report.bag.path).name
        rows.append(_row(name, report, read_comparison(folder / name)))
    templates = files('upsnet_ros.evaluation') / 'templates'
    text = Template((templates / 'models.html').read_text(encoding='utf-8')).substitute(
        title=html_text(f'{len(names)} models on {bag}'),
        style=page_style(),
        verdict=html_text(
            f'Changes of PQ are against {baseline}, with their intervals. The name of a model '
            'leads to its report.'
        ),
        models=_table(rows),
        command=html_text(command),
    )
    path = folder / PAGE_FILE
    path.write_text(text, encoding='utf-8')
    return path


def _table(rows: Sequence[str]) -> str:
    heads = ''.join(f'<th>{head}</th>' for head in HEADS)
    return (
        '<div class="scroll" role="region" tabindex="0" aria-label="Models"><table><thead><tr>'
        f'<th>Model</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _row(name: str, report: ReplayReport, comparison: Comparison | None) -> str:
    """The headline figures of a model."""
    total = report.total
    flips = None if total.stability is None else total.stability['flip_share']
    change, span, verdict = DASH, DASH, 'none'
    if comparison is not None:
        quality = comparison.totals['pq']
        change, span = signed(quality.difference, digits=1), interval(quality, digits=1)
        verdict = quality.verdict
    cells = (
        f'<td>{total.decoded} of {total.frames}</td><td>{number(group_figure(total, "all"))}</td>'
        f'<td class="{verdict}">{change}</td><td>{span}</td>'
        f'<td>{number(group_figure(total, "things"))}</td>'
        f'<td>{number(group_figure(total, "stuff"))}</td><td>{number(mean_iou(total))}</td>'
        f'<td>{percent(total.unknown_share, digits=2)}</td><td>{percent(flips, digits=2)}</td>'
        f'<td>{number(total.latency_ms.p50, digits=0)}</td>'
        f'<td>{number(total.latency_ms.p95, digits=0)}</td>'
    )
    link = html_text(f'{quote(name)}/{PAGE_FILE}')
    return f'<tr><td class="name"><a href="{link}">{html_text(name)}</a></td>{cells}</tr>'
