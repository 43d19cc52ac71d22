# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.frame_tables import (
    CAR,
    LATENCY,
    ROAD,
    SKY,
    SMALL_SET,
    random_table,
    table_of,
)
from upsnet_ros.evaluation.paired_bootstrap import FrameTable, WeightedFrames


def figures_of(table: FrameTable, weights: np.ndarray) -> dict[str, np.ndarray]:
    return WeightedFrames(table, weights, SMALL_SET.num_stuff).figures()


def latencies(values: list[float], weights: np.ndarray) -> WeightedFrames:
    table = random_table(0, frames=1).select(np.zeros(len(values), int))
    return WeightedFrames(replace(table, values={LATENCY: np.array(values)}), weights, 2)


def test_a_weight_of_two_is_the_frame_twice() -> None:
    table = random_table(1, frames=5)
    rows = np.array([0, 0, 3, 4, 4])
    weights = np.array([[2.0, 0.0, 0.0, 1.0, 2.0]])
    weighted = figures_of(table, weights)
    repeated = figures_of(table.select(rows), np.ones((1, 5)))
    for name in weighted:
        assert weighted[name] == pytest.approx(repeated[name], nan_ok=True), name


def test_quantiles_are_those_of_the_repeated_values() -> None:
    random = np.random.default_rng(0)
    values = random.uniform(0, 100, 40)
    values[[3, 17]] = np.nan
    weights = random.integers(0, 4, (25, 40)).astype(np.float64)
    frames = latencies(values.tolist(), weights)
    shares = (0.0, 0.5, 0.95, 1.0)
    found = [frames.quantile(LATENCY, share) for share in shares]
    for row, weight in enumerate(weights):
        repeated = np.repeat(values, weight.astype(int))
        expected = np.nanquantile(repeated, shares)
        assert [quantile[row] for quantile in found] == pytest.approx(expected.tolist())


def test_quantiles_of_one_value_and_of_nothing() -> None:
    one = latencies([7.0], np.array([[1.0], [0.0]])).quantile(LATENCY, 0.95)
    assert one == pytest.approx([7.0, np.nan], nan_ok=True)
    for values in ([], [np.nan, np.nan]):
        found = latencies(values, np.ones((3, len(values)))).quantile(LATENCY, 0.5)
        assert np.isnan(found).tolist() == [True] * 3


def test_a_class_found_nowhere_and_a_class_never_matched_by_hand() -> None:
    truth = np.full((4, 4), ROAD << 8, np.uint16)
    truth[2:] = CAR << 8 | 1
    labels = np.full((4, 4), ROAD << 8, np.uint16)  # the car is missed, the road too large
    figures = figures_of(table_of([labels], [truth], [5.0]), np.ones((1, 1)))
    # The road's IoU is 8 / 16 and not above one half: no match, one extra, one missed.
    assert figures['class_pq'][0, [ROAD, CAR]].tolist() == [0.0, 0.0]
    assert np.isnan(figures['class_pq'][0, SKY])
    assert np.isnan(figures['class_sq']).all()
    assert figures['class_iou'][0, [ROAD, CAR]].tolist() == [50.0, 0.0]
    assert (figures['sq'][0], figures['pq'][0], figures['miou'][0]) == (0.0, 0.0, 25.0)
