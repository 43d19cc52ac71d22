# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report as Markdown: the tables, the settings, what was left out."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from training.evaluation.report.plain_text import facts, markdown_text, one_line
from training.evaluation.report.remarks import warnings
from training.evaluation.report.table import (
    CLASS_COLUMNS,
    PAPER_COLUMNS,
    class_rows,
    footnotes,
    paper_cells,
)


def write_markdown(path: Path, metrics: dict[str, Any]) -> None:
    """Write the report.

    Args:
        path: The file.
        metrics: Content of ``metrics.json``.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown_report(metrics), encoding='utf-8')


def markdown_report(metrics: dict[str, Any]) -> str:
    """The report as text."""
    data = metrics['data']
    count = metrics['frames']
    classes = [(row.name, 'thing' if row.is_thing else 'stuff', *row.cells)
               for row in class_rows(metrics)]  # fmt: skip
    model = Path(str(metrics['model']['path'])).name
    parts = [
        f'# {markdown_text(model)} on {markdown_text(Path(data["root"]).name)}',
        f'{count} frames of split {markdown_text(data["split"])}, '
        f'label set {markdown_text(data["label_set"])}.',
        *_section('Warnings', _bullets(warnings(metrics))),
        _table(PAPER_COLUMNS, [paper_cells(metrics)]),
        _bullets(footnotes(metrics)),
        *_section('Classes', _table(('class', 'kind', *CLASS_COLUMNS), classes)),
        *_section('Frames left out', _skipped(metrics)),
        *_section('Frames with an empty prediction', _bullets(metrics['empty_predictions'])),
        *_section('Settings', _table(('setting', 'value'), _settings(metrics))),
        *_section('Command', f'    {one_line(metrics["command"])}'),
    ]
    return '\n\n'.join(parts) + '\n'


def _section(title: str, content: str) -> list[str]:
    return [f'## {title}', content] if content else []


def _bullets(lines: Iterable[str]) -> str:
    return '\n'.join(f'* {markdown_text(line)}' for line in lines)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ['---'] * len(columns), *rows]
    heads = [' | '.join(map(markdown_text, line)) for line in lines]
    return '\n'.join(f'| {line} |' for line in heads)


def _skipped(metrics: dict[str, Any]) -> str:
    rows = [(entry['name'], entry['problem']) for entry in metrics['skipped']]
    return _table(('frame', 'problem'), rows) if rows else ''


def _settings(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    names = ('model', 'data', 'options', 'environment')
    return list(facts({name: metrics[name] for name in names}))
