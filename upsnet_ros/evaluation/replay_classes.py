# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The classes of a replay: legend, a bar in the class's colour, and the figures."""

from __future__ import annotations

from upsnet_ros.core.labels import LabelClass, LabelSet
from upsnet_ros.evaluation.figures import CameraFigures, Json
from upsnet_ros.evaluation.page_text import chip, css_colour, html_text, number, percent
from upsnet_ros.evaluation.replay_cards import group_figure

NOTE_WITH_TRUTH = (
    'Colours as in the pictures; shades tell instances of a class apart. The bar is the panoptic '
    'quality in percent; a dash: the class was neither there nor predicted.'
)
NOTE_WITHOUT = (
    'Colours as in the pictures; shades tell instances of a class apart. Without ground truth '
    'there is no quality. The bar is the flicker: of the pixels that had the class in a frame or '
    'the one before, the share that did not have it in both [%].'
)


def classes_note(figures: CameraFigures) -> str:
    """What the tables show, plain text."""
    return NOTE_WITHOUT if figures.pq is None else NOTE_WITH_TRUTH


def class_tables(figures: CameraFigures, label_set: LabelSet) -> str:
    """Stuff and things beside each other, in the order of the label set."""
    tables = ''.join(
        _table(title, [c for c in label_set.classes if c.is_thing == is_thing], figures)
        for title, is_thing in (('Stuff', False), ('Things', True))
    )
    return (
        f'<div class="classes">{tables}</div><p class="note">{chip((0, 0, 0))}unknown: no class '
        'was sure enough.</p>'
    )


def _table(title: str, classes: list[LabelClass], figures: CameraFigures) -> str:
    if not classes:
        return ''
    if figures.pq is None:
        heads = '<th>flicker</th>'
        rows = ''.join(_flicker_row(entry, figures) for entry in classes)
    else:
        heads = (
            '<th>PQ</th><th class="factor">SQ</th><th class="factor">RQ</th><th>IoU</th>'
            '<th class="factor">flicker</th>'
        )
        by_class = {entry['class_id']: entry for entry in figures.pq['per_class']}
        rows = ''.join(_quality_row(c, by_class.get(c.train_id), figures) for c in classes)
        rows += _total_row(title, figures)
    return (
        f'<table><thead><tr><th>{title}</th><th></th>{heads}</tr></thead>'
        f'<tbody>{rows}</tbody></table>'
    )


def _flicker(entry: LabelClass, figures: CameraFigures) -> float | None:
    return figures.stability['flicker'].get(entry.name) if figures.stability else None


def _flicker_row(entry: LabelClass, figures: CameraFigures) -> str:
    flicker = _flicker(entry, figures)
    bar = _bar(None if flicker is None else 100.0 * flicker, entry.colour)
    return (
        f'<tr><td class="name">{chip(entry.colour)}{html_text(entry.name)}</td>'
        f'<td class="wide">{bar}</td><td>{percent(flicker)}</td></tr>'
    )


def _quality_row(entry: LabelClass, quality: Json | None, figures: CameraFigures) -> str:
    counts = ('true_positives', 'false_positives', 'false_negatives')
    occurs = quality is not None and any(quality[count] for count in counts)
    pq, sq, rq = ((quality[part] if occurs else None) for part in ('pq', 'sq', 'rq'))
    iou = figures.miou['per_class'].get(entry.name) if figures.miou else None
    return (
        f'<tr><td class="name">{chip(entry.colour)}{html_text(entry.name)}</td>'
        f'<td class="wide">{_bar(pq, entry.colour)}</td><td>{number(pq)}</td>'
        f'<td class="factor">{number(sq)}</td><td class="factor">{number(rq)}</td>'
        f'<td>{number(iou)}</td><td class="factor">{percent(_flicker(entry, figures))}</td></tr>'
    )


def _total_row(title: str, figures: CameraFigures) -> str:
    pq, sq, rq = (
        number(group_figure(figures, title.lower(), part)) for part in ('pq', 'sq', 'rq')
    )
    return (
        f'<tr class="total"><td>all {title.lower()}</td><td></td><td>{pq}</td>'
        f'<td class="factor">{sq}</td><td class="factor">{rq}</td><td></td>'
        '<td class="factor"></td></tr>'
    )


def _bar(value: float | None, colour: tuple[int, int, int]) -> str:
    if value is None:
        return ''
    width = min(max(value, 0.0), 100.0)
    return (
        f'<div class="bar-track"><div class="bar-fill" style="width:{width:.1f}%;'
        f'background:{css_colour(colour)}"></div></div>'
    )
