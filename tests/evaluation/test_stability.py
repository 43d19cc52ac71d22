# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.fakes.label_images import disturbed, random_label_image
from upsnet_ros.core.labels import cityscapes_label_set, class_image
from upsnet_ros.evaluation.frame_record import FrameStep
from upsnet_ros.evaluation.judge import away_from_borders, compare_frames
from upsnet_ros.evaluation.totals import StabilityTally

ROAD, SKY, CAR, TRUCK = 0, 10 << 8, (13 << 8) + 1, (14 << 8) + 1
STUFF = cityscapes_label_set().num_stuff


def halves() -> np.ndarray:
    """Road in columns 0 to 5, sky in 6 to 11, uint16 [12, 12]."""
    labels = np.full((12, 12), ROAD, np.uint16)
    labels[:, 6:] = SKY
    return labels


def with_block(label: int, *, rows: slice = slice(4, 8), columns: slice = slice(8, 12)):
    labels = halves()
    labels[rows, columns] = label
    return labels


def step_of(before: np.ndarray, after: np.ndarray, *, seconds: float = 0.1) -> FrameStep:
    step = compare_frames(before, after, seconds=seconds, num_stuff=STUFF)
    assert step is not None
    return step


def test_nothing_flips_between_equal_frames() -> None:
    step = step_of(halves(), halves())
    # Columns 5 and 6 touch the border.
    assert step == FrameStep(0.1, 120, 0, 0, 0, ((0, 0, 60), (10, 0, 60)))


def test_a_block_that_appears_flips_its_inside_and_is_born() -> None:
    # The block covers rows 4 to 7, columns 8 to 11. Rows 3 to 8 of columns 7 to 11 are its
    # surroundings: 30 pixels, of which the 2 x 3 inside are away from its border.
    step = step_of(halves(), with_block(CAR))
    assert (step.judged, step.flipped) == (96, 6)
    assert step.classes == ((0, 0, 60), (10, 6, 36), (13, 6, 6))
    assert (step.births, step.deaths) == (1, 0)
    back = step_of(with_block(CAR), halves())
    assert (back.judged, back.flipped) == (96, 6)
    assert (back.births, back.deaths) == (0, 1)


def test_an_instance_that_moves_lives_on_until_the_overlap_is_too_small() -> None:
    wide = np.full((20, 100), ROAD, np.uint16)
    before, near, far = wide.copy(), wide.copy(), wide.copy()
    before[5:15, 10:20] = CAR
    near[5:15, 15:25] = CAR + 3  # another number, IoU 5 / 15
    far[5:15, 17:27] = CAR  # IoU 3 / 17
    assert (step_of(before, near).births, step_of(before, near).deaths) == (0, 0)
    assert (step_of(before, far).births, step_of(before, far).deaths) == (1, 1)


def test_an_instance_of_another_class_is_another_one() -> None:
    step = step_of(with_block(CAR), with_block(TRUCK))
    assert (step.births, step.deaths) == (1, 1)


def test_each_instance_is_matched_once_the_best_overlap_first() -> None:
    wide = np.full((20, 100), ROAD, np.uint16)
    before, after = wide.copy(), wide.copy()
    before[5:15, 10:30] = CAR
    after[5:15, 10:18] = CAR  # IoU 8 / 20
    after[5:15, 18:30] = CAR + 1  # IoU 12 / 20
    assert (step_of(before, after).births, step_of(before, after).deaths) == (1, 0)
    assert (step_of(after, before).births, step_of(after, before).deaths) == (0, 1)


def test_a_crowd_is_no_instance() -> None:
    step = step_of(halves(), with_block(13 << 8))
    assert (step.births, step.deaths) == (0, 0)


@pytest.mark.parametrize('seconds', [0.0, -0.1, 2.5])
def test_frames_too_far_apart_are_not_compared(seconds: float) -> None:
    assert compare_frames(halves(), halves(), seconds=seconds, num_stuff=STUFF) is None


def test_frames_of_different_sizes_are_not_compared() -> None:
    assert compare_frames(halves(), halves()[1:], seconds=0.1, num_stuff=STUFF) is None


@pytest.mark.parametrize('width', [1, 2, 3])
def test_borders_are_those_a_search_around_every_pixel_finds(width: int) -> None:
    classes = class_image(
        random_label_image(np.random.default_rng(width), cityscapes_label_set(), (30, 41))
    )
    found = away_from_borders(classes, width)
    for y, x in np.ndindex(classes.shape):
        around = classes[max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1]
        assert found[y, x] == (around == classes[y, x]).all()


def test_counts_are_those_of_a_loop_over_pixels() -> None:
    rng = np.random.default_rng(5)
    before = random_label_image(rng, cityscapes_label_set(), (48, 64), cells=4)
    after = disturbed(rng, before, cityscapes_label_set(), noise=0.0, shift=1)
    after[10:30, 20:50] = SKY
    step = step_of(before, after)
    first, second = class_image(before), class_image(after)
    inner = away_from_borders(first, 1) & away_from_borders(second, 1)
    pairs = list(zip(first[inner].tolist(), second[inner].tolist(), strict=True))
    assert step.judged == len(pairs) and step.judged > 500
    assert step.flipped == sum(one != other for one, other in pairs) > 0
    for class_id, changed, either in step.classes:
        of_class = [pair for pair in pairs if class_id in pair]
        assert either == len(of_class)
        assert changed == sum(one != other for one, other in of_class)


def test_a_tally_adds_pixels_and_seconds_not_shares() -> None:
    tally = StabilityTally(cityscapes_label_set())
    tally.add(FrameStep(0.5, 100, 10, 1, 0, ((0, 10, 100), (255, 10, 10))))
    tally.add(FrameStep(1.5, 300, 0, 2, 1, ((0, 0, 300),)))
    summary = tally.summary()
    assert summary is not None
    assert (summary['steps'], summary['seconds']) == (2, 2.0)
    assert summary['flip_share'] == 10 / 400
    assert summary['births_per_second'] == 1.5 and summary['deaths_per_second'] == 0.5
    assert summary['flicker']['road'] == 10 / 400
    assert summary['flicker']['unknown'] == 1.0
    assert summary['flicker']['sky'] is None


def test_a_tally_without_steps_or_pixels_has_no_figures() -> None:
    tally = StabilityTally(cityscapes_label_set())
    assert tally.summary() is None
    tally.add(FrameStep(0.5, 0, 0, 0, 0, ()))
    assert tally.summary()['flip_share'] is None
