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

from upsnet_ros.report import document as doc

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


def terminal_text(blocks: Iterable[doc.Block]) -> str:
    """Blocks for a terminal, aligned for a font of equal widths."""
    return _told(blocks, TERMINAL, 1)


def markdown_text(report: doc.Report) -> str:
    """A report as a Markdown document; no text of it is taken for a sign of Markdown or HTML."""
    warnings = [doc.Section('Warnings', (doc.Points(report.warnings),))] if report.warnings else []
    head = [MARKDOWN.heading(report.title, 1), MARKDOWN.safe(report.verdict)]
    body = _told([*warnings, *report.sections], MARKDOWN, 2)
    return '\n\n'.join([*head, body]).rstrip() + '\n'


def _told(blocks: Iterable[doc.Block], style: _Style, level: int) -> str:
    return '\n\n'.join(filter(None, (_block(block, style, level) for block in blocks)))


def _block(block: doc.Block, style: _Style, level: int) -> str:
    match block:
        case doc.Section(title, blocks) | doc.Fold(title, blocks):
            body = _told(blocks, style, level + 1)
            return f'{style.heading(title, level)}\n\n{body}' if title and body else body
        case doc.Beside(blocks):
            return _told(blocks, style, level)
        case doc.Cards(cards):
            return style.table([('', '', ''), *map(_card, cards)])
        case doc.Table(columns, rows):
            return _table(columns, rows, style)
        case doc.Facts(_, title):
            heads = ('setting', 'value')
            settings = list(block.rows())
            body = style.table([heads, *settings]) if settings else ''
            return f'{style.heading(title, level)}\n\n{body}' if title and body else body
        case doc.Frames(frames):
            lines = [(frame.title, '; '.join(map(_line, frame.notes))) for frame in frames]
            return _bullets([': '.join(filter(None, line)) for line in lines], style)
        case doc.Note(line):
            return style.safe(_line(line))
        case doc.Points(lines):
            return _bullets(map(_line, lines), style)
        case doc.Command(text):
            return style.command + doc.one_line(text)
    return ''  # charts and films


def _card(card: doc.Card) -> tuple[str, str, str]:
    details = card.detail if isinstance(card.detail, list) else [card.detail]
    value = ' '.join(filter(None, (doc.figure(card.value, card.digits), card.unit)))
    return card.name, value, ', '.join(filter(None, map(_line, details)))


def _table(
    columns: Sequence[doc.Column], rows: Sequence[Sequence[doc.Cell]], style: _Style
) -> str:
    """The rows without the columns of bars, whose figures stand beside them."""
    shown = [
        index
        for index, _ in enumerate(columns)
        if not rows or not any(isinstance(row[index], doc.Bar) for row in rows)
    ]
    texts = [[_cell(row[i], columns[i].digits) for i in shown] for row in rows]
    return style.table([[columns[i].title for i in shown], *texts])


def _cell(cell: doc.Cell, digits: int) -> str:
    if isinstance(cell, doc.Interval):
        if cell.low is None or cell.high is None:
            return doc.DASH
        return f'{doc.signed(cell.low, digits)} to {doc.signed(cell.high, digits)}'
    if isinstance(cell, doc.Toned | doc.Key | doc.Link | tuple):
        return _line(cell)
    return doc.figure(cell.value if isinstance(cell, doc.Bar) else cell, digits)


def _line(line: doc.Line) -> str:
    return ' '.join(part if isinstance(part, str) else part.text for part in doc.words_of(line))


def _bullets(lines: Iterable[str], style: _Style) -> str:
    return '\n'.join(style.bullet + style.safe(line) for line in lines)


def _aligned(rows: Rows) -> str:
    """Columns as wide as their longest cells, figures to the right; empty heads are left out."""
    lines = [[doc.one_line(cell) for cell in row] for row in rows if any(row)]
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
    return all(re.match(rf'[-+]?[0-9]|{doc.DASH}|$', cell) for cell in cells)


def _piped(rows: Rows) -> str:
    head, *body = [' | '.join(_markdown_safe(cell) for cell in row) for row in rows]
    rule = ' | '.join(['---'] * len(rows[0]))
    return '\n'.join(f'| {line} |' for line in (head, rule, *body))


def _markdown_safe(text: str) -> str:
    return MARKDOWN_SIGNS.sub(r'\\\1', html.escape(doc.one_line(text), quote=False))


TERMINAL = _Style(
    heading=lambda text, _: doc.one_line(text),
    table=_aligned,
    bullet='- ',
    safe=doc.one_line,
    command='  ',
)
MARKDOWN = _Style(
    heading=lambda text, level: f'{"#" * level} {_markdown_safe(text)}',
    table=_piped,
    bullet='* ',
    safe=_markdown_safe,
    command='    ',
)
