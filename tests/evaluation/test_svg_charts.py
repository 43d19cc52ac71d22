# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from xml.etree import ElementTree

import pytest

from upsnet_ros.evaluation.svg_charts import (
    HEIGHT,
    WIDTH,
    Reference,
    histogram,
    nice_ticks,
    time_series,
)


def elements(svg: str, name: str, style: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(svg).iter(name) if e.get('class') == style]


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (0, 100, [0, 50, 100]),
        (0, 7, [0, 2, 4, 6, 8]),
        (0, 0, [0, 0.5]),
        (0.02, 0.03, [0.02, 0.025, 0.03]),
        (61, 63, [61, 61.5, 62, 62.5, 63]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(
    low: float, high: float, expected: list[float]
) -> None:
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_ticks_of_equal_values_enclose_them() -> None:
    ticks = nice_ticks(5.0, 5.0)
    assert ticks[0] <= 5.0 <= ticks[-1]
    assert len(ticks) >= 2


def test_a_series_has_a_dot_for_each_value_and_a_mark_for_each_gap() -> None:
    svg = time_series([1.0, None, 3.0, 2.0, None], label='x')
    assert len(elements(svg, 'circle', 'dot')) == 3
    assert len(elements(svg, 'line', 'missing')) == 2
    lines = elements(svg, 'polyline', 'line')
    assert [len(line.get('points').split()) for line in lines] == [2]


def test_higher_values_stand_higher_and_later_ones_further_right() -> None:
    dots = elements(time_series([1.0, 5.0, 3.0], label='x'), 'circle', 'dot')
    x, y = ([float(dot.get(axis)) for dot in dots] for axis in ('cx', 'cy'))
    assert x == sorted(x)
    assert y[1] < y[2] < y[0]


@pytest.mark.parametrize('values', [[0.0], [1e-9], [1e9, 3.0], [5.0] * 400])
def test_every_value_lies_inside_the_drawing(values: list[float]) -> None:
    svg = time_series(values, label='x', references=[Reference(2 * max(values), 'twice')])
    for dot in elements(svg, 'circle', 'dot'):
        assert 0 <= float(dot.get('cx')) <= WIDTH
        assert 0 <= float(dot.get('cy')) <= HEIGHT
    assert len(elements(svg, 'line', 'reference')) == 1


@pytest.mark.parametrize('values', [[], [None], [None, None]])
def test_nothing_measured_says_so(values: list[None]) -> None:
    assert 'nothing was measured' in time_series(values, label='x')
    assert 'nothing was measured' in histogram([], label='x', unit='ms')


def test_the_bars_of_a_histogram_hold_every_value_once() -> None:
    values = [10.0, 10.0, 20.0, 35.5, 90.0]
    bars = elements(histogram(values, label='x', unit='ms'), 'rect', 'bar')
    counts = [int(bar.find('title').text.split(': ')[1].split()[0]) for bar in bars]
    assert sum(counts) == len(values)
    tallest = max(bars, key=lambda bar: float(bar.get('height')))
    assert '2 frames' in tallest.find('title').text


def test_text_is_escaped() -> None:
    svg = time_series([1.0], label='<a> & "b"', references=[Reference(1.0, '<script>')])
    assert '<script>' not in svg
    assert ElementTree.fromstring(svg).get('aria-label') == '<a> & "b"'
