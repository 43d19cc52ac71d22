# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The differentiable panoptic head against hand cases and its NumPy twin's conventions."""

import torch
import torch.nn.functional as F

from training.models.panoptic_logits import build_panoptic_logits, crop_to_box, paste_mask


def test_crop_ends_after_the_rounded_box() -> None:
    channel = torch.ones(30, 30)
    cropped = crop_to_box(channel, [2.7, 3.2, 20.6, 10.5])
    rows, columns = torch.nonzero(cropped, as_tuple=True)
    assert (rows.min(), rows.max()) == (3, 10)  # 10.5 rounds to even 10, end exclusive 11
    assert (columns.min(), columns.max()) == (2, 21)


def test_paste_ends_at_the_truncated_box() -> None:
    pasted = paste_mask(torch.ones(28, 28), [2.7, 3.2, 20.6, 10.5], (30, 30))
    rows, columns = torch.nonzero(pasted, as_tuple=True)
    assert (rows.min(), rows.max()) == (3, 10)
    assert (columns.min(), columns.max()) == (2, 20)


def test_paste_is_a_bilinear_resize_clipped_to_the_map() -> None:
    mask = torch.randn(28, 28)
    pasted = paste_mask(mask, [-3.0, 5, 10, 40], (20, 20))
    patch = F.interpolate(mask[None, None], size=(36, 14), mode='bilinear')[0, 0]
    torch.testing.assert_close(pasted[5:, :11], patch[:15, 3:])
    assert pasted[:5].abs().max() == 0
    assert pasted[:, 11:].abs().max() == 0


def test_a_box_outside_the_map_leaves_nothing() -> None:
    assert paste_mask(torch.ones(28, 28), [50.0, 50, 60, 60], (20, 20)).abs().max() == 0
    assert crop_to_box(torch.ones(20, 20), [50.0, 50, 60, 60]).abs().max() == 0


def test_logits_without_instances_are_stuff_and_the_best_thing() -> None:
    semantic = torch.randn(5, 4, 6)
    empty = torch.zeros(0)
    z = build_panoptic_logits(
        semantic, empty.view(0, 28, 28), empty.view(0, 4), empty.long(), num_stuff=3
    )
    torch.testing.assert_close(z[:3], semantic[:3])
    torch.testing.assert_close(z[3], semantic[3:].max(dim=0).values)


def test_instance_is_semantic_plus_mask_and_unknown_ignores_the_mask() -> None:
    semantic = torch.randn(5, 8, 8)
    mask = torch.full((1, 28, 28), 2.0)
    box = torch.tensor([[1.0, 1, 4, 5]])
    z = build_panoptic_logits(semantic, mask, box, torch.tensor([2]), num_stuff=3)
    inside = torch.zeros(8, 8)
    inside[1:6, 1:5] = 1
    torch.testing.assert_close(z[3], (semantic[4] + 2) * inside)
    torch.testing.assert_close(z[4], semantic[3:].max(dim=0).values - semantic[4] * inside)
