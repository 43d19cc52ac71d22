# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recipe says about the weights to start from, and checkpoints that it cannot use."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.fakes.torchvision_resnet import make_torchvision_resnet
from training.build import build_model
from training.checkpoint import Checkpoint, save_checkpoint
from training.initial_weights import initialise
from training.recipe.errors import RecipeError
from training.recipe.initial import InitialRecipe
from training.recipe.recipe import Recipe

BLOCKS = (1, 1, 2, 1)


def with_initial(recipe: Recipe, weights: str, **model: Any) -> Recipe:
    changed = replace(recipe.model, **model)
    return replace(recipe, model=changed, initial=InitialRecipe(weights=weights))


CAFFE = {'blocks': BLOCKS, 'width': 64, 'stride_in': '1x1', 'pixels': 'caffe'}
TORCHVISION = CAFFE | {'stride_in': '3x3', 'pixels': 'torchvision'}


@pytest.mark.parametrize(('kind', 'model'), [('caffe', CAFFE), ('torchvision', TORCHVISION)])
def test_a_recipe_says_which_backbone_is_loaded(
    kind: str,
    model: dict[str, Any],
    small_recipe: Recipe,
    tmp_path: Path,
) -> None:
    weights, path = make_torchvision_resnet(BLOCKS).state_dict(), tmp_path / 'resnet.pth'
    torch.save(weights, path)
    recipe = with_initial(small_recipe, kind, **model)
    network = build_model(recipe)
    initialise(network, recipe, path)
    loaded = network.state_dict()['backbone.stages.1.0.conv1.weight']
    assert torch.equal(loaded, weights['layer2.0.conv1.weight'])


def trained(recipe: Recipe, folder: Path) -> tuple[nn.Module, Path]:
    """A network with its checkpoint."""
    torch.manual_seed(8)
    network, path = build_model(recipe), folder / 'final.pt'
    save_checkpoint(Checkpoint.from_weights(recipe, network.state_dict()), path)
    return network, path


def test_fine_tuning_starts_from_a_checkpoint(
    small_recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, path = trained(small_recipe, tmp_path)
    recipe = with_initial(small_recipe, 'checkpoint')
    network = build_model(recipe)
    with caplog.at_level(logging.INFO):
        initialise(network, recipe, path)
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert f'{len(other.state_dict())} tensors copied' in caplog.text
    assert 'other names' not in caplog.text


def test_averaged_weights_are_the_ones_to_start_from(small_recipe: Recipe, tmp_path: Path) -> None:
    state = build_model(small_recipe).state_dict()
    averaged = {name: torch.zeros_like(value) for name, value in state.items()}
    checkpoint = replace(Checkpoint.from_weights(small_recipe, state), averaged=averaged)
    save_checkpoint(checkpoint, tmp_path / 'final.pt')
    recipe = with_initial(small_recipe, 'checkpoint')
    network = build_model(recipe)
    initialise(network, recipe, tmp_path / 'final.pt')
    assert not any(value.any() for value in network.state_dict().values())


@pytest.mark.parametrize(
    ('model', 'message'),
    [({'stride_in': '3x3'}, 'model.stride_in'), ({'pixels': 'torchvision'}, 'model.pixels')],
)
def test_a_checkpoint_of_another_input_is_refused(
    model: dict[str, Any], message: str, small_recipe: Recipe, tmp_path: Path
) -> None:
    _, path = trained(small_recipe, tmp_path)
    recipe = with_initial(small_recipe, 'checkpoint', **model)
    with pytest.raises(RecipeError, match=f'{message}.*trained with that'):
        initialise(build_model(recipe), recipe, path)


def test_other_class_names_are_told(
    small_recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, path = trained(small_recipe, tmp_path)
    labels = small_recipe.data.label_set
    classes = (replace(labels.classes[0], name='lane'), *labels.classes[1:])
    data = replace(small_recipe.data, label_set=replace(labels, classes=classes))
    recipe = with_initial(replace(small_recipe, data=data), 'checkpoint')
    with caplog.at_level(logging.INFO):
        initialise(build_model(recipe), recipe, path)
    assert 'have other names' in caplog.text


@pytest.mark.parametrize('weights', ['caffe', 'checkpoint'])
def test_a_missing_file_is_asked_for(weights: str, small_recipe: Recipe) -> None:
    recipe = with_initial(small_recipe, weights)
    with pytest.raises(RecipeError, match='initial.weights.*--initial'):
        initialise(nn.Identity(), recipe, None)


def test_a_file_that_the_recipe_does_not_want_is_refused(
    small_recipe: Recipe, tmp_path: Path
) -> None:
    network = build_model(small_recipe)
    with pytest.raises(RecipeError, match=r'initial.weights.*resnet.pth'):
        initialise(network, small_recipe, tmp_path / 'resnet.pth')
    before = {name: value.clone() for name, value in network.state_dict().items()}
    initialise(network, small_recipe, None)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
