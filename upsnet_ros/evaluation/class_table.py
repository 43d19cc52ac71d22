# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The legend of the report: every class with its colour and what it was worth."""

from __future__ import annotations

from html import escape

from upsnet_ros.core.labels import LabelClass, LabelSet
from upsnet_ros.evaluation.report_json import Report

DASH = '–'


def _number(value: float | None) -> str:
    return DASH if value is None else f'{value:.1f}'


def _chip(colour: tuple[int, int, int]) -> str:
    red, green, blue = colour
    return f'<span class="chip" style="background:rgb({red} {green} {blue})"></span>'


def _bar(value: float | None, colour: tuple[int, int, int]) -> str:
    if value is None:
        return ''
    red, green, blue = colour
    return (
        f'<div class="bar-track"><div class="bar-fill" style="width:{value:.1f}%;'
        f'background:rgb({red} {green} {blue})"></div></div>'
    )


def _row(label_class: LabelClass, entry: Report) -> str:
    return (
        f'<tr><td class="name">{_chip(label_class.colour)}{escape(label_class.name)}</td>'
        f'<td class="wide">{_bar(entry.get("pq"), label_class.colour)}</td>'
        f'<td>{_number(entry.get("pq"))}</td>'
        f'<td class="factor">{_number(entry.get("sq"))}</td>'
        f'<td class="factor">{_number(entry.get("rq"))}</td></tr>'
    )


def _table(title: str, classes: list[LabelClass], report: Report, *, total: str) -> str:
    entries = {entry['class_id']: entry for entry in report['per_class']}
    rows = ''.join(_row(c, entries.get(c.train_id, {})) for c in classes)
    return (
        f'<table><thead><tr><th>{escape(title)}</th><th></th><th>PQ</th>'
        '<th class="factor">SQ</th><th class="factor">RQ</th></tr></thead>'
        f'<tbody>{rows}<tr class="total"><td>all {escape(title.lower())}</td><td></td>'
        f'<td>{_number(report["pq"][total])}</td><td class="factor"></td>'
        '<td class="factor"></td></tr></tbody></table>'
    )


def class_tables(report: Report, label_set: LabelSet) -> str:
    """Stuff and things beside each other, the best known order: that of the label set."""
    stuff = [c for c in label_set.classes if not c.is_thing]
    things = [c for c in label_set.classes if c.is_thing]
    return (
        '<div class="classes">'
        f'{_table("Stuff", stuff, report, total="stuff")}'
        f'{_table("Things", things, report, total="things")}'
        f'</div><p class="note">{_chip((0, 0, 0))}unknown: no class was sure enough.</p>'
    )
