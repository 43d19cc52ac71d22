# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison as a page of its own, which loads nothing."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.comparison import Comparison
from upsnet_ros.evaluation.comparison_section import comparison_section
from upsnet_ros.evaluation.comparison_text import (
    interval,
    plain,
    report_names,
    shown_totals,
    signed,
    total_name,
)
from upsnet_ros.evaluation.figures import BY_KEY
from upsnet_ros.evaluation.frame_pictures import ComparedPictures, ReportFolder
from upsnet_ros.evaluation.page_text import card, facts_table, html_text
from upsnet_ros.evaluation.replay_report import read_report

PAGE_FILE = 'comparison.html'
CARDS = ('pq', 'pq_things', 'pq_stuff', 'miou', 'unknown_share', 'latency_p50_ms')


def page_style() -> str:
    """The style that all pages on replays share."""
    folder = files('upsnet_ros.evaluation') / 'templates'
    return ''.join(
        (folder / name).read_text(encoding='utf-8') for name in ('report.css', 'replay.css')
    )


def open_folders(comparison: Comparison, folder: Path) -> ComparedPictures:
    """The folders of both reports, as far as they still are where they were, and its own."""

    def opened(path: str) -> ReportFolder | None:
        try:
            return ReportFolder(Path(path), read_report(Path(path)))
        except EvaluationError:
            return None

    return ComparedPictures(
        opened(comparison.this.folder), opened(comparison.against.folder), folder
    )


def write_comparison_page(comparison: Comparison, folder: Path) -> Path:
    """Write `comparison.html`; returns its path.

    Raises:
        EvaluationError: the report that is judged is no longer where it was.
    """
    pictures = open_folders(comparison, folder)
    if pictures.this is None:
        raise EvaluationError(
            f'{comparison.this.folder} has no report any more, expected the one that was '
            'compared; compare again'
        )
    text = _template().substitute(
        title=html_text(' against '.join(report_names(comparison))),
        style=page_style(),
        verdict=html_text(_verdict(comparison)),
        cards=_cards(comparison),
        comparison=comparison_section(comparison, pictures.this.report.label_set, pictures),
        facts=_facts(comparison),
    )
    path = folder / PAGE_FILE
    path.write_text(text, encoding='utf-8')
    return path


def _template() -> Template:
    folder = files('upsnet_ros.evaluation') / 'templates'
    return Template((folder / 'comparison.html').read_text(encoding='utf-8'))


def _verdict(comparison: Comparison) -> str:
    """The result in a sentence."""
    quality = comparison.totals['pq']
    words = {
        'better': f'PQ is better by {plain(quality.difference, digits=1)}',
        'worse': f'PQ is worse by {plain(-(quality.difference or 0.0), digits=1)}',
        'unclear': f'PQ changed by {signed(quality.difference, digits=1)}, which is not sure',
        'none': 'There is no ground truth to tell which is better',
    }
    text = words[quality.verdict]
    if quality.verdict == 'none':
        return f'{text}.'
    confidence = f'{100 * comparison.bootstrap.confidence:g} %'
    return f'{text} ({confidence} interval: {interval(quality, digits=1)}).'


def _cards(comparison: Comparison) -> str:
    shown = shown_totals(comparison)
    cards = []
    for name in CARDS:
        if name in shown:
            value = shown[name]
            title, unit = total_name(comparison, name), BY_KEY[name].unit
            detail = (
                f'{plain(value.against, digits=1)} to {plain(value.this, digits=1)}<br>'
                f'<span class="{value.verdict}">{interval(value, digits=1)}</span>'
            )
            cards.append(card(title, signed(value.difference, digits=1), unit, detail))
    return '\n'.join(cards)


def _facts(comparison: Comparison) -> str:
    tables = []
    for title, report in (('This', comparison.this), ('Other', comparison.against)):
        rows = [(name.replace('_', ' '), str(value)) for name, value in vars(report).items()]
        tables.append(f'<h3>{title}</h3>{facts_table(rows)}')
    return ''.join(tables)
