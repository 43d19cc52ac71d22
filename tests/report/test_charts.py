# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import matplotlib
import numpy as np
import pytest

from tests.report.blocks import NAN, NASTY, track
from tests.report.page_reader import ReadPage
from upsnet_ros.report.charts import HEIGHT, WIDTH, chart_svg
from upsnet_ros.report.document import Histogram, Reference, Timeline, Track

PATH = re.compile(r'\bd="([^"]+)"')


def places(svg: str) -> np.ndarray:
    """Points of all paths but those of markers, which lie around zero: float64 [n, 2]."""
    without_markers = re.sub(r'<defs>.*?</defs>', '', svg)
    numbers = [re.findall(r'-?[0-9.]+', path) for path in PATH.findall(without_markers)]
    return np.array([float(n) for path in numbers for n in path]).reshape(-1, 2)


def strokes(svg: str, colour: str) -> list[str]:
    return re.findall(rf'<path d="([^"]+)"[^>]*stroke: var\(--{colour}\)', svg)


@pytest.mark.parametrize(
    'values',
    [
        (), (NAN,), (0.0,), (5.0,), (-3.0, 4.0), (1e300, 1.0), (1e-300, 0.0), (NAN, 2.0, NAN),
        (float('inf'), 1.0), tuple(range(500)),
    ],
    ids=str,
)  # fmt: skip
def test_any_value_of_a_timeline_is_drawn_inside(values: tuple[float, ...]) -> None:
    marks = (0.0, 3.0) if len(values) > 1 else ()
    chart = Timeline('quality', (track(*values, marks=marks),), (Reference(2.0, 'two'),))
    svg = chart_svg(chart)
    points = places(svg)
    assert (points >= 0).all() and (points <= (WIDTH, HEIGHT)).all()
    assert ('nothing was measured' in svg) == (not np.isfinite(values).any())


@pytest.mark.parametrize('counts', [(), (0, 0), (1,), (0, 3, 0), (10**12, 1)], ids=str)
@pytest.mark.parametrize(('low', 'high'), [(0.0, 1.0), (3.0, 3.0), (-1e6, 1e6)])
def test_any_count_of_a_histogram_is_drawn_inside(counts, low: float, high: float) -> None:
    svg = chart_svg(Histogram('frames', counts, low, high, 'ms', (Reference(1e9, 'far'),)))
    points = places(svg)
    assert (points >= 0).all() and (points <= (WIDTH, HEIGHT)).all()
    assert ('nothing was measured' in svg) == (not sum(counts))


def test_names_never_reach_a_drawing_but_the_unit_does() -> None:
    chart = Timeline(NASTY, (track(1, 2, name=NASTY),), (Reference(1.0, NASTY),))
    drawing = ReadPage(chart_svg(chart))
    assert 'script' not in drawing.text and drawing.named('script') == []
    assert drawing.named('svg')[0]['aria-label'] == NASTY
    svg = chart_svg(Histogram(NASTY, (1,), 0.0, 1.0, NASTY))
    assert '<script' not in svg and NASTY in ReadPage(svg).text


def test_small_values_keep_all_digits_of_their_scale() -> None:
    svg = chart_svg(Timeline('quality', (track(0.0, 0.0004),)))
    texts = ReadPage(svg).text.split()
    assert '0.0002' in texts and '0.0004' in texts


def test_large_values_are_plain_numbers_that_have_room() -> None:
    svg = chart_svg(Timeline('age [ms]', (track(0.0, 190_000.0),)))
    texts = ReadPage(svg).text.split()
    assert {'0', '50,000', '150,000'} <= set(texts) and 'e+' not in svg
    (left,) = {float(x) for x in re.findall(r'd="M ([0-9.]+) [0-9.]+ L [0-9.]+ [0-9.]+ "', svg)}
    assert left > 50  # seven characters of half the size of the text


def test_a_line_is_broken_where_frames_are_missing_and_losses_are_marked() -> None:
    seconds = np.array([0.0, 1, 2, 3, 4, 15, 25, 26, 27])
    gaps = Track('front', seconds, seconds + 1, np.array([5.0, 5.001, 20.0]))
    svg = chart_svg(Timeline('quality', (gaps,)))
    (line,) = strokes(svg, 'line0')
    assert line.count('M') == 2 + 1  # the one that stands alone is drawn as a dot as well
    assert svg.count('<use') == 1
    assert len(strokes(svg, 'alarm')) == 2


def test_a_long_drive_is_drawn_as_short_as_a_short_one_without_losing_an_outlier() -> None:
    values = np.full(100_000, 10.0)
    values[5_000] = 90.0
    svg = chart_svg(Timeline('quality', (track(*values),)))
    assert len(svg) < 20_000
    assert '>90<' in svg or '>100<' in svg
    heights = places(svg)[:, 1]
    assert heights.min() < 40
    assert 'fill-opacity: 0.18' in svg  # the band from the least to the greatest


def test_each_track_has_its_own_colour_and_colours_are_those_of_the_style() -> None:
    svg = chart_svg(Timeline('quality', tuple(track(i, i + 1) for i in range(8))))
    assert [len(strokes(svg, f'line{i}')) for i in range(6)] == [2, 2, 1, 1, 1, 1]
    assert not re.search('#[0-9a-f]{6}', svg)


def test_drawing_is_repeatable_and_leaves_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    chart = Timeline('quality', (track(1, NAN, 2, name='a'),))
    assert chart_svg(chart) == chart_svg(chart)
    assert dict(matplotlib.rcParams) == before
