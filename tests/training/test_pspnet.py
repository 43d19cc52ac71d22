# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""PSPNet: shapes, gradients, its pooled branches, its size, and what it refuses."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import maskrcnn_resnet50_fpn

from training.models.fpn import FeaturePyramid
from training.models.pspnet import PSPNet, PyramidPooling
from training.models.resnet import ResNet
from upsnet_ros.core.errors import ImageError, ParameterError


def make_network(
    *,
    form: str = 'batch',
    head_form: str | None = None,
    frozen_stages: int = 0,
    dropout: float = 0.0,
    **values: Any,
) -> PSPNet:
    """A narrow PSPNet of 3 stuff and 2 thing classes."""
    torch.manual_seed(0)
    backbone = ResNet(
        blocks=(1, 1, 1, 1),
        width=8,
        normalisation=form,
        frozen_stages=frozen_stages,
        dilated=True,
    )
    chosen = {
        'pyramid_bins': (1, 2, 3, 6),
        'pyramid_channels': 12,
        'num_classes': 5,
        'num_stuff': 3,
        'num_things': 2,
        'pixels': 'caffe',
    }
    return PSPNet(
        backbone=backbone, dropout=dropout, normalisation=head_form or form, **(chosen | values)
    )


def make_images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(('height', 'width'), [(64, 96), (8, 8), (40, 136)])
@torch.no_grad()
def test_logits_have_an_eighth_and_for_inference_a_quarter_of_the_sides(
    height: int, width: int
) -> None:
    model = make_network().eval()
    images = make_images(2, 3, height, width)
    logits, auxiliary = model(images)
    assert logits.shape == auxiliary.shape == (2, 5, height // 8, width // 8)
    quarter = model.semantic_logits_quarter(images)
    assert quarter.shape == (2, 5, height // 4, width // 4)
    # At twice the size, cell 2k + 1 lies a quarter of the way from cell k to cell k + 1.
    if width > 8:
        between = 0.75 * logits[..., 0, :-1] + 0.25 * logits[..., 0, 1:]
        torch.testing.assert_close(quarter[..., 0, 1:-1:2], between)


def test_gradients_reach_every_parameter() -> None:
    model = make_network().train()
    logits, auxiliary = model(model.normalise(255 * torch.rand(2, 3, 64, 64)))
    (logits.square().mean() + auxiliary.square().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_auxiliary_classifier_teaches_the_backbone_up_to_res4_only() -> None:
    model = make_network().train()
    model(make_images(2, 3, 64, 64))[1].sum().backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None}
    assert 'backbone.stages.2.0.conv1.weight' in reached
    assert not any(name.startswith(('backbone.stages.3', 'fusion', 'score')) for name in reached)


def test_the_logits_do_not_depend_on_the_auxiliary_classifier() -> None:
    model, images = make_network().eval(), make_images(1, 3, 64, 64)
    with torch.no_grad():
        before = model.semantic_logits_quarter(images)
        for parameter in (*model.auxiliary.parameters(), *model.auxiliary_score.parameters()):
            parameter.fill_(7.0)
        assert torch.equal(model.semantic_logits_quarter(images), before)


def identity_pooling(bins: Sequence[int]) -> PyramidPooling:
    """One channel in and out; convolution and normalisation let values through."""
    pooling = PyramidPooling(in_channels=1, channels=1, bins=bins).eval()
    for branch in pooling.branches:
        nn.init.ones_(branch[0].weight)
        branch[1].eps = 0.0
    return pooling


@torch.no_grad()
def test_pooled_branches_hold_the_averages_of_their_cells() -> None:
    pooling = identity_pooling((1, 2))
    features = torch.tensor([[1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 6.0, 6.0]]).view(1, 1, 2, 4)
    same, whole, quarters = pooling(features)[0]
    assert torch.equal(same, features[0, 0])
    torch.testing.assert_close(whole, torch.full((2, 4), 4.0))
    # Cells 2, 6 above 2, 6; each of two columns spread over four.
    torch.testing.assert_close(quarters[0], torch.tensor([2.0, 3.0, 5.0, 6.0]))
    torch.testing.assert_close(quarters[1], torch.tensor([2.0, 3.0, 5.0, 6.0]))


def test_a_frozen_backbone_has_a_trained_head() -> None:
    model = make_network(form='frozen', frozen_stages=2).train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    sum(out.square().mean() for out in model(make_images(2, 3, 64, 64))).backward()
    moved = {name for name, value in model.named_buffers() if not torch.equal(value, before[name])}
    heads = ('pooling.', 'fusion.', 'auxiliary.')
    assert moved == {name for name in before if name.startswith(heads)}
    assert model.fusion[1].weight.grad is not None
    assert all(p.grad is None for p in model.backbone.stem.parameters())


def test_one_image_at_once_is_refused_in_training_with_what_to_change() -> None:
    model, image = make_network(), make_images(1, 3, 64, 64)
    with pytest.raises(ParameterError, match=r'one image at once.*optimisation\.batch_size'):
        model.train()(image)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        model.pooling(torch.zeros(1, 256, 8, 8))  # what PyTorch says to it
    model.eval()(image)
    assert len(make_network(pyramid_bins=(2, 3)).train()(image)) == 2
    assert len(model.train()(make_images(2, 3, 64, 64))) == 2


def test_sides_that_are_no_multiples_of_8_are_refused() -> None:
    with pytest.raises(ImageError, match='100x64 pixels'):
        make_network().eval()(make_images(1, 3, 64, 100))


def count_parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def test_the_papers_number_of_parameters_is_that_of_inference_with_the_global_average() -> None:
    """91.6 million for Mask R-CNN with ResNet-50-FPN and PSPNet with ResNet-50 on COCO."""
    with torch.device('meta'):
        pspnet = PSPNet(
            backbone=ResNet(blocks=(3, 4, 6, 3), dilated=True),
            pyramid_bins=(1, 2, 3, 6),
            pyramid_channels=512,
            dropout=0.1,
            num_classes=133,
            num_stuff=53,
            num_things=80,
            pixels='caffe',
            normalisation='frozen',
        )
        mask_rcnn = count_parameters(maskrcnn_resnet50_fpn(weights_backbone=None, num_classes=81))
        average = count_parameters(FeaturePyramid(in_channels=(2048,), global_average=True))
        average -= count_parameters(FeaturePyramid(in_channels=(2048,)))
    auxiliary = count_parameters(pspnet.auxiliary, pspnet.auxiliary_score)
    pspnet = count_parameters(pspnet)
    assert (pspnet, auxiliary, mask_rcnn, average) == (49_044_042, 2_393_989, 44_400_693, 524_544)

    def millions(count: int) -> str:
        return f'{count / 1e6:.1f}'

    assert millions(mask_rcnn + average + pspnet - auxiliary) == '91.6'
    # No other choice gives the paper's number.
    assert millions(mask_rcnn + average + pspnet) == '94.0'
    assert millions(mask_rcnn + pspnet - auxiliary) == '91.1'
    assert millions(mask_rcnn + pspnet) == '93.4'
