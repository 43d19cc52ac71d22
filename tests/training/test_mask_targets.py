# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask targets against the rasteriser of pycocotools and by hand."""

import numpy as np
import torch
from pycocotools import mask as coco_masks

from training.data.sample import Polygons
from training.matching.mask_targets import mask_targets, polygon_mask_targets


def square(left: float, top: float, side: float) -> Polygons:
    corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]
    return [np.array(corners, np.float32)]


def test_polygon_target_of_the_left_half_has_no_plus_one() -> None:
    box = torch.tensor([[0.0, 0, 56, 28]])  # 56 to 28 cells: the edge at x = 28 falls on cell 14
    target = polygon_mask_targets([square(0, 0, 28)], torch.tensor([0]), box)[0]
    assert target[:, :14].min() == 1
    assert target[:, 14:].max() == 0


def test_polygon_targets_equal_those_of_pycocotools() -> None:
    random = np.random.default_rng(3)
    polygons = [
        [(random.random((m, 2)) * 60).astype(np.float32) for m in sizes]
        for sizes in ((3,), (7, 4), (30,))
    ]
    corner = random.random((12, 2)) * 40
    boxes = np.concatenate((corner, corner + random.random((12, 2)) * 50), 1)
    matched = random.integers(0, 3, 12)
    targets = polygon_mask_targets(
        polygons, torch.from_numpy(matched), torch.from_numpy(boxes), size=28
    )
    for target, index, (x1, y1, x2, y2) in zip(targets, matched, boxes, strict=True):
        expected = np.zeros((28, 28), bool)
        for line in polygons[index]:
            flat = []
            for x, y in line.astype(float):
                flat += [(x - x1) * 28 / max(x2 - x1, 1), (y - y1) * 28 / max(y2 - y1, 1)]
            (part,) = coco_masks.frPyObjects([flat], 28, 28)
            expected |= coco_masks.decode(part).astype(bool)
        np.testing.assert_array_equal(target.numpy(), expected)


def test_polygon_targets_of_odd_regions() -> None:
    boxes = torch.tensor(
        [
            [30.0, 30, 30, 30],
            [500, 500, 600, 600],
            [float('nan'), 0, 9, 9],
            [0, 0, float('inf'), 9],
        ]
    )
    targets = polygon_mask_targets([square(20, 20, 20)], torch.zeros(4, dtype=torch.long), boxes)
    assert targets[0].min() == 1  # a region of one pixel inside the object
    assert targets[1:].max() == 0
    empty = polygon_mask_targets([], torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    assert tuple(empty.shape) == (0, 28, 28)


def test_mask_target_of_its_own_box_is_full() -> None:
    instances = torch.full((60, 60), -1, dtype=torch.int16)
    instances[10:40, 20:50] = 0
    box = torch.tensor([[20.0, 10, 49, 39]])
    assert mask_targets(instances, torch.tensor([0]), box).min() == 1


def test_mask_target_of_the_left_half() -> None:
    instances = torch.zeros(56, 56, dtype=torch.int16)
    instances[:, :28] = 1
    box = torch.tensor([[0.0, 0, 56, 56]])
    target = mask_targets(instances, torch.tensor([1]), box)[0].numpy()
    expected = np.zeros((28, 28), np.float32)
    expected[:, :14] = 1
    np.testing.assert_array_equal(target, expected)


def test_mask_target_outside_the_image_is_empty() -> None:
    instances = torch.zeros(20, 20, dtype=torch.int16)
    box = torch.tensor([[40.0, 40, 60, 60]])
    assert mask_targets(instances, torch.tensor([0]), box).max() == 0
