# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks in the image: hand-computed windows, and a bilinear interpolation of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from upsnet_ros.core.masks import paste_mask
from upsnet_ros.core.window import EMPTY, Window

CANVAS = Window(0, 0, 60, 80)


def literal_mask(box: tuple, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the probability of every image pixel, one pixel at a time: float64 [H, W]."""
    padded = np.zeros((30, 30))
    padded[1:29, 1:29] = 1 / (1 + np.exp(-logits.astype(np.float64)))
    x1, y1, x2, y2 = box
    half_x, half_y = (x2 - x1) / 2 * 30 / 28, (y2 - y1) / 2 * 30 / 28
    left, right = math.trunc((x1 + x2) / 2 - half_x), math.trunc((x1 + x2) / 2 + half_x)
    top, bottom = math.trunc((y1 + y2) / 2 - half_y), math.trunc((y1 + y2) / 2 + half_y)
    width, height = max(right - left + 1, 1), max(bottom - top + 1, 1)
    result = np.zeros(size)
    for y in range(max(top, 0), min(top + height, size[0])):
        for x in range(max(left, 0), min(left + width, size[1])):
            row = (y - top + 0.5) * 30 / height - 0.5
            column = (x - left + 0.5) * 30 / width - 0.5
            for r, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
                i, j = math.floor(row) + r, math.floor(column) + c
                share = (1 - abs(row - i)) * (1 - abs(column - j))
                result[y, x] += share * padded[min(max(i, 0), 29), min(max(j, 0), 29)]
    return result


@pytest.mark.parametrize(
    'box',
    [
        pytest.param((10.0, 5.0, 37.0, 32.0), id='as large as the mask'),
        pytest.param((3.3, 4.7, 70.2, 50.9), id='enlarged'),
        pytest.param((20.5, 20.5, 26.2, 33.9), id='reduced'),
        pytest.param((30.0, 30.0, 30.0, 30.0), id='one pixel'),
        pytest.param((-9.4, -3.2, 12.6, 20.8), id='over the top left corner'),
        pytest.param((60.1, 40.2, 99.5, 80.5), id='over the bottom right corner'),
        pytest.param((-30.0, -30.0, 110.0, 90.0), id='larger than the image'),
        pytest.param((40.0, 30.0, 20.0, 10.0), id='corners in the wrong order'),
    ],
)
def test_equals_interpolation_pixel_by_pixel(box: tuple) -> None:
    logits = np.random.default_rng(1).normal(0, 3, (28, 28)).astype(np.float32)
    window, mask = paste_mask(box, logits, CANVAS)
    have = np.zeros((60, 80), bool)
    have[window.slices] = mask
    want = literal_mask(box, logits, (60, 80))
    clear = np.abs(want - 0.5) > 1e-4
    np.testing.assert_array_equal(have[clear], want[clear] > 0.5)
    assert mask.shape == (window.height, window.width)


def test_a_full_mask_ends_at_its_box() -> None:
    # The box grows to columns 27 to 90 and rows 17 to 47; the mask's edge lies half a cell inside.
    window, mask = paste_mask((30.0, 18.0, 88.0, 46.0), np.full((28, 28), 9.0, np.float32), CANVAS)
    assert window == Window(17, 27, 48, 80)
    assert mask[1:-1, 3:].all()
    assert not mask[0].any() and not mask[-1].any() and not mask[:, :1].any()


@pytest.mark.parametrize('box', [(-50.0, 10.0, -20.0, 30.0), (10.0, 70.0, 30.0, 90.0)])
def test_a_box_outside_the_image_has_no_pixel(box: tuple) -> None:
    window, mask = paste_mask(box, np.ones((28, 28), np.float32), CANVAS)
    assert window == EMPTY and mask.size == 0


@pytest.mark.parametrize('logit, is_set', [(1e4, True), (-1e4, False), (0.0, False)])
def test_extreme_logits_do_not_overflow(logit: float, is_set: bool) -> None:
    with np.errstate(all='raise'):
        _, mask = paste_mask(
            (10.0, 10.0, 40.0, 40.0), np.full((28, 28), logit, np.float32), CANVAS
        )
    assert mask[10:20, 10:20].all() == is_set == mask.any()
