# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.frame_tables import (
    CAR,
    ROAD,
    SKY,
    SMALL_SET,
    random_labels,
    random_table,
    table_of,
)
from upsnet_ros.core.labels import class_image
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_table import figures_of, weighted_quantiles


def test_figures_of_all_frames_are_those_of_the_metrics_themselves() -> None:
    random = np.random.default_rng(3)
    truths = [random_labels(random) for _ in range(8)]
    labels = [random_labels(random) for _ in range(8)]
    for image in labels:
        image[image == 65535] = ROAD << 8  # mean IoU asks for a class everywhere
    quality, iou = PanopticQuality(SMALL_SET), MeanIou(SMALL_SET)
    for image, truth in zip(labels, truths, strict=True):
        quality.update(image, truth)
        iou.update(class_image(image), class_image(truth))
    table = table_of(labels, truths, [1.0] * 8)
    figures = figures_of(table, np.ones((1, 8)), num_stuff=SMALL_SET.num_stuff)
    summary, shares = quality.summary(), iou.summary()
    assert figures.class_pq[0] == pytest.approx([c.pq for c in summary.per_class])
    assert figures.class_rq[0] == pytest.approx([c.rq for c in summary.per_class])
    assert figures.class_iou[0] == pytest.approx(list(shares.per_class.values()))
    for name, expected in (
        ('pq', summary.all.pq),
        ('sq', summary.all.sq),
        ('rq', summary.all.rq),
        ('pq_things', summary.things.pq),
        ('pq_stuff', summary.stuff.pq),
        ('miou', shares.miou),
    ):
        assert getattr(figures, name)[0] == pytest.approx(expected), name


def test_a_weight_of_two_is_the_frame_twice() -> None:
    table = random_table(1, frames=5)
    rows = np.array([0, 0, 3, 4, 4])
    weights = np.array([[2.0, 0.0, 0.0, 1.0, 2.0]])
    weighted = figures_of(table, weights, num_stuff=2)
    repeated = figures_of(table.select(rows), np.ones((1, 5)), num_stuff=2)
    for name in vars(weighted):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), nan_ok=True), name


def test_quantiles_are_those_of_the_repeated_values() -> None:
    random = np.random.default_rng(0)
    values = random.uniform(0, 100, 40)
    values[[3, 17]] = np.nan
    weights = random.integers(0, 4, (25, 40)).astype(np.float64)
    found = weighted_quantiles(values, weights, (0.0, 0.5, 0.95, 1.0))
    for row, weight in enumerate(weights):
        repeated = np.repeat(values, weight.astype(int))
        expected = np.nanpercentile(repeated, (0, 50, 95, 100))
        assert [quantile[row] for quantile in found] == pytest.approx(expected.tolist())


@pytest.mark.parametrize('weight', [0.0, 1.0])
def test_one_value_is_every_quantile_of_itself(weight: float) -> None:
    found = weighted_quantiles(np.array([7.0]), np.array([[weight]]), (0.0, 0.5, 1.0))
    expected = [7.0] * 3 if weight else [np.nan] * 3
    assert np.ravel(found) == pytest.approx(expected, nan_ok=True)


def test_quantiles_of_nothing_are_no_number() -> None:
    for values in (np.array([]), np.array([np.nan, np.nan])):
        found = weighted_quantiles(values, np.ones((3, len(values))), (0.5,))
        assert np.isnan(found[0]).tolist() == [True] * 3


def test_frames_without_truth_give_no_quality_but_count_for_the_rest() -> None:
    table = random_table(2, frames=4, truth_every=100).select(np.array([1, 2, 3]))
    figures = figures_of(table, np.ones((1, 3)), num_stuff=2)
    assert np.isnan(figures.pq[0]) and np.isnan(figures.miou[0])
    assert np.isnan(figures.class_pq).all()
    assert figures.unknown_share[0] == pytest.approx(table.unknown_share.mean())
    assert figures.latency_mean_ms[0] == pytest.approx(table.latency_ms.mean())


def test_a_class_found_nowhere_and_a_class_never_matched_by_hand() -> None:
    truth = np.full((4, 4), ROAD << 8, np.uint16)
    truth[2:] = CAR << 8 | 1
    labels = np.full((4, 4), ROAD << 8, np.uint16)  # the car is missed, the road too large
    figures = figures_of(table_of([labels], [truth], [5.0]), np.ones((1, 1)), num_stuff=2)
    # The road's IoU is 8 / 16 and not above one half: no match, one extra, one missed.
    assert figures.class_pq[0, [ROAD, CAR]].tolist() == [0.0, 0.0]
    assert np.isnan(figures.class_pq[0, SKY])
    assert np.isnan(figures.class_sq).all()
    assert figures.class_iou[0, [ROAD, CAR]].tolist() == [50.0, 0.0]
    assert (figures.sq[0], figures.pq[0], figures.miou[0]) == (0.0, 0.0, 25.0)
