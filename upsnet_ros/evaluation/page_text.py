# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values of unknown origin as text of a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

DASH = '–'


def html_text(value: Any) -> str:
    """A value as one line of a page, also inside a quoted attribute."""
    folded = ' '.join(str(value).split())
    return escape(''.join(sign if sign.isprintable() else '?' for sign in folded))


def number(value: float | None, *, digits: int = 1) -> str:
    """A figure; a dash where there is none."""
    return DASH if value is None else f'{value:.{digits}f}'


def percent(share: float | None, *, digits: int = 1) -> str:
    """A share from 0 to 1 in percent; a dash where there is none."""
    return number(None if share is None else 100.0 * share, digits=digits)


def count_of(number_of: int, name: str) -> str:
    """`1 frame`, `2 frames`."""
    return f'{number_of} {name}' if number_of == 1 else f'{number_of} {name}s'


def card(name: str, value: str, unit: str, detail: str, *, alarm: bool = False) -> str:
    """A headline figure. `detail` is HTML, the others are plain text."""
    small = f' <small>{html_text(unit)}</small>' if unit else ''
    style = 'card alarm' if alarm else 'card'
    return (
        f'<div class="{style}"><p class="name">{html_text(name)}</p>'
        f'<p class="value">{html_text(value)}{small}</p><p class="detail">{detail}</p></div>'
    )


def chip(colour: tuple[int, int, int]) -> str:
    """A square in the colour of a class."""
    return f'<span class="chip" style="background:{css_colour(colour)}"></span>'


def css_colour(colour: tuple[int, int, int]) -> str:
    """A colour of a label set for a style."""
    red, green, blue = colour
    return f'rgb({int(red)} {int(green)} {int(blue)})'


def facts(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of settings, nested ones in a line; what is None or empty is left out."""
    for name, value in values.items():
        text = _in_a_line(value)
        if text:
            yield name.replace('_', ' '), text


def _in_a_line(value: Any) -> str:
    if isinstance(value, dict):
        parts = ((name.replace('_', ' '), _in_a_line(inner)) for name, inner in value.items())
        return ', '.join(f'{name} {text}' for name, text in parts if text)
    if isinstance(value, list | tuple):
        return ', '.join(filter(None, map(_in_a_line, value)))
    return '' if value is None else str(value)


def facts_table(rows: Iterable[tuple[str, str]]) -> str:
    """Two columns of text."""
    body = ''.join(
        f'<tr><td>{html_text(name)}</td><td>{html_text(value)}</td></tr>' for name, value in rows
    )
    return f'<table class="facts"><tbody>{body}</tbody></table>'
