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

from tests.fakes.small_networks import make_mask_rcnn_recipe, make_pspnet_recipe
from tests.fakes.torchvision_resnet import make_torchvision_resnet
from training.build import build_model
from training.checkpoint import Checkpoint, save_checkpoint
from training.import_official import convert_weights, variant_recipe
from training.initial_weights import initialise
from training.official_names import official_name
from training.recipe.errors import RecipeError
from training.recipe.initial import InitialRecipe
from training.recipe.reading import load_recipe
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError, UpsnetError

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


def other_classes(recipe: Recipe, **model: Any) -> Recipe:
    """The recipe for 8 of its classes, the checkpoint's; other keys of the model."""
    names = ('road', 'building', 'vegetation', 'sky', 'person', 'car', 'bus', 'bicycle')
    labels = recipe.data.label_set
    kept = [entry for entry in labels.classes if entry.name in names]
    classes = tuple(replace(entry, train_id=index) for index, entry in enumerate(kept))
    label_set = replace(labels, name='eight', classes=classes)
    data = replace(recipe.data, label_set=label_set, input_height=64, input_width=96)
    return replace(recipe, data=data, model=replace(recipe.model, **model))


def by_name(recipe: Recipe, **renamed: str) -> Recipe:
    initial = InitialRecipe(weights='checkpoint', head_rows='by_name', renamed=renamed)
    return replace(recipe, initial=initial)


def test_fine_tuning_onto_other_classes_keeps_all_but_their_rows(
    small_recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, path = trained(other_classes(small_recipe), tmp_path)
    recipe = by_name(small_recipe, truck='bus')
    network = build_model(recipe)
    with caplog.at_level(logging.INFO):
        report = initialise(network, recipe, path)
    state, given = network.state_dict(), other.state_dict()
    labels, theirs = recipe.data.label_set, other_classes(small_recipe).data.label_set
    rows = [name for name in state if state[name].shape != given[name].shape]
    assert len(rows) == 8
    for name in state.keys() - rows:
        assert torch.equal(state[name], given[name]), name
    ids = {entry.name: entry.train_id for entry in theirs.classes}
    score = 'semantic_head.score.weight'
    for entry in labels.classes:
        source = ids.get('bus' if entry.name == 'truck' else entry.name)
        if source is not None:
            assert torch.equal(state[score][entry.train_id], given[score][source]), entry.name
    assert report is not None and report in caplog.text
    assert 'moved: 9\n' in report and 'dropped: 0' in report
    assert f'{len(state) - 8} tensors copied; 8 remapped' in report


def test_an_imported_published_network_starts_other_classes(tmp_path: Path) -> None:
    """Its recipe, and so the names of its classes, is in the file."""
    recipe = load_recipe(Path('config/training/upsnet_r50_driving.yaml'))
    published = variant_recipe('r50_cityscapes')
    torch.manual_seed(2)
    weights = build_model(published).state_dict()
    theirs = {official_name(name): value for name, value in weights.items()}
    save_checkpoint(convert_weights(theirs, 'r50_cityscapes'), tmp_path / 'r50.pt')
    recipe = by_name(recipe)
    network = build_model(recipe)
    report = initialise(network, recipe, tmp_path / 'r50.pt')
    assert report is not None and 'moved: 19\n' in report
    new = 'new, drawn: 8 (parking, rail track, lane marking, guard rail, bridge, tunnel, trailer'
    assert new in report and 'left at random' not in report
    logits = network.state_dict()['box_head.class_logits.weight']
    car = [entry.name for entry in recipe.data.label_set.classes[17:]].index('car') + 1
    assert torch.equal(logits[car], weights['box_head.class_logits.weight'][3])


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (
            {'blocks': (1, 1, 2, 1)},
            r'blocks is \(1, 1, 2, 1\) there and \(1, 1, 1, 1\) here',
        ),
        ({'fpn_channels': 24, 'width': 16}, r'model.width is 16 there and 8 here, model.fpn_chan'),
        (
            {'semantic_channels': (32, 16)},
            r'semantic_head.score.weight: 8x64x1x1, expected 8x128',
        ),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(
    model: dict[str, Any], message: str, small_recipe: Recipe, tmp_path: Path
) -> None:
    _, path = trained(other_classes(small_recipe, **model), tmp_path)
    recipe = by_name(small_recipe)
    with pytest.raises(UpsnetError, match=message):
        initialise(build_model(recipe), recipe, path)


def test_the_instance_half_is_a_start_and_a_semantic_network_none(
    small_recipe: Recipe, tmp_path: Path
) -> None:
    half, path = trained(make_mask_rcnn_recipe(), tmp_path)
    recipe = by_name(small_recipe)
    network = build_model(recipe)
    before = network.state_dict()['semantic_head.score.weight'].clone()
    initialise(network, recipe, path)
    state = network.state_dict()
    assert torch.equal(state['semantic_head.score.weight'], before)
    logits = 'box_head.class_logits.weight'
    assert torch.equal(state[logits], half.state_dict()[logits])
    _, path = trained(make_pspnet_recipe(), tmp_path)
    with pytest.raises(RecipeError, match=r"model.network is 'pspnet' there and 'upsnet' here"):
        initialise(network, recipe, path)


def test_other_numbers_of_classes_lead_to_by_name(small_recipe: Recipe, tmp_path: Path) -> None:
    _, path = trained(other_classes(small_recipe), tmp_path)
    recipe = with_initial(small_recipe, 'checkpoint')
    with pytest.raises(
        RecipeError,
        match=r"initial.head_rows': got 'same', expected 'by_name', because .* has 11 stuff and 8 "
        r"thing classes and .*final.pt, of 'eight', has 4 stuff and 4 thing classes",
    ):
        initialise(build_model(recipe), recipe, path)


def test_a_checkpoint_without_names_of_classes_is_refused(
    small_recipe: Recipe, tmp_path: Path
) -> None:
    network, path = trained(small_recipe, tmp_path)
    recipe = by_name(small_recipe)
    torch.save(network.state_dict(), tmp_path / 'bare.pt')
    with pytest.raises(ModelError, match=r'bare.pt holds bare weights.*names of their classes'):
        initialise(network, recipe, tmp_path / 'bare.pt')
    values = torch.load(path, weights_only=True)
    del values['recipe']['data']['label_set']
    torch.save(values, path)
    with pytest.raises(RecipeError, match=r'final.pt holds a recipe.*data.label_set.*missing'):
        initialise(network, recipe, path)


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    text = Path('config/training/upsnet_r101_cityscapes.yaml').read_text()
    path = tmp_path / 'recipe.yaml'
    path.write_text(text.replace('    sky:', '    wall: fence-merged\n    sky:'))
    with pytest.raises(RecipeError, match=r'recipe.yaml is not valid YAML: wall: given twice'):
        load_recipe(path)
