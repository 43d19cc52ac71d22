# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of labels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes.label_images import random_label_image
from tests.fakes.network_output import make_label_set
from upsnet_ros.core.errors import ImageError, LabelError, ParameterError
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set
from upsnet_ros.core.overlay import BOUNDARY_LIGHT, colour_label_image, draw_overlay
from upsnet_ros.core.structures import Instance

LABELS = cityscapes_label_set()
CAR = 13


def test_stuff_and_first_instances_have_their_class_colour() -> None:
    labels = [c.train_id << 8 | int(c.is_thing) for c in LABELS.classes]
    picture = colour_label_image(np.array([labels], np.uint16), LABELS)
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous
    expected = np.array([c.colour[::-1] for c in LABELS.classes])
    # A shade goes through hue and back, which may cost one step of 255.
    assert np.abs(picture[0].astype(int) - expected).max() <= 1


def test_unknown_and_foreign_classes_are_black() -> None:
    labels = np.array([[UNKNOWN_LABEL, 19 << 8, 200 << 8 | 7]], np.uint16)
    assert (colour_label_image(labels, LABELS) == 0).all()


def test_neighbouring_instances_differ_and_stay_near_their_class() -> None:
    labels = np.array([[CAR << 8 | n for n in range(1, 21)]], np.uint16)
    colours = colour_label_image(labels, LABELS)[0].astype(int)
    steps = np.abs(np.diff(colours, axis=0)).max(axis=1)
    assert steps.min() > 20
    assert len({tuple(colour) for colour in colours}) == 20
    assert (colours.argmax(axis=1) == 0).all(), 'all cars are blue'


@pytest.mark.parametrize('size', [(1, 1), (1, 50), (37, 53)])
def test_equals_a_picture_made_pixel_by_pixel(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    labels = random_label_image(rng, LABELS, size, cells=5)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    colours = colour_label_image(labels, LABELS).astype(float)
    expected = np.rint(0.3 * colours + 0.7 * image)
    for y in range(size[0]):
        for x in range(size[1]):
            right = x + 1 < size[1] and labels[y, x] != labels[y, x + 1]
            below = y + 1 < size[0] and labels[y, x] != labels[y + 1, x]
            if right or below:
                expected[y, x] = np.minimum(expected[y, x] + BOUNDARY_LIGHT, 255)
    picture = draw_overlay(image, labels, LABELS, alpha=0.3)
    assert np.abs(picture - expected).max() <= 1


def test_alpha_zero_is_the_image_and_one_the_colours() -> None:
    rng = np.random.default_rng(2)
    labels = random_label_image(rng, LABELS, (20, 30))
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    before = image.copy()
    picture = draw_overlay(image, labels, LABELS, alpha=0.0, boundaries=False)
    np.testing.assert_array_equal(picture, image)
    assert not np.shares_memory(picture, image)
    picture = draw_overlay(image, labels, LABELS, alpha=1.0, boundaries=False)
    np.testing.assert_array_equal(picture, colour_label_image(labels, LABELS))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    'box', [(10.0, 20.0, 60.0, 50.0), (0.0, 0.0, 5.0, 5.0), (110.0, 70.0, 119.0, 79.0)]
)
def test_names_change_the_picture_near_their_box_only(
    box: tuple[float, float, float, float],
) -> None:
    image, labels = np.full((80, 120, 3), 90, np.uint8), np.zeros((80, 120), np.uint16)
    car = Instance(CAR << 8 | 1, CAR, 'car', 0.87, box, 100)
    plain = draw_overlay(image, labels, LABELS)
    named = draw_overlay(image, labels, LABELS, instances=(car,))
    rows, columns = np.nonzero((plain != named).any(axis=2))
    assert rows.size > 50
    assert abs(rows.min() - box[1]) < 20 and np.ptp(rows) < 20


def test_a_name_fits_on_a_tiny_picture() -> None:
    car = Instance(CAR << 8 | 1, CAR, 'car', 0.87, (0.0, 0.0, 1.0, 1.0), 1)
    image, labels = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)
    assert draw_overlay(image, labels, LABELS, instances=[car]).shape == (2, 2, 3)


def test_label_sets_without_things_have_colours() -> None:
    picture = colour_label_image(np.array([[1 << 8]], np.uint16), make_label_set(2, 0))
    assert tuple(picture[0, 0][::-1]) == make_label_set(2, 0).classes[1].colour


def test_wrong_inputs_are_refused() -> None:
    image, labels = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint16)
    with pytest.raises(ImageError, match='to go with'):
        draw_overlay(image[:3], labels, LABELS)
    with pytest.raises(ImageError, match='float32'):
        draw_overlay(image.astype(np.float32), labels, LABELS)
    with pytest.raises(LabelError, match='uint16'):
        draw_overlay(image, labels.astype(np.uint8), LABELS)
    for alpha in (-0.1, 1.1, float('nan')):
        with pytest.raises(ParameterError, match='alpha'):
            draw_overlay(image, labels, LABELS, alpha=alpha)
