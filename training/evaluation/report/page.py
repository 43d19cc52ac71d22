# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report as a page: one HTML file that holds its pictures and style, and loads nothing."""

import base64
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from training.evaluation.report.bars import class_bars
from training.evaluation.report.cards import headline_cards
from training.evaluation.report.histogram import quality_histogram
from training.evaluation.report.plain_text import facts, html_text
from training.evaluation.report.remarks import warnings
from training.evaluation.report.table import PAPER_COLUMNS, footnotes, number, paper_cells
from training.evaluation.report.worst_frames import (
    UNKNOWN_BGR,
    WRONG_BGR,
    WorstFrame,
    encode_jpeg,
    fit_side,
    frame_panels,
    what_is_worst,
)
from upsnet_ros.core.labels import LabelSet

PANEL_SIDE = 640  # pixels, the longer one
FACTS = (('Settings', ('model', 'data', 'options')), ('Environment', ('environment',)))


def write_page(
    path: Path,
    metrics: dict[str, Any],
    frames: Sequence[dict[str, Any]],
    worst: Sequence[WorstFrame],
    label_set: LabelSet,
) -> None:
    """Write the page.

    Args:
        path: The file.
        metrics: Content of ``metrics.json``.
        frames: Name, panoptic quality [%], share of unknown pixels and time [ms] of each frame.
        worst: Frames to show, the worst first.
        label_set: Names and colours of the classes.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(metrics, frames, worst, label_set), encoding='utf-8')


def render_page(
    metrics: dict[str, Any],
    frames: Sequence[dict[str, Any]],
    worst: Sequence[WorstFrame],
    label_set: LabelSet,
) -> str:
    """The page as text; see :func:`write_page`."""
    folder = files('training.evaluation.report') / 'templates'
    data = metrics['data']
    model = Path(str(metrics['model']['path'])).name
    heading = f'{model} on {Path(data["root"]).name}'
    count = metrics['frames']
    verdict = f'{count} frames of split {data["split"]}, label set {data["label_set"]}.'
    return Template((folder / 'page.html').read_text(encoding='utf-8')).substitute(
        heading=html_text(heading),
        style=(folder / 'page.css').read_text(encoding='utf-8'),
        verdict=html_text(verdict),
        warnings=_warnings(metrics),
        cards=headline_cards(metrics),
        paper_table=_paper_table(metrics),
        footnotes=_bullets(footnotes(metrics)),
        classes=class_bars(metrics, label_set),
        histogram=quality_histogram([frame['pq'] for frame in frames]),
        spread=html_text(_spread(frames)),
        worst=_worst_section(worst, label_set),
        left_out=_left_out(metrics),
        facts=''.join(_facts(title, metrics, names) for title, names in FACTS),
        command=html_text(metrics['command']),
    )


def _warnings(metrics: dict[str, Any]) -> str:
    lines = warnings(metrics)
    return f'<section class="warning"><h2>Mind</h2>{_bullets(lines)}</section>' if lines else ''


def _bullets(lines: Iterable[str]) -> str:
    return '<ul>' + ''.join(f'<li>{html_text(line)}</li>' for line in lines) + '</ul>'


def _paper_table(metrics: dict[str, Any]) -> str:
    heads = ''.join(f'<th>{html_text(column)}</th>' for column in PAPER_COLUMNS)
    cells = ''.join(f'<td>{html_text(cell)}</td>' for cell in paper_cells(metrics))
    return (
        '<div class="scroll" role="region" tabindex="0" aria-label="Figures in the paper\'s '
        f'order"><table><thead><tr>{heads}</tr></thead><tbody><tr>{cells}</tr></tbody></table>'
        '</div>'
    )


def _spread(frames: Sequence[dict[str, Any]]) -> str:
    """The histogram in a sentence."""
    if not frames:
        return 'No frame was evaluated.'
    quality = [frame['pq'] for frame in frames]
    low, middle, high = np.percentile(quality, (10, 50, 90))
    return (
        f'Half of the frames are above {number(middle)}, one in ten below {number(low)}, one in '
        f'ten above {number(high)}. The mean of these is not the PQ above: there every class '
        'counts once over all frames.'
    )


def _worst_section(worst: Sequence[WorstFrame], label_set: LabelSet) -> str:
    if not worst:
        return ''
    keys = _key(WRONG_BGR, 'wrong class') + _key(UNKNOWN_BGR, 'labelled unknown')
    figures = ''.join(_worst_frame(frame, label_set) for frame in worst)
    return (
        '<section><h2>Worst frames</h2><p class="note">The lowest panoptic quality of all. In the '
        f'last picture:{keys}</p>{figures}</section>'
    )


def _key(colour_bgr: tuple[int, int, int], name: str) -> str:
    blue, green, red = colour_bgr
    return f'<span class="key" style="background:rgb({red} {green} {blue})"></span>{name}'


def _worst_frame(frame: WorstFrame, label_set: LabelSet) -> str:
    panels = ''.join(
        _picture(panel, f'{kind} of {frame.name}', kind)
        for kind, panel in frame_panels(frame, label_set).items()
    )
    figures = f'PQ {number(frame.pq)} · {number(100 * frame.unknown_share)} % unknown'
    return (
        f'<div class="frame"><h3>{html_text(frame.name)}</h3><p class="note">{figures}<br>'
        f'{html_text(what_is_worst(frame, label_set))}</p><div class="panels">{panels}</div></div>'
    )


def _picture(panel: np.ndarray, description: str, caption: str) -> str:
    if max(panel.shape) > PANEL_SIDE:
        panel = fit_side(panel, PANEL_SIDE)
    height, width = panel.shape[:2]
    data = base64.b64encode(encode_jpeg(panel)).decode('ascii')
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'alt="{html_text(description)}" loading="lazy"><figcaption>{caption}</figcaption>'
        '</figure>'
    )


def _left_out(metrics: dict[str, Any]) -> str:
    """Every frame that was skipped or got an empty answer, by name."""
    rows = [(entry['name'], entry['problem']) for entry in metrics['skipped']]
    rows += [(name, 'no segment in the labels; counted') for name in metrics['empty_predictions']]
    if not rows:
        return ''
    return f'<section><h2>Frames left out or empty</h2>{_two_columns(rows)}</section>'


def _facts(title: str, metrics: dict[str, Any], names: Sequence[str]) -> str:
    flat = [
        pair
        for name in names
        for pair in facts(metrics[name], f'{name}.' if len(names) > 1 else '')
    ]
    return f'<h3>{title}</h3>{_two_columns(flat)}'


def _two_columns(rows: Iterable[tuple[str, str]]) -> str:
    body = ''.join(
        f'<tr><td>{html_text(name)}</td><td>{html_text(value)}</td></tr>' for name, value in rows
    )
    return f'<table class="facts"><tbody>{body}</tbody></table>'
