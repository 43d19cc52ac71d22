# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.report.blocks import NASTY, every_block, report_of
from upsnet_ros.report.document import (
    Bar,
    Card,
    Cards,
    Column,
    Facts,
    Fold,
    Interval,
    Key,
    Note,
    Points,
    Section,
    Table,
)
from upsnet_ros.report.text import markdown_text, terminal_text

TABLE = Table(
    (Column('Class'), Column('', wide=True), Column('PQ'), Column('interval')),
    ((Key((1, 2, 3), 'road'), Bar(50.0), 50.0, Interval(1.0, -1.0, 2.0, 3.0)),
     ('car', Bar(None), None, Interval(None, None, None, 3.0))),
)  # fmt: skip


@pytest.mark.parametrize('number', range(len(every_block(''))))
def test_any_text_of_any_block_stays_text_in_markdown(number: int) -> None:
    def told(text: str) -> str:
        return markdown_text(report_of(every_block(text)[number], text=text))

    nasty = told(NASTY + '`*_|[]~#')
    commands = [line for line in nasty.splitlines() if line.startswith('    ')]
    safe = '\n'.join(line for line in nasty.splitlines() if line not in commands)
    assert '<' not in safe
    assert len(nasty.splitlines()) == len(told('plain').splitlines())
    assert all(safe[i - 1] == '\\' for i, sign in enumerate(safe) if sign in '`~')


def test_markdown_of_a_report() -> None:
    text = markdown_text(report_of(TABLE, Fold('more', (Note('deep'),)), text='drive'))
    assert text.startswith('# drive\n\ndrive\n\n## Warnings\n\n* drive\n\n## drive\n\n')
    assert '| Class | PQ | interval |\n| --- | --- | --- |\n| road | 50.0 | -1.0 to +2.0 |' in text
    assert '| car | – | – |' in text
    assert text.endswith('### more\n\ndeep\n')


def test_blocks_for_a_terminal_are_aligned() -> None:
    cards = Cards((Card('Quality', 54.5, 'PQ', 'things 6'), Card('Frames labelled', 120)))
    facts = Facts({'bag': 'a', 'gone': None}, 'Where')
    text = terminal_text([cards, TABLE, facts, Section('Left out', (Points(('x\x00y',)),))])
    assert text == (
        'Quality          54.5 PQ  things 6\n'
        'Frames labelled      120\n'
        '\n'
        'Class    PQ      interval\n'
        'road   50.0  -1.0 to +2.0\n'
        'car       –             –\n'
        '\n'
        'Where\n\nsetting  value\nbag      a\n'
        '\n'
        'Left out\n\n- x?y'
    )


def test_nothing_is_told_of_what_is_empty() -> None:
    assert terminal_text([Section('Left out', (Points(()), Facts({}, 'Model')))]) == ''
