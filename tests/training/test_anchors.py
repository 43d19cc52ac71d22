# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Anchors against the published table (facts of the released models)."""

import numpy as np
import pytest

from tests.training.reference_upsnet import BASE_ANCHORS as PUBLISHED
from training.models.anchors import base_anchors, level_anchors


@pytest.mark.parametrize('stride', PUBLISHED)
def test_base_anchors_equal_the_published_table(stride: int) -> None:
    np.testing.assert_array_equal(base_anchors(stride), np.float32(PUBLISHED[stride]))


def test_anchors_are_ordered_by_row_column_ratio() -> None:
    anchors = level_anchors(8, (3, 5)).numpy().reshape(3, 5, 3, 4)
    shift = np.float32([4 * 8, 2 * 8, 4 * 8, 2 * 8])
    np.testing.assert_array_equal(anchors[2, 4], base_anchors(8) + shift)
