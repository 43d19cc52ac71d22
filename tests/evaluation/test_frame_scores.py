# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.small_drive import CAR, VOID, bare_score, material_of, truth_of
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.evaluation.frame_scores import WorstFrames, evenly_spaced, score_frame

LABELS = cityscapes_label_set()


def test_the_truth_itself_is_perfect() -> None:
    material = material_of(0, predicted=truth_of(0), truth=truth_of(0))
    score = score_frame(material, LABELS)
    assert score.pq == 100.0
    assert score.unknown_share == pytest.approx(4 / 96)


def test_a_missed_car_costs_its_class() -> None:
    predicted = truth_of(0)
    predicted[predicted == CAR] = VOID
    score = score_frame(material_of(0, predicted=predicted, truth=truth_of(0)), LABELS)
    assert score.pq == pytest.approx(200 / 3)


def test_a_dropped_frame_has_no_score() -> None:
    score = score_frame(material_of(0, predicted=None, truth=truth_of(0)), LABELS)
    assert (score.quality, score.pq, score.unknown_share) == (None, None, None)


def test_a_frame_without_truth_has_only_its_unknown_share() -> None:
    predicted = truth_of(0)
    predicted[:] = VOID
    score = score_frame(material_of(0, predicted=predicted, truth=None), LABELS)
    assert (score.quality, score.pq, score.unknown_share) == (None, None, 1.0)


def test_a_frame_whose_truth_is_all_void_has_no_quality_of_its_own() -> None:
    void = np.full_like(truth_of(0), VOID)
    assert score_frame(material_of(0, predicted=void, truth=void), LABELS).pq is None


def test_the_lowest_qualities_are_kept_worst_first() -> None:
    worst = WorstFrames(2)
    for index, pq in enumerate((50.0, 20.0, 90.0, 10.0)):
        material = material_of(index, predicted=truth_of(index), truth=truth_of(index))
        worst.offer(material, bare_score(index, pq=pq))
    assert [material.index for material, _ in worst.ranked()] == [3, 1]


def test_equal_frames_are_ranked_by_their_number() -> None:
    worst = WorstFrames(2)
    for index in range(4):
        material = material_of(index, predicted=truth_of(index), truth=None)
        worst.offer(material, bare_score(index, pq=None, unknown_share=0.5))
    assert [material.index for material, _ in worst.ranked()] == [0, 1]


def test_dropped_frames_are_not_shown_as_worst() -> None:
    worst = WorstFrames(2)
    worst.offer(
        material_of(0, predicted=None, truth=truth_of(0)),
        bare_score(0, pq=None, unknown_share=None),
    )
    assert worst.ranked() == []


@pytest.mark.parametrize(
    ('total', 'count', 'expected'),
    [(0, 3, []), (1, 3, [0]), (3, 3, [0, 1, 2]), (100, 4, [12, 37, 62, 87])],
)
def test_indices_are_spread_evenly(total: int, count: int, expected: list[int]) -> None:
    assert evenly_spaced(total, count) == expected
