# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The backbone's forms: against torchvision, against one another, and what is frozen in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.fakes.torchvision_resnet import make_torchvision_resnet, stage_outputs
from training.initial.backbones import load_torchvision_backbone
from training.models.resnet import ResNet
from training.models.synchronise import synchronise_normalisation
from upsnet_ros.core.errors import ParameterError

FORMS = ('frozen', 'batch', 'synchronised')


def make_backbone(*, seed: int = 0, **values: Any) -> ResNet:
    """A narrow backbone in which everything is trained, unless values say otherwise."""
    torch.manual_seed(seed)
    chosen = {'blocks': (1, 2, 2, 2), 'width': 8, 'normalisation': 'batch', 'frozen_stages': 0}
    return ResNet(**(chosen | values))


def make_images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def assert_all_close(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert other.std() > 1e-2
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('blocks', 'dilated'),
    [
        ((3, 4, 6, 3), False),  # ResNet-50
        ((3, 4, 23, 3), False),  # ResNet-101
        ((1, 1, 2, 2), True),
    ],
)
@torch.no_grad()
def test_stages_equal_those_of_torchvision(
    blocks: tuple[int, ...], dilated: bool, tmp_path: Path
) -> None:
    theirs = make_torchvision_resnet(blocks, dilated=dilated)
    torch.save(theirs.state_dict(), tmp_path / 'resnet.pth')
    ours = ResNet(blocks=blocks, stride_in='3x3', dilated=dilated).eval()
    load_torchvision_backbone(ours, tmp_path / 'resnet.pth')
    images = make_images(1, 3, 64, 64)
    assert_all_close(ours(images), stage_outputs(theirs, images))


@pytest.mark.parametrize('stride_in', ['1x1', '3x3'])
@torch.no_grad()
def test_dilated_stages_hold_the_outputs_of_the_coarse_grids(stride_in: str) -> None:
    coarse = make_backbone(stride_in=stride_in).eval()
    dense = make_backbone(stride_in=stride_in, dilated=True).eval()
    dense.load_state_dict(coarse.state_dict())
    images = make_images(1, 3, 64, 96)
    stages = dense(images)
    assert [stage.shape[-2:] for stage in stages] == [(16, 24), (8, 12), (8, 12), (8, 12)]
    sampled = [
        stage[:, :, ::step, ::step] for stage, step in zip(stages, (1, 1, 2, 4), strict=True)
    ]
    assert_all_close(sampled, coarse(images))


def test_the_names_of_the_weights_are_the_same_in_every_form() -> None:
    expected = list(make_backbone().state_dict())
    assert len(expected) == 6 * (1 + 7 * 3 + 4)
    for form in FORMS:
        for values in ({'stride_in': '3x3'}, {'dilated': True}, {'checkpoint_gradients': True}):
            backbone = make_backbone(normalisation=form, **values)
            assert list(backbone.state_dict()) == expected
    converted = synchronise_normalisation(
        make_backbone(normalisation='synchronised'), torch.device('cuda'), world=2
    )
    assert list(converted.state_dict()) == expected


def outcome(backbone: ResNet, images: Tensor) -> dict[str, Tensor]:
    """Outputs, gradients and statistics of one training step without the update."""
    stages = backbone.train()(images)
    sum(stage.square().mean() for stage in stages).backward()
    values = {f'res{i + 2}': stage.detach() for i, stage in enumerate(stages)}
    values |= {f'{k}.grad': p.grad for k, p in backbone.named_parameters() if p.grad is not None}
    return values | {name: buffer.clone() for name, buffer in backbone.named_buffers()}


@pytest.mark.parametrize(
    ('form', 'values'),
    [
        *((form, {}) for form in FORMS),
        ('frozen', {'frozen_stages': 2}),
        ('batch', {'deformable_stages': (4, 5)}),
        ('batch', {'dilated': True}),
    ],
)
def test_recomputed_activations_give_the_same_step(form: str, values: dict[str, Any]) -> None:
    images = make_images(2, 3, 64, 64)
    kept = outcome(make_backbone(normalisation=form, **values), images)
    again = outcome(make_backbone(normalisation=form, checkpoint_gradients=True, **values), images)
    assert kept.keys() == again.keys()
    assert any(name.endswith('.grad') for name in kept)
    for name, value in kept.items():
        torch.testing.assert_close(again[name], value, rtol=1e-5, atol=1e-6, msg=name)


def kept_numbers(backbone: ResNet) -> int:
    """Numbers that a forward pass keeps for the gradients, weights not counted."""
    own = {p.data_ptr() for p in backbone.parameters()}
    sizes = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            sizes[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        stages = backbone(make_images(2, 3, 64, 64))
    assert stages[3].grad_fn is not None  # alive until here, so no address was used twice
    return sum(sizes.values())


def test_recomputation_keeps_less_but_only_in_training() -> None:
    plain, saving = make_backbone().train(), make_backbone(checkpoint_gradients=True).train()
    assert kept_numbers(saving) < 0.6 * kept_numbers(plain)
    assert kept_numbers(saving.eval()) == kept_numbers(plain.eval())


@pytest.mark.parametrize('form', ['batch', 'synchronised'])
def test_statistics_move_where_stages_are_trained_and_nowhere_else(form: str) -> None:
    backbone = make_backbone(normalisation=form, frozen_stages=2)
    before = {name: value.clone() for name, value in backbone.named_buffers()}
    outcome(backbone, make_images(2, 3, 64, 64))
    for name, value in backbone.named_buffers():
        frozen = name.startswith(('stem.', 'stages.0.'))
        assert torch.equal(value, before[name]) == frozen, name
    trained = {name.split('.')[1] for name, p in backbone.named_parameters() if p.requires_grad}
    assert trained == {'1', '2', '3'}


def test_frozen_normalisation_never_changes() -> None:
    backbone = make_backbone(normalisation='frozen')
    before = {name: value.clone() for name, value in backbone.named_buffers()}
    outcome(backbone, make_images(2, 3, 64, 64))
    assert all(torch.equal(value, before[name]) for name, value in backbone.named_buffers())
    untrained = [name for name, p in backbone.named_parameters() if p.grad is None]
    assert len(untrained) == 2 * (1 + 7 * 3 + 4)
    assert all(p.ndim == 1 for name, p in backbone.named_parameters() if name in untrained)


def count_layers(model: nn.Module, kind: type) -> int:
    return sum(isinstance(layer, kind) for layer in model.modules())


@pytest.mark.parametrize('form', ['frozen', 'batch'])
def test_only_the_synchronised_form_is_converted(form: str) -> None:
    backbone = make_backbone(normalisation=form)
    synchronise_normalisation(backbone, torch.device('cpu'), world=8)
    assert count_layers(backbone, nn.SyncBatchNorm) == 0


def test_several_processes_on_gpus_are_synchronised() -> None:
    backbone = make_backbone(normalisation='synchronised', frozen_stages=2)
    # A part of a larger network asks for it as well.
    network = synchronise_normalisation(nn.Sequential(backbone), torch.device('cuda'), world=2)
    assert count_layers(network, nn.BatchNorm2d) == 0
    layers = [layer for layer in network.modules() if isinstance(layer, nn.SyncBatchNorm)]
    assert len(layers) == 1 + 7 * 3 + 4
    network.train()
    assert sum(layer.training for layer in layers) == 6 * 3 + 3
    assert not any(p.requires_grad for p in backbone.stem.parameters())


def test_several_processes_on_cpus_are_refused() -> None:
    backbone = make_backbone(normalisation='synchronised')
    with pytest.raises(ParameterError, match="'synchronised' with 2 processes on cpu"):
        synchronise_normalisation(backbone, torch.device('cpu'), world=2)
