# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Anchors against the published table (facts of the released models)."""

import numpy as np
import pytest

from training.models.anchors import base_anchors, level_anchors

PUBLISHED = {
    4: [(-22, -10, 25, 13), (-14, -14, 17, 17), (-10, -22, 13, 25)],
    8: [(-40, -20, 47, 27), (-28, -28, 35, 35), (-20, -44, 27, 51)],
    16: [(-84, -40, 99, 55), (-56, -56, 71, 71), (-36, -80, 51, 95)],
    32: [(-164, -72, 195, 103), (-112, -112, 143, 143), (-76, -168, 107, 199)],
    64: [(-332, -152, 395, 215), (-224, -224, 287, 287), (-148, -328, 211, 391)],
}


@pytest.mark.parametrize('stride', PUBLISHED)
def test_base_anchors_equal_the_published_table(stride: int) -> None:
    np.testing.assert_array_equal(base_anchors(stride), np.float32(PUBLISHED[stride]))


def test_anchors_are_ordered_by_row_column_ratio() -> None:
    anchors = level_anchors(8, (3, 5)).numpy().reshape(3, 5, 3, 4)
    shift = np.float32([4 * 8, 2 * 8, 4 * 8, 2 * 8])
    np.testing.assert_array_equal(anchors[2, 4], base_anchors(8) + shift)


def test_a_single_cell_has_three_anchors() -> None:
    assert level_anchors(64, (1, 1)).shape == (3, 4)
