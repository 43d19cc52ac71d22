# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an image and its label image to a sample: objects, outlines, sizes, crops."""

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco_masks

from training.data.augmentation import make_crop, make_sample, resize
from training.data.label_runs import LabelRuns
from training.data.loader import pad_sample
from training.data.objects import find_objects, trace_outlines
from training.data.sample import Sample
from upsnet_ros.core.labels import encode_label

STUFF = 11
CAR, PERSON = 13, 11


def make_labels() -> np.ndarray:
    labels = np.zeros((40, 60), np.uint16)
    labels[10:20, 5:25] = encode_label(CAR, 1)
    labels[30:40, 50:60] = encode_label(PERSON, 1)
    labels[0:5] = encode_label(CAR, 0)  # crowd
    labels[5:6] = 65535
    return labels


def sample_of(labels: np.ndarray, *, scale: float = 1.0, **options) -> Sample:
    image = np.full((*labels.shape, 3), 77, np.uint8)
    options = {'flip': False, 'num_stuff': STUFF, 'draw_polygons': True} | options
    return make_sample('x', image, labels, scale=scale, **options)


def random_labels(seed: int, size: tuple[int, int] = (37, 53)) -> np.ndarray:
    """Blots of stuff, things, crowds and void."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 12, (size[0] // 4 + 1, size[1] // 4 + 1))
    table = np.array(
        [0, 5, 10, 65535, *(encode_label(c, i) for c in (11, 13) for i in range(4))], np.uint16
    )
    return table[np.kron(small, np.ones((4, 4), int))[: size[0], : size[1]]]


def test_boxes_are_inclusive_and_crowds_stand_apart() -> None:
    objects = find_objects(LabelRuns.of(make_labels()), num_stuff=STUFF)
    assert objects.values.tolist() == [encode_label(PERSON, 1), encode_label(CAR, 1)]
    assert objects.boxes.tolist() == [[50, 30, 59, 39], [5, 10, 24, 19]]
    assert objects.crowd_values.tolist() == [encode_label(CAR, 0)]
    assert objects.crowd_boxes.tolist() == [[0, 0, 59, 4]]
    assert objects.flat == 0


def test_a_box_of_one_row_or_column_is_no_object() -> None:
    labels = np.zeros((20, 20), np.uint16)
    labels[3, 2:9] = encode_label(CAR, 1)
    labels[5:9, 4] = encode_label(CAR, 2)
    labels[12, 12] = encode_label(CAR, 3)
    labels[15:17, 15:17] = encode_label(CAR, 4)
    labels[19, :4] = encode_label(PERSON, 0)
    objects = find_objects(LabelRuns.of(labels), num_stuff=STUFF)
    assert objects.values.tolist() == [encode_label(CAR, 4)]
    assert len(objects.crowd_values) == 0
    assert objects.flat == 4
    sample = sample_of(labels)
    assert sample.classes.tolist() == [CAR - STUFF + 1]
    assert (sample.semantic == CAR).sum() == 7 + 4 + 1 + 4  # its pixels keep their class


def test_sample_is_padded_and_scaled() -> None:
    sample = sample_of(make_labels(), scale=0.5)
    assert tuple(sample.image.shape) == (3, 32, 32)
    assert sample.size == (20, 30)
    assert sample.boxes.tolist() == [[25, 15, 29.5, 19.5], [2.5, 5, 12, 9.5]]
    assert sample.classes.tolist() == [1, 3]
    assert sample.crowd_boxes.tolist() == [[0, 0, 29.5, 2]]
    assert sample.crowd_classes.tolist() == [3]
    assert sample.image[:, 25, 25].tolist() == [103, 116, 123]
    assert sample.image[:, 5, 31].tolist() == [103, 116, 123]
    assert sample.image[:, 5, 5].tolist() == [77, 77, 77]
    assert (sample.semantic[20:] == 255).all()
    assert sample.semantic[0, 0] == 13  # crowd keeps its class in the semantic map
    assert sample.masks[1].sum() == 50
    assert not sample.masks[:, 20:].any()


@pytest.mark.parametrize('scale', [0.3, 0.78125, 1.0, 2.5, 8.0])
@pytest.mark.parametrize('seed', [0, 1])
def test_masks_and_semantic_map_are_the_resized_label_image(scale: float, seed: int) -> None:
    labels = random_labels(seed)
    sample = sample_of(labels, scale=scale)
    size = (round(53 * scale), round(37 * scale))
    positions = [np.floor(np.arange(n) * (1 / scale)).astype(int) for n in size]
    small = labels[positions[1].clip(max=36)[:, None], positions[0].clip(max=52)]
    height, width = small.shape
    assert sample.size == (height, width)
    np.testing.assert_array_equal(sample.semantic[:height, :width], small >> 8)
    values = find_objects(LabelRuns.of(labels), num_stuff=STUFF).values
    assert len(values) >= 4
    for mask, value in zip(sample.masks.numpy(), values, strict=True):
        np.testing.assert_array_equal(mask[:height, :width], small == value)
        assert not mask[height:].any()
        assert not mask[:, width:].any()


def test_an_object_that_vanishes_keeps_its_box() -> None:
    labels = np.zeros((64, 64), np.uint16)
    labels[33:35, 33:35] = encode_label(CAR, 1)
    sample = sample_of(labels, scale=0.125)
    assert sample.boxes.tolist() == [[4.125, 4.125, 4.25, 4.25]]
    assert not sample.masks.any()
    assert sample.masks.shape[0] == len(sample.polygons) == 1


def test_flip_mirrors_everything() -> None:
    image = np.arange(40 * 60 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 60, 3)
    plain, flipped = (
        make_sample(
            'x', image, make_labels(), scale=1.0, flip=flip, num_stuff=STUFF, draw_polygons=True
        )
        for flip in (False, True)
    )
    assert (flipped.image[:, :40, :60].flip(2) == plain.image[:, :40, :60]).all()
    assert (flipped.masks[:, :40, :60].flip(2) == plain.masks[:, :40, :60]).all()
    for boxes in ('boxes', 'crowd_boxes'):
        old, new = getattr(plain, boxes), getattr(flipped, boxes)
        assert new[:, 0].tolist() == (59 - old[:, 2]).tolist()
        assert new[:, 2].tolist() == (59 - old[:, 0]).tolist()
        assert new[:, 1::2].tolist() == old[:, 1::2].tolist()
    for old, new in zip(plain.polygons, flipped.polygons, strict=True):
        mirrored = {(59 - x, y) for x, y in old[0].tolist()}
        assert set(map(tuple, new[0].tolist())) == mirrored


def test_image_without_things_has_an_empty_sample() -> None:
    sample = sample_of(np.zeros((32, 32), np.uint16))
    assert tuple(sample.boxes.shape) == tuple(sample.crowd_boxes.shape) == (0, 4)
    assert tuple(sample.masks.shape) == (0, 32, 32)
    assert len(sample.classes) == len(sample.crowd_classes) == len(sample.polygons) == 0


def test_an_image_of_one_pixel_becomes_a_sample() -> None:
    sample = sample_of(np.full((1, 1), encode_label(CAR, 1), np.uint16), scale=40.0)
    assert sample.size == (40, 40)
    assert len(sample.boxes) == 0
    assert (sample.semantic[:40, :40] == CAR).all()


def test_parts_of_an_object_have_outlines_of_their_own_and_holes_are_filled() -> None:
    labels = np.zeros((30, 30), np.uint16)
    labels[2:12, 2:12] = encode_label(CAR, 1)
    labels[5:8, 5:8] = 0  # a hole
    labels[20:24, 20:24] = encode_label(CAR, 1)
    objects = find_objects(LabelRuns.of(labels), num_stuff=STUFF)
    (outlines,) = trace_outlines(labels, objects)
    assert len(outlines) == 2
    assert sorted(cv2.contourArea(line) for line in outlines) == [9, 81]


def test_parts_of_one_pixels_width_become_rectangles() -> None:
    labels = np.zeros((30, 30), np.uint16)
    labels[2:12, 2:12] = encode_label(CAR, 1)
    labels[20, 20] = labels[25, 3:9] = encode_label(CAR, 1)
    for index in range(5):
        labels[15 + index, 29 - index] = labels[15 + index, 10] = encode_label(CAR, 1)
        labels[5 + abs(index - 2), 20 + index] = encode_label(CAR, 1)  # both sides of a roof
    objects = find_objects(LabelRuns.of(labels), num_stuff=STUFF)
    (outlines,) = trace_outlines(labels, objects)
    assert all(len(line) >= 3 for line in outlines)
    # Point, slope, column and roof make unit squares, the row one rectangle.
    assert sorted(cv2.contourArea(line) for line in outlines) == [1] * 16 + [6, 81]
    corners = {tuple(map(tuple, line.tolist())) for line in outlines}
    assert ((19.5, 19.5), (20.5, 19.5), (20.5, 20.5), (19.5, 20.5)) in corners  # the point
    assert ((2.5, 24.5), (8.5, 24.5), (8.5, 25.5), (2.5, 25.5)) in corners  # the row
    assert ((25.5, 17.5), (26.5, 17.5), (26.5, 18.5), (25.5, 18.5)) in corners  # of the slope


def test_outlines_drawn_again_give_the_mask_but_for_its_border() -> None:
    labels = np.zeros((80, 80), np.uint16)
    disc = cv2.circle(np.zeros((80, 80), np.uint8), (35, 42), 25, 1, -1).astype(bool)
    labels[disc] = encode_label(CAR, 1)
    sample = sample_of(labels)
    parts = coco_masks.frPyObjects([line.ravel() for line in sample.polygons[0]], 80, 80)
    drawn = coco_masks.decode(coco_masks.merge(parts)).astype(bool)
    inner = cv2.erode(disc.astype(np.uint8), np.ones((3, 3))).astype(bool)
    outer = cv2.dilate(disc.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert drawn[inner].all()
    assert not drawn[~outer].any()


def crop_of(height: int, width: int, *, side: int, seed: int = 0, scale: float = 1.0) -> Sample:
    """A crop of an image whose blue and green channels tell column and row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width), np.arange(height)[:, None]
    labels = np.full((height, width), encode_label(CAR, 1), np.uint16)
    return make_crop('x', image, labels, scale=scale, flip=False, side=side, seed=seed)


def test_crops_lie_anywhere_inside_and_belong_to_their_seed() -> None:
    corners = set()
    for seed in range(200):
        crop = crop_of(70, 66, side=64, seed=seed)
        assert tuple(crop.image.shape) == (3, 64, 64)
        assert crop.size == (64, 64)
        assert (crop.semantic == CAR).all()
        left, top = crop.image[0, 0, 0].item(), crop.image[1, 0, 0].item()
        assert crop.image[0, 0].tolist() == list(range(left, left + 64))
        corners.add((left, top))
    assert corners == {(left, top) for left in range(3) for top in range(7)}
    assert torch.equal(
        crop_of(70, 66, side=64, seed=5).image, crop_of(70, 66, side=64, seed=5).image
    )


def test_an_image_smaller_than_the_crop_is_padded() -> None:
    crop = crop_of(50, 100, side=72)
    assert crop.size == (50, 72)
    assert tuple(crop.image.shape) == (3, 72, 72)
    assert (crop.semantic[50:] == 255).all()
    assert (crop.semantic[:50] == CAR).all()
    assert crop.image[:, 60, 3].tolist() == [103, 116, 123]
    assert len(crop.boxes) == len(crop.masks) == 0


def test_images_are_sampled_at_steps_of_one_over_the_factor() -> None:
    # A ramp: interpolation gives the position itself. The ratio of the sizes would be off by 0.2.
    ramp = np.tile(np.arange(640, dtype=np.float32), (480, 1))
    scale = 800 / 480
    resized = resize(ramp, scale)
    assert resized.shape == (800, 1067)
    expected = ((np.arange(1067) + 0.5) / scale - 0.5).clip(0, 639)
    np.testing.assert_allclose(resized[0], expected, atol=1e-3)


def test_padding_to_a_common_size_changes_nothing_inside() -> None:
    sample = sample_of(make_labels()[:32, :32], seed=17)
    padded = pad_sample(sample, height=64, width=96)
    assert tuple(padded.image.shape) == (3, 64, 96)
    assert (padded.image[:, :32, :32] == sample.image).all()
    assert padded.image[:, 40, 90].tolist() == [103, 116, 123]
    assert (padded.semantic[:32, :32] == sample.semantic).all()
    assert (padded.semantic[32:] == 255).all()
    assert (padded.masks[:, :32, :32] == sample.masks).all()
    assert not padded.masks[:, 32:].any()
    for name in ('size', 'scale', 'seed', 'polygons'):
        assert getattr(padded, name) == getattr(sample, name)
    assert torch.equal(padded.crowd_boxes, sample.crowd_boxes)
