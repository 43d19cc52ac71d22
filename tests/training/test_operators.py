# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CPU formulations of deformable convolution and RoIAlign against torchvision's operators."""

import pytest
import torch
from torchvision.ops import deform_conv2d, nms, roi_align

from training.models.deform_conv import OffsetDeformConv2d, deform_conv2d_gather
from training.models.roi_features import (
    STRIDES,
    align_with_gather,
    align_with_torchvision,
    assign_levels,
)
from training.models.rpn import nms_inclusive


@pytest.mark.parametrize(
    ('batch', 'channels', 'out', 'height', 'width', 'reach'),
    [
        (1, 1, 1, 1, 1, 0.3),
        (1, 3, 2, 1, 7, 2.0),
        (2, 4, 5, 6, 9, 0.0),
        (2, 8, 3, 13, 11, 1.5),
        (1, 4, 4, 9, 8, 40.0),
    ],
)
def test_deform_conv_equals_torchvision(
    batch: int, channels: int, out: int, height: int, width: int, reach: float
) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, channels, height, width, generator=generator, requires_grad=True)
    offset = torch.randn(batch, 18, height, width, generator=generator) * reach
    offset.requires_grad_()
    weight = torch.randn(out, channels, 3, 3, generator=generator, requires_grad=True)
    bias = torch.randn(out, generator=generator, requires_grad=True)
    ours = deform_conv2d_gather(x, offset, weight, bias)
    theirs = deform_conv2d(x, offset, weight, bias, padding=1)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-4)
    seed = torch.randn(ours.shape, generator=generator)
    inputs = (x, offset, weight, bias)
    for mine, other in zip(
        torch.autograd.grad(ours, inputs, seed),
        torch.autograd.grad(theirs, inputs, seed),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('shift', [0.5, 1.0, -1.0, -0.999999])
def test_deform_conv_at_the_border_equals_torchvision(shift: float) -> None:
    x = torch.arange(20.0).view(1, 1, 4, 5) + 1
    offset = torch.full((1, 18, 4, 5), shift)
    weight = torch.ones(1, 1, 3, 3)
    ours = deform_conv2d_gather(x, offset, weight, None)
    torch.testing.assert_close(ours, deform_conv2d(x, offset, weight, padding=1))


def test_a_fresh_layer_is_an_ordinary_convolution() -> None:
    layer = OffsetDeformConv2d(3, 4)
    x = torch.randn(1, 3, 6, 7)
    expected = torch.nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def make_levels(batch: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randn(batch, 5, 64 // s * 2, 64 // s * 3, generator=generator).requires_grad_()
        for s in STRIDES
    ]  # an input of 192 x 128 pixels


def make_boxes(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    limit = torch.tensor([191.0, 127.0])
    first = torch.rand(count, 2, generator=generator) * limit
    size = torch.rand(count, 2, generator=generator) ** 3 * limit
    boxes = torch.cat((first, torch.minimum(first + size, limit)), dim=1)
    extremes = torch.tensor(
        [[0.0, 0, 191, 127], [191, 127, 191, 127], [5, 5, 5, 5], [-30, -20, 300, 200]]
    )
    return torch.cat((boxes, extremes))


@pytest.mark.parametrize('bins', [7, 14])
def test_roi_align_equals_torchvision(bins: int) -> None:
    levels, boxes = make_levels(2), make_boxes(60)
    images = torch.arange(len(boxes)) % 2
    level_of = assign_levels(boxes, canonical_size=60.0)
    assert set(level_of.tolist()) == {0, 1, 2, 3}
    ours = align_with_gather(levels, boxes, images, level_of, bins, strides=STRIDES)
    rois = torch.cat((images[:, None].float(), boxes), dim=1)
    theirs = torch.zeros_like(ours)
    for index, stride in enumerate(STRIDES):
        chosen = level_of == index
        theirs[chosen] = roi_align(
            levels[index], rois[chosen], bins, 1 / stride, sampling_ratio=2, aligned=False
        )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    on_gpu = align_with_torchvision(levels, boxes, images, level_of, bins, strides=STRIDES)
    torch.testing.assert_close(on_gpu, theirs)
    seed = torch.randn(ours.shape)
    for mine, other in zip(
        torch.autograd.grad(ours, levels, seed),
        torch.autograd.grad(theirs, levels, seed),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ('box', 'level'),
    [
        ((0, 0, 223, 223), 2),  # exactly the canonical size: P4
        ((0, 0, 222, 222), 1),
        ((0, 0, 111, 111), 1),
        ((0, 0, 0, 0), 0),
        ((0, 0, 2000, 1000), 3),
    ],
)
def test_level_rule(box: tuple[int, ...], level: int) -> None:
    assert assign_levels(torch.tensor([box], dtype=torch.float32)).tolist() == [level]


def test_inclusive_nms_is_nms_of_boxes_with_one_pixel_more() -> None:
    generator = torch.Generator().manual_seed(4)
    first = torch.rand(200, 2, generator=generator) * 60
    boxes = torch.cat((first, first + torch.rand(200, 2, generator=generator) * 30), dim=1)
    scores = torch.rand(200, generator=generator)
    grown = boxes + torch.tensor([0, 0, 1, 1])
    assert nms_inclusive(boxes, scores, 0.5).tolist() == nms(grown, scores, 0.5).tolist()
