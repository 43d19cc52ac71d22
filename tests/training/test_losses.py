# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each loss against a value computed by hand or by a plain loop."""

import math

import cv2
import numpy as np
import pytest
import torch
import torchvision

from training.losses.pixel_loss import panoptic_loss, semantic_loss, semantic_roi_loss
from training.losses.proposal_loss import proposal_losses
from training.losses.region_loss import box_losses, image_shares, mask_loss
from training.matching.crop_labels import crop_labels
from training.matching.rpn_targets import AnchorTargets
from training.models.pixels import PixelNormalisation

LN2 = math.log(2)


def shares(*counts: int) -> torch.Tensor:
    return image_shares(counts, device=torch.device('cpu'))


def test_every_image_counts_the_same_however_many_regions_it_has() -> None:
    assert shares(2, 0, 1).tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3])
    assert shares(0, 0).tolist() == []


def test_objectness_is_divided_by_256_and_boxes_by_the_sampled_anchors() -> None:
    targets = AnchorTargets(
        positives=torch.tensor([0]),
        negatives=torch.tensor([1, 2, 3]),
        deltas=torch.tensor([[0.0, 0.0, 0.0, 0.0]]),
    )
    deltas = torch.tensor([[1.0, 0.05, 0, 0]] + [[9.0] * 4] * 3)
    objectness, box = proposal_losses(torch.zeros(4), deltas, targets)
    assert objectness.item() == pytest.approx(4 * LN2 / 256)
    expected = (1 - 1 / 18) + 4.5 * 0.05**2
    assert box.item() == pytest.approx(expected / 4, rel=1e-5)


def test_box_losses_average_over_all_regions() -> None:
    logits = torch.zeros(4, 3)
    deltas = torch.zeros(4, 3, 4)
    deltas[1, 2] = torch.tensor([2.0, 0.5, 0, 0])
    deltas[1, 1] = 100.0  # another class's columns do not count
    classes = torch.tensor([0, 2, 0, 0])
    classification, regression = box_losses(
        logits, deltas, classes, torch.tensor([1]), torch.zeros(1, 4), shares(4)
    )
    assert classification.item() == pytest.approx(math.log(3))
    assert regression.item() == pytest.approx((1.5 + 0.125) / 4)


def test_mask_loss_uses_the_own_channel_only() -> None:
    logits = torch.full((1, 3, 28, 28), 50.0)
    logits[0, 2] = 0
    loss = mask_loss(logits, torch.tensor([2]), torch.ones(1, 28, 28), shares(1))
    assert loss.item() == pytest.approx(LN2)


def test_semantic_loss_averages_over_pixels_that_count() -> None:
    labels = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    labels[0, :4] = 1
    logits = torch.zeros(1, 4, 2, 2)
    for full in (True, False):
        loss = semantic_loss(logits, labels, full_resolution=full)
        assert loss.item() == pytest.approx(math.log(4))


def test_semantic_loss_counts_every_image_the_same() -> None:
    labels = torch.full((2, 8, 8), 255, dtype=torch.uint8)
    labels[0, 0, 0] = 0
    labels[1] = 0
    logits = torch.zeros(2, 4, 2, 2)
    logits[0, 0] = 100.0  # the one pixel that counts in the first image is right
    loss = semantic_loss(logits, labels, full_resolution=True)
    assert loss.item() == pytest.approx(math.log(4) / 2)


def test_semantic_loss_of_void_is_zero() -> None:
    labels = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    assert semantic_loss(torch.randn(1, 4, 2, 2), labels, full_resolution=True).item() == 0


def test_full_resolution_semantic_loss_equals_a_loop() -> None:
    logits, labels = torch.randn(1, 3, 2, 3), torch.randint(0, 3, (1, 8, 12)).to(torch.uint8)
    up = torch.nn.functional.interpolate(logits, scale_factor=4, mode='bilinear')[0]
    share = up.softmax(dim=0)
    terms = [
        -math.log(share[int(labels[0, y, x]), y, x].item()) for y in range(8) for x in range(12)
    ]
    loss = semantic_loss(logits, labels, full_resolution=True)
    assert loss.item() == pytest.approx(sum(terms) / 96, rel=1e-5)


def test_region_and_panoptic_losses_divide_by_all_pixels() -> None:
    labels = torch.full((1, 28, 28), 255, dtype=torch.uint8)
    labels[0, :14] = 2
    assert semantic_roi_loss(torch.zeros(1, 4, 28, 28), labels, shares(1)).item() == pytest.approx(
        math.log(4) / 2
    )
    target = torch.full((2, 6), -1)
    target[0] = 3
    assert panoptic_loss(torch.zeros(5, 2, 6), target).item() == pytest.approx(math.log(5) / 2)


def test_crop_of_labels_is_nearest_with_exclusive_ends() -> None:
    semantic = torch.arange(100, dtype=torch.uint8).view(10, 10)
    crop = crop_labels(semantic, torch.tensor([[2.0, 4, 4, 8]]), 4)
    assert crop.tolist() == [
        [
            [42, 42, 43, 43],
            [52, 52, 53, 53],
            [62, 62, 63, 63],
            [72, 72, 73, 73],
        ]
    ]


def test_crop_of_labels_is_opencvs_for_every_length() -> None:
    semantic = torch.arange(250, dtype=torch.uint8)[None].repeat(4, 1)
    for start in (0, 3):
        for end in range(start + 1, 250):
            crop = crop_labels(semantic, torch.tensor([[start, 0.0, end, 1]]), 28)[0, 0].numpy()
            own = semantic.numpy()[:1, start:end]
            want = cv2.resize(own, (28, 28), interpolation=cv2.INTER_NEAREST)[0]
            np.testing.assert_array_equal(crop, want)


def test_crop_of_a_degenerate_box_is_one_pixel() -> None:
    semantic = torch.arange(100, dtype=torch.uint8).view(10, 10)
    crop = crop_labels(semantic, torch.tensor([[9.0, 9, 9, 9]]), 2)
    assert crop.tolist() == [[[99, 99], [99, 99]]]


def test_torchvision_pixels_equal_its_own_preset() -> None:
    image = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    preset = weights.transforms()
    rgb = image.flip(1).float() / 255
    expected = torchvision.transforms.functional.normalize(rgb, preset.mean, preset.std)
    torch.testing.assert_close(PixelNormalisation('torchvision')(image), expected)
