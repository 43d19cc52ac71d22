# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of label images against the pixels themselves."""

from itertools import groupby

import numpy as np
import pytest

from training.data.label_runs import LabelRuns

SIZES = [(1, 1), (3, 0), (0, 4), (1, 200_000), (70_000, 1), (300, 700), (65, 2048)]


def make_labels(size: tuple[int, int], dtype: type) -> np.ndarray:
    """Stretches of equal pixels, of which some end with their row."""
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 2, size)
    stretch = generator.integers(0, 6, (size[0], size[1] // 9 + 1)).repeat(9, axis=1)
    return np.where(stretch[:, : size[1]] == 5, labels, stretch[:, : size[1]]).astype(dtype)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.uint32, np.int64])
@pytest.mark.parametrize('size', SIZES)
def test_runs_are_the_groups_of_equal_pixels(size: tuple[int, int], dtype: type) -> None:
    labels = make_labels(size, dtype)
    expected = [
        (value, len(list(group))) for row in labels.tolist() for value, group in groupby(row)
    ]
    runs = LabelRuns.of(labels)
    assert runs.values[runs.which].tolist() == [value for value, _ in expected]
    assert runs.lengths.tolist() == [length for _, length in expected]
    assert runs.first.tolist() == np.cumsum([0] + [n for _, n in expected])[:-1].tolist()
    assert runs.values.tolist() == sorted(set(labels.ravel().tolist()))
    assert runs.values.dtype == dtype
    np.testing.assert_array_equal(runs.painted(runs.values), labels)


def test_an_image_in_parts_has_the_runs_of_the_whole() -> None:
    labels = make_labels((50, 400), np.uint32)
    parts = LabelRuns.of_bands(labels.shape, iter([labels[:1], labels[1:30], labels[30:]]))
    whole = LabelRuns.of(labels)
    for name in ('values', 'which', 'first', 'lengths'):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert parts.shape == whole.shape
