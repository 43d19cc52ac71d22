# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixel windows and the two roundings of a box."""

from __future__ import annotations

import pytest

from upsnet_ros.core.window import EMPTY, Window, mask_window, semantic_window


@pytest.mark.parametrize(
    'box, mask, semantic',
    [
        ((8.0, 10.0, 20.6, 30.4), Window(10, 8, 31, 21), Window(10, 8, 31, 22)),
        ((0.9, 0.9, 1.5, 2.5), Window(0, 0, 3, 2), Window(0, 0, 3, 3)),
        ((-0.9, -1.5, 3.0, 3.0), Window(-1, 0, 4, 4), Window(-1, 0, 4, 4)),
        ((5.0, 5.0, 5.0, 5.0), Window(5, 5, 6, 6), Window(5, 5, 6, 6)),
        ((9.0, 9.0, 2.0, 3.0), Window(9, 9, 10, 10), Window(9, 9, 4, 3)),
    ],
)
def test_boxes_become_windows(box: tuple, mask: Window, semantic: Window) -> None:
    assert mask_window(box) == mask
    assert semantic_window(box) == semantic


def test_windows_that_end_before_they_start_are_empty() -> None:
    window = Window(9, 9, 4, 3)
    assert window.is_empty and (window.height, window.width) == (0, 0)
    assert window.intersect(Window(0, 0, 20, 20)) == EMPTY
    assert window.enclose(Window(1, 2, 3, 4)) == Window(1, 2, 3, 4)
    assert Window(1, 2, 3, 4).enclose(window) == Window(1, 2, 3, 4)


def test_intersection_and_enclosure() -> None:
    left, right = Window(0, 0, 10, 10), Window(5, 8, 20, 30)
    assert left.intersect(right) == right.intersect(left) == Window(5, 8, 10, 10)
    assert left.enclose(right) == right.enclose(left) == Window(0, 0, 20, 30)
    assert left.intersect(Window(10, 0, 12, 5)) == EMPTY


def test_relative_to_counts_from_another_origin() -> None:
    assert Window(5, 8, 10, 10).relative_to(Window(5, 6, 0, 0)) == Window(0, 2, 5, 4)
    assert Window(5, 8, 10, 10).slices == (slice(5, 10), slice(8, 10))
