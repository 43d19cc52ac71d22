# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The structures refuse what does not belong together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.fakes.network_output import make_output
from upsnet_ros.core.errors import LabelError, ModelError
from upsnet_ros.core.structures import PanopticResult

GOOD = make_output(np.zeros((5, 8, 8)), [(0, 0, 1, 1)], [3], rows=4)


@pytest.mark.parametrize(
    'name, value',
    [
        ('semantic_logits', np.zeros((8, 8), np.float32)),
        ('semantic_logits', np.zeros((5, 8, 8), np.float64)),
        ('boxes', np.zeros((4, 5), np.float32)),
        ('boxes', np.float32(0)),
        ('scores', np.zeros(3, np.float32)),
        ('scores', [0.5] * 4),
        ('classes', np.zeros(4, np.int64)),
        ('mask_logits', np.zeros((4, 14, 14), np.float32)),
        ('count', 5),
        ('count', -1),
    ],
)
def test_wrong_network_outputs_are_named(name: str, value: object) -> None:
    with pytest.raises(ModelError, match=f"'{name}'"):
        dataclasses.replace(GOOD, **{name: value})


@pytest.mark.parametrize('count', [0, 4])
def test_any_count_up_to_the_rows_is_right(count: int) -> None:
    assert dataclasses.replace(GOOD, count=count).count == count


@pytest.mark.parametrize(
    'labels', [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 1), np.uint16), np.zeros(3, np.uint16)]
)
def test_results_carry_a_label_image(labels: np.ndarray) -> None:
    with pytest.raises(LabelError, match='uint16'):
        PanopticResult(labels, (), 0.0)
