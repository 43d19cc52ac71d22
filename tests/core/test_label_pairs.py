# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of labels counted run by run against a dictionary of pixels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from upsnet_ros.core import label_pairs
from upsnet_ros.core.label_pairs import LabelPairs

RNG = np.random.default_rng(5)


def as_counter(pairs: LabelPairs) -> Counter:
    first = pairs.first_labels[pairs.first].tolist()
    second = pairs.second_labels[pairs.second].tolist()
    return Counter(dict(zip(zip(first, second, strict=True), pairs.pixels.tolist(), strict=True)))


def pixel_by_pixel(first: np.ndarray, second: np.ndarray) -> Counter:
    return Counter(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))


def blocks(size: tuple[int, int], dtype: type) -> np.ndarray:
    """Segments with long runs."""
    grid = RNG.integers(0, np.iinfo(dtype).max + 1, (4, 4))
    rows, columns = (np.arange(n) * 4 // n for n in size)
    return grid[rows[:, None], columns[None, :]].astype(dtype)


def noise(size: tuple[int, int], dtype: type) -> np.ndarray:
    """As many runs as pixels, nearly, of few labels."""
    return RNG.choice([0, 1, 7, np.iinfo(dtype).max], size).astype(dtype)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
@pytest.mark.parametrize('size', [(1, 1), (1, 70000), (300, 300), (70000, 1)])
@pytest.mark.parametrize('make', [(blocks, blocks), (noise, noise), (blocks, noise)])
def test_equals_a_count_of_pixels(make: tuple, size: tuple[int, int], dtype: type) -> None:
    first, second = (maker(size, dtype) for maker in make)
    assert as_counter(LabelPairs.of(first, second)) == pixel_by_pixel(first, second)


def test_images_that_are_noisy_in_parts() -> None:
    first, second = blocks((400, 700), np.uint16), blocks((400, 700), np.uint16)
    first[150:300] = noise((150, 700), np.uint16)
    assert as_counter(LabelPairs.of(first, second)) == pixel_by_pixel(first, second)


def test_views_are_counted_like_their_copies() -> None:
    whole = blocks((200, 300), np.uint16)
    whole[:, 1] = 9
    views = [(whole[:, ::-1], whole[::-1]), (whole[::2, 3:50], whole[::2, 50:3:-1])]
    for first, second in [*views, (whole.T, noise((300, 200), np.uint16))]:
        assert as_counter(LabelPairs.of(first, second)) == pixel_by_pixel(first, second)


@pytest.mark.parametrize('size', [(0, 0), (0, 5), (5, 0)])
def test_images_without_pixels_have_no_pairs(size: tuple[int, int]) -> None:
    pairs = LabelPairs.of(np.zeros(size, np.uint16), np.zeros(size, np.uint16))
    assert not as_counter(pairs) and len(pairs.first_areas()) == len(pairs.second_areas()) == 0


def test_more_labels_than_a_table_of_all_pairs_has_room_for() -> None:
    first = RNG.permutation(1 << 16).astype(np.uint16).reshape(256, 256)
    second = np.repeat(RNG.permutation(1 << 12), 16).astype(np.uint16).reshape(256, 256)
    assert as_counter(LabelPairs.of(first, second)) == pixel_by_pixel(first, second)


@pytest.mark.parametrize('table', [0, 1 << 22])
def test_pairs_are_sorted_and_have_areas(monkeypatch: pytest.MonkeyPatch, table: int) -> None:
    monkeypatch.setattr(label_pairs, '_LARGEST_TABLE', table)
    first = np.array([[5, 5, 2], [2, 2, 5]], np.uint16)
    second = np.array([[8, 8, 8], [9, 65535, 9]], np.uint16)
    pairs = LabelPairs.of(first, second)
    assert pairs.first_labels.tolist() == [2, 5]
    assert pairs.second_labels.tolist() == [8, 9, 65535]
    assert pairs.first.tolist() == [0, 0, 0, 1, 1]
    assert pairs.second.tolist() == [0, 1, 2, 0, 1]
    assert pairs.pixels.tolist() == [1, 1, 1, 2, 1]
    assert pairs.first_areas().tolist() == [3, 3]
    assert pairs.first_areas(pairs.second == 0).tolist() == [1, 2]
    assert pairs.second_areas().tolist() == [3, 2, 1]
