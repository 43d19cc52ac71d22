# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic targets on cases computed by hand."""

import pytest
import torch

from training.matching.panoptic_targets import draw_kept, panoptic_targets, quarter


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_panoptic_targets_equal_the_published_example() -> None:
    semantic = torch.tensor([[0, 10, 11, 18, 255, 12, 11, 3]], dtype=torch.uint8)
    masks = torch.zeros(3, 1, 8, dtype=torch.bool)
    masks[0, 0, 2] = masks[1, 0, 3] = masks[1, 0, 4] = True
    masks[2, 0, 5] = masks[2, 0, 7] = True
    labels = panoptic_targets(semantic, masks[[2, 0]], num_stuff=11)
    assert labels.tolist() == [[0, 10, 12, 13, -1, 11, 13, 11]]  # -1: 255 as published


def test_without_instances_every_thing_pixel_is_unknown() -> None:
    semantic = torch.tensor([[3, 12, 255]], dtype=torch.uint8)
    empty = torch.zeros(0, 1, 3, dtype=torch.bool)
    assert panoptic_targets(semantic, empty, num_stuff=11).tolist() == [[3, 11, -1]]


@pytest.mark.parametrize(('count', 'kept'), [(0, 0), (1, 1), (2, 1), (3, 2), (10, 7)])
def test_kept_share(count: int, kept: int) -> None:
    chosen = draw_kept(count, keep_share=0.7, generator=generator())
    assert len(chosen) == kept
    assert len(set(chosen.tolist())) == kept


def test_quarter_takes_every_fourth_pixel() -> None:
    labels = torch.arange(64 * 32).view(64, 32)
    assert quarter(labels).shape == (16, 8)
    assert quarter(labels)[3, 5] == labels[12, 20]
