# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sliding windows over an image."""

import numpy as np
import pytest
import torch

from tests.fakes.cell_network import CellNetwork
from training.inference.predictor import Predictor
from training.inference.sliding_window import windowed_logits


@pytest.mark.parametrize('side', [40, 64, 1000])
def test_a_network_of_cells_does_not_notice(side: int) -> None:
    network, images = CellNetwork(), torch.randn(2, 3, 96, 160)
    whole = network.semantic_logits_quarter(images)
    windowed = windowed_logits(network.semantic_logits_quarter, images, side=side)
    torch.testing.assert_close(windowed, whole)


def test_logits_of_overlapping_windows_are_averaged() -> None:
    answers = iter([1.0, 3.0])

    def network(images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        return torch.full((1, 1, height // 4, width // 4), next(answers))

    logits = windowed_logits(network, torch.zeros(1, 3, 32, 48), side=32)[0, 0]
    # The windows are columns 0 to 31 and 16 to 47.
    assert logits.tolist() == [[1.0] * 4 + [2.0] * 4 + [3.0] * 4] * 8


def test_the_predictor_shows_windows_to_the_semantic_network() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    answers = []
    for window in (0, 64):
        network = CellNetwork()
        predictor = Predictor(network, short_side=64, max_long_side=128, window=window)
        answers.append(predictor.predict(image)[0].semantic_logits)
        assert network.seen == ([(64, 128)] if window == 0 else [(64, 64)] * 3)
    torch.testing.assert_close(*answers)
