# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The blocks of a report as text: aligned lines for the terminal, or Markdown.

Charts and pictures have no place in text; of frames the titles and notes are told.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from upsnet_ros.report.document import (
    DASH,
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Cell,
    Column,
    Command,
    Facts,
    Fold,
    Frames,
    Interval,
    Key,
    Line,
    Link,
    Note,
    Points,
    Report,
    Section,
    Table,
    Toned,
    figure,
    one_line,
    signed,
    words_of,
)

MARKDOWN_SIGNS = re.compile(r'([\\`*_\[\]|~#])')
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class _Style:
    """How a kind of text writes what all blocks are made of."""

    heading: Callable[[str, int], str]
    table: Callable[[Rows], str]  # the first row holds the heads, which may all be empty
    bullet: str
    safe: Callable[[str], str]
    command: str  # before a command line


def terminal_text(blocks: Iterable[Block]) -> str:
    """Blocks for a terminal, aligned for a font of equal widths."""
    return _told(blocks, TERMINAL, 1)


def markdown_text(report: Report) -> str:
    """A report as a Markdown document; no text of it is taken for a sign of Markdown or HTML."""
    warnings = [Section('Warnings', (Points(report.warnings),))] if report.warnings else []
    head = [MARKDOWN.heading(report.title, 1), MARKDOWN.safe(report.verdict)]
    body = _told([*warnings, *report.sections], MARKDOWN, 2)
    return '\n\n'.join([*head, body]).rstrip() + '\n'


def _told(blocks: Iterable[Block], style: _Style, level: int) -> str:
    return '\n\n'.join(filter(None, (_block(block, style, level) for block in blocks)))


def _block(block: Block, style: _Style, level: int) -> str:
    match block:
        case Section(title, blocks) | Fold(title, blocks):
            body = _told(blocks, style, level + 1)
            return f'{style.heading(title, level)}\n\n{body}' if title and body else body
        case Beside(blocks):
            return _told(blocks, style, level)
        case Cards(cards):
            return style.table([('', '', ''), *map(_card, cards)])
        case Table(columns, rows):
            return _table(columns, rows, style)
        case Facts(_, title):
            heads = ('setting', 'value')
            settings = list(block.rows())
            body = style.table([heads, *settings]) if settings else ''
            return f'{style.heading(title, level)}\n\n{body}' if title and body else body
        case Frames(frames):
            lines = [(frame.title, '; '.join(map(_line, frame.notes))) for frame in frames]
            return _bullets([': '.join(filter(None, line)) for line in lines], style)
        case Note(line):
            return style.safe(_line(line))
        case Points(lines):
            return _bullets(map(_line, lines), style)
        case Command(text):
            return style.command + one_line(text)
    return ''  # charts and films


def _card(card: Card) -> tuple[str, str, str]:
    details = card.detail if isinstance(card.detail, list) else [card.detail]
    value = ' '.join(filter(None, (figure(card.value, card.digits), card.unit)))
    return card.name, value, ', '.join(filter(None, map(_line, details)))


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], style: _Style) -> str:
    """The rows without the columns of bars, whose figures stand beside them."""
    shown = [
        index
        for index, _ in enumerate(columns)
        if not rows or not any(isinstance(row[index], Bar) for row in rows)
    ]
    texts = [[_cell(row[i], columns[i].digits) for i in shown] for row in rows]
    return style.table([[columns[i].title for i in shown], *texts])


def _cell(cell: Cell, digits: int) -> str:
    if isinstance(cell, Interval):
        if cell.low is None or cell.high is None:
            return DASH
        return f'{signed(cell.low, digits)} to {signed(cell.high, digits)}'
    if isinstance(cell, Toned | Key | Link | tuple):
        return _line(cell)
    return figure(cell.value if isinstance(cell, Bar) else cell, digits)


def _line(line: Line) -> str:
    return ' '.join(part if isinstance(part, str) else part.text for part in words_of(line))


def _bullets(lines: Iterable[str], style: _Style) -> str:
    return '\n'.join(style.bullet + style.safe(line) for line in lines)


def _aligned(rows: Rows) -> str:
    """Columns as wide as their longest cells, figures to the right; empty heads are left out."""
    lines = [[one_line(cell) for cell in row] for row in rows if any(row)]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [index > 0 and _are_figures(column[1:]) for index, column in enumerate(columns)]
    padded = (
        '  '.join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        for line in lines
    )
    return '\n'.join(line.rstrip() for line in padded)


def _are_figures(cells: Sequence[str]) -> bool:
    return all(re.match(rf'[-+]?[0-9]|{DASH}|$', cell) for cell in cells)


def _piped(rows: Rows) -> str:
    head, *body = [' | '.join(_markdown_safe(cell) for cell in row) for row in rows]
    rule = ' | '.join(['---'] * len(rows[0]))
    return '\n'.join(f'| {line} |' for line in (head, rule, *body))


def _markdown_safe(text: str) -> str:
    return MARKDOWN_SIGNS.sub(r'\\\1', html.escape(one_line(text), quote=False))


TERMINAL = _Style(
    heading=lambda text, _: one_line(text),
    table=_aligned,
    bullet='- ',
    safe=one_line,
    command='  ',
)
MARKDOWN = _Style(
    heading=lambda text, level: f'{"#" * level} {_markdown_safe(text)}',
    table=_piped,
    bullet='* ',
    safe=_markdown_safe,
    command='    ',
)
