# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from upsnet_ros.evaluation.svg_charts import HEIGHT, WIDTH, Reference
from upsnet_ros.evaluation.svg_timeline import STRETCHES, Track, timeline

NONE = np.array([])


def track(seconds: list[float], values: list[float], marks: np.ndarray = NONE) -> Track:
    return Track('front', np.array(seconds), np.array(values), marks)


def points(svg: str, tag: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, pair.split(','))) for pair in element.get('points').split()]
        for element in ElementTree.fromstring(svg).iter(tag)
    ]


def test_later_is_further_right_and_more_is_higher() -> None:
    ((a, b, c),) = points(timeline([track([0, 1, 3], [1, 5, 3])], label='x'), 'polyline')
    assert a[0] < b[0] < c[0]
    assert c[0] - b[0] == pytest.approx(2 * (b[0] - a[0]), abs=0.2)
    assert b[1] < c[1] < a[1]


def test_a_line_is_broken_where_frames_are_missing() -> None:
    seconds = [0, 1, 2, 3, 20, 21, 40]
    svg = timeline([track(seconds, [1.0] * 7)], label='x')
    assert [len(line) for line in points(svg, 'polyline')] == [4, 2]
    assert len(list(ElementTree.fromstring(svg).iter('circle'))) == 1


def test_values_that_are_missing_are_not_drawn_as_zero() -> None:
    svg = timeline([track([0, 1, 2], [4.0, np.nan, 4.0])], label='x')
    heights = {y for line in points(svg, 'polyline') for _, y in line}
    assert len(heights) == 1


def test_a_long_drive_is_drawn_as_means_with_a_band_that_holds_every_value() -> None:
    random = np.random.default_rng(0)
    values = random.uniform(0, 50, 5000)
    values[1234] = 99.0
    svg = timeline([track(list(range(5000)), values.tolist())], label='x')
    (line,), (band,) = points(svg, 'polyline'), points(svg, 'polygon')
    assert len(line) == STRETCHES and len(band) == 2 * STRETCHES
    y_zero, y_hundred = HEIGHT - 34, 22
    highest = min(y for _, y in band)
    assert highest == pytest.approx(y_zero - 0.99 * (y_zero - y_hundred), abs=0.1)
    means = [y_zero - (y_zero - y_hundred) * m / 100 for m in values.reshape(200, 25).mean(axis=1)]
    assert [y for _, y in line] == pytest.approx(means, abs=0.15)


def test_lost_frames_are_marked_once_per_place() -> None:
    svg = timeline([track([0, 10], [1, 1], np.array([5.0, 5.0001, 7.5]))], label='x')
    marks = [e for e in ElementTree.fromstring(svg).iter('line') if e.get('class') == 'missing']
    assert len(marks) == 2


@pytest.mark.parametrize(
    ('seconds', 'values'), [([0.0], [0.0]), ([5.0, 5.0], [1e9, 0.0]), ([0, 1], [1e-9, 3.0])]
)
def test_everything_lies_inside_the_drawing(seconds, values) -> None:
    svg = timeline([track(seconds, values)], label='x', references=[Reference(2e9, 'far')])
    places = [point for line in points(svg, 'polyline') for point in line]
    places += [
        (float(e.get('cx')), float(e.get('cy')))
        for e in ElementTree.fromstring(svg).iter('circle')
    ]
    assert places
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


@pytest.mark.parametrize('tracks', [[], [track([], [])], [track([0, 1], [np.nan, np.nan])]])
def test_nothing_measured_says_so(tracks: list[Track]) -> None:
    assert 'nothing was measured' in timeline(tracks, label='x')


def test_text_is_escaped() -> None:
    svg = timeline([track([0], [1])], label='<a> & "b"', references=[Reference(1, '<script>')])
    assert '<script>' not in svg
    ElementTree.fromstring(svg)
