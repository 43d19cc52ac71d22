# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The classes on the page: a bar of panoptic quality in the class's colour, and the figures."""

from typing import Any

from training.evaluation.report.plain_text import html_text
from training.evaluation.report.table import CLASS_COLUMNS, ClassRow, class_rows, number
from upsnet_ros.core.labels import LabelSet


def class_bars(metrics: dict[str, Any], label_set: LabelSet) -> str:
    """Things and stuff, each a table in a box that scrolls by itself.

    Args:
        metrics: Content of ``metrics.json``.
        label_set: Colours of the classes.
    """
    rows = class_rows(metrics)
    colours = {entry.train_id: entry.colour for entry in label_set.classes}
    return ''.join(
        _table(title, [row for row in rows if row.is_thing == is_thing], colours)
        for title, is_thing in (('Things', True), ('Stuff', False))
    )


def _table(title: str, rows: list[ClassRow], colours: dict[int, tuple[int, int, int]]) -> str:
    heads = ''.join(f'<th>{column}</th>' for column in CLASS_COLUMNS)
    body = ''.join(_row(row, colours[row.class_id]) for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{title}">'
        f'<table class="classes"><thead><tr><th>{title}</th><th></th>{heads}</tr></thead>'
        f'<tbody>{body}</tbody></table></div>'
    )


def _row(row: ClassRow, colour: tuple[int, int, int]) -> str:
    rgb = 'rgb({} {} {})'.format(*colour)
    cells = ''.join(f'<td>{cell}</td>' for cell in row.cells)
    return (
        f'<tr><td class="name"><span class="chip" style="background:{rgb}"></span>'
        f'{html_text(row.name)}</td><td class="wide">{_bar(row.figures[0], rgb)}</td>{cells}</tr>'
    )


def _bar(quality: float | None, rgb: str) -> str:
    if quality is None:
        return ''
    return (
        f'<div class="bar-track" role="img" aria-label="PQ {number(quality)}"><div '
        f'class="bar-fill" style="width:{quality:.1f}%;background:{rgb}"></div></div>'
    )
