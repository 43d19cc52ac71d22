# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.report.blocks import NAN, NASTY, PICTURE, VALUES, every_block, report_of
from tests.report.page_reader import ReadPage
from upsnet_ros.report.document import (
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Column,
    Command,
    Facts,
    Film,
    Fold,
    Frame,
    Frames,
    Interval,
    Key,
    Link,
    Note,
    Picture,
    Points,
    Section,
    Table,
    Toned,
    count_of,
    figure,
    percent,
    signed,
)
from upsnet_ros.report.page import render_page, write_page


def page_of(*blocks: Block) -> ReadPage:
    page = ReadPage(render_page(report_of(*blocks)))
    page.assert_loads_nothing()
    return page


def classes(page: ReadPage, tag: str) -> list[str]:
    return [attributes.get('class', '') for attributes in page.named(tag)]


@pytest.mark.parametrize('number', range(len(every_block(''))))
def test_any_text_of_any_block_stays_text(number: int) -> None:
    plain = ReadPage(render_page(report_of(every_block('plain')[number], text='plain')))
    nasty = ReadPage(render_page(report_of(every_block(NASTY)[number], text=NASTY)))
    assert [tag for tag, _ in nasty.tags] == [tag for tag, _ in plain.tags]
    assert [set(attributes) for _, attributes in nasty.tags] == [
        set(attributes) for _, attributes in plain.tags
    ]
    assert nasty.text.count(NASTY) == plain.text.count('plain')


def test_signs_that_cannot_be_printed_and_lines_are_folded() -> None:
    page = page_of(Note('a\n b\x00c\u202ed'))
    assert 'a b?c?d' in page.text


def test_head_and_foot_of_a_page(tmp_path) -> None:
    path = write_page(report_of(text='all that is told'), tmp_path / 'new' / 'report.html')
    page = ReadPage(path.read_text(encoding='utf-8'))
    page.assert_loads_nothing()
    # Kind, title of the page, its heading, verdict, warning, heading of the section, footer.
    assert page.text.count('all that is told') == 7
    assert any(meta.get('name') == 'viewport' for meta in page.named('meta'))
    assert 'Mind' not in page_without_warnings()


def page_without_warnings() -> str:
    report = report_of()
    return ReadPage(render_page(type(report)('', '', '', ()))).text


def test_cards() -> None:
    cards = (
        Card('Quality', 54.54, 'PQ', ['one', Toned('+1', 'better')]),
        Card('Lost', 3, alarm=True),
    )
    page = page_of(Cards(cards))
    assert '54.5 PQ' in page.text
    assert [name for name in classes(page, 'div') if name.startswith('card ')] == ['card alarm']
    assert classes(page, 'span') == ['better']


def test_a_table_draws_any_value_inside_its_cells() -> None:
    cells = tuple((Key((1, 2, 3), 'road'), Bar(value, (1, 2, 3)), value) for value in VALUES)
    page = page_of(Table((Column('Class'), Column('', wide=True), Column('PQ')), cells))
    styles = [d['style'] for d in page.named('div') if d.get('class') == 'bar-fill']
    widths = ['0.0', '0.0', '1.0', '100.0', '0.0', '100.0', '7.0', '2.5']
    assert styles == [f'width:{width}%;background:rgb(1 2 3)' for width in widths]
    shown = ['–', '–', '–', '0.0', '0.0', '1.0', '100.0', '-5.0', '1e+300', '7', '2.5']
    assert page.cells(2) == shown


def test_intervals_are_drawn_around_zero_and_never_beyond_their_cells() -> None:
    intervals = (
        Interval(1.0, -1.0, 2.0, 2.0, 'better'), Interval(9.0, 8.0, 1e300, 2.0, 'worse'),
        Interval(1.0, None, None, 0.0), Interval(None, None, None, 1.0), Interval(NAN, 0, 1, 1.0),
    )  # fmt: skip
    page = page_of(Table((Column(''), Column('')), tuple(('', one) for one in intervals)))
    assert [i['style'] for i in page.named('i')] == [
        'left:26.0%;width:72.0%', 'left:98.0%;width:0.0%', 'left:98.0%;width:0.0%'
    ]  # fmt: skip
    assert [b['style'] for b in page.named('b')] == ['left:74.0%', 'left:98.0%', 'left:98.0%']
    whiskers = [name for name in classes(page, 'div') if name.startswith('whisker')]
    assert whiskers == ['whisker better', 'whisker worse', 'whisker unclear']
    assert '+1.00, -1.00 to +2.00' in page.source and '+1.00, –' in page.source


def test_a_table_needs_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match='row 2 of the table has 1 cells, expected 2'):
        Table((Column('a'), Column('b')), ((1, 2), (1,)))


def test_tables_may_be_empty_scroll_and_sum_up() -> None:
    columns = (Column('Model'), Column('PQ'))
    page = page_of(
        Table(columns, (), scrolls=True, label='All'),
        Table(columns, ((Link('one', 'a b/%22.html'), 1.0), ('all', 2.0)), total=True),
    )
    assert [d['aria-label'] for d in page.named('div') if d.get('class') == 'scroll'] == ['All']
    assert [a['href'] for a in page.named('a')] == ['a b/%22.html']
    assert classes(page, 'table') == ['', 'sums']


def test_pictures_come_from_arrays_and_files_and_are_left_out_where_there_is_none(
    tmp_path,
) -> None:
    cv2.imwrite(str(tmp_path / 'there.png'), PICTURE)
    (tmp_path / 'broken.jpg').write_bytes(b'no picture')
    pictures = (
        Picture('wide', np.zeros((10, 2000, 3), np.uint8), widest=500),
        Picture('there', tmp_path / 'there.png'),
        Picture('broken', tmp_path / 'broken.jpg'),
        Picture('gone', tmp_path / 'gone.jpg'),
    )
    page = page_of(Frames((Frame('camera at 3 s', pictures, ('PQ 3',), '17'), Frame('x', ()))))
    images = page.named('img')
    assert [(i['alt'], i['width'], i['height']) for i in images] == [
        ('wide', '500', '2'), ('there', '60', '40')
    ]  # fmt: skip
    assert 'camera at 3 s 17' in page.text and 'gone' not in page.text


def test_a_film_is_not_loaded_before_it_is_played() -> None:
    page = page_of(Film('drive.webm', 'the drive', PICTURE), Film('other.webm', 'bare'))
    with_still, bare = page.named('video')
    assert with_still['src'] == 'drive.webm' and with_still['preload'] == 'none'
    assert with_still['poster'].startswith('data:image/jpeg;base64,')
    assert 'poster' not in bare and 'autoplay' not in with_still


def test_facts_leave_out_what_is_not_known() -> None:
    values = {'a_b': {'c_d': [1, 2], 'e': None}, 'gone': None, 'empty': '', 'nothing': []}
    page = page_of(Facts(values, 'Model'))
    assert page.cells(0) == ['a b'] and page.cells(1) == ['c d 1, 2']


def test_words_points_commands_and_what_holds_them() -> None:
    inner = Note(('see', Key((1, 2, 3), 'wrong')))
    page = page_of(
        Beside((inner, Points(('one', 'two')))), Fold('more', (Command('a < b'),)),
        Section('inside', (Section('deeper', (inner,)),)),
    )  # fmt: skip
    assert 'see wrong' in page.text and 'a < b' in page.text
    assert len(page.named('li')) == 2 + 1  # and the warning
    assert len(page.named('h3')) == len(page.named('h4')) == 1


@pytest.mark.parametrize(
    ('value', 'text', 'change'),
    [
        (None, '–', '–'), (NAN, '–', '–'), (-0.04, '0.0', '0.0'), (0.06, '0.1', '+0.1'),
        (-3, '-3', '-3'), (3, '3', '+3'), (1e12, '1e+12', '+1e+12'), (np.int64(4), '4', '+4'),
    ],
)  # fmt: skip
def test_figures_as_text(value: float | None, text: str, change: str) -> None:
    assert (figure(value), signed(value)) == (text, change)


def test_shares_and_counts_as_text() -> None:
    assert (percent(0.5), percent(None)) == ('50.0', '–')
    assert (count_of(1, 'frame'), count_of(2, 'frame')) == ('1 frame', '2 frames')
