# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipes: complete files, unknown keys and contradictions refused by name."""

from pathlib import Path

import pytest
import torch
import yaml

from training.build import build_model, build_recipe_optimiser, build_schedule
from training.recipe.errors import RecipeError
from training.recipe.reading import load_recipe, recipe_from_dict
from training.models.deform_conv import OffsetDeformConv2d

RECIPES = Path(__file__).parents[2] / 'config' / 'training'
TINY = RECIPES / 'upsnet_tiny_synthetic.yaml'


def tiny_values() -> dict:
    return yaml.safe_load(TINY.read_text())


@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_every_recipe_loads_and_builds(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert sum(p.numel() for p in build_model(recipe).parameters()) > 1e5


@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_every_key_is_commented(path: Path) -> None:
    lines = path.read_text().splitlines()
    keys = [line for line in lines if line.startswith('  ') and ':' in line.split('#')[0]]
    uncommented = [line for line in keys if '#' not in line]
    assert len(uncommented) <= 3, uncommented  # label set, batch size and iterations say it all


def test_a_recipe_survives_its_plain_form() -> None:
    recipe = load_recipe(TINY)
    assert recipe_from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ('section', 'key', 'value', 'message'),
    [
        ('model', 'widht', 3, 'model.widht'),
        ('model', 'width', 'wide', 'model.width'),
        ('model', 'width', True, 'model.width'),
        ('model', 'normalisation', 'group', 'model.normalisation'),
        ('model', 'frozen_stages', 2, 'model.frozen_stages'),
        ('model', 'blocks', [1, 2], 'model.blocks'),
        ('data', 'input_width', 600, 'data.input_width'),
        ('data', 'label_set', 'mars', 'data.label_set'),
        ('losses', 'keep_share', 1.5, 'losses.keep_share'),
        ('losses', 'foreground_rois', 5000, 'losses.foreground_rois'),
        ('losses', 'semantic', -1.0, 'losses.semantic'),
        ('model', 'test_post_nms', 20, 'model.test_candidates'),
        ('model', 'test_candidates', 101, 'model.test_candidates'),
        ('model', 'test_pre_nms', 5000, 'model.test_pre_nms'),
        ('model', 'fpn_channels', 0, 'model.fpn_channels'),
        ('data', 'train_short_sides', [0], 'data.train_short_sides'),
        ('data', 'train_short_sides', [], 'data.train_short_sides'),
        ('panoptic_head', 'score_threshold', 7.0, 'panoptic_head.score_threshold'),
        ('panoptic_head', 'label_resolution', 'imgae', 'panoptic_head.label_resolution'),
        ('optimisation', 'batch_size', 0, 'optimisation.batch_size'),
        ('optimisation', 'average_decay', 1.5, 'optimisation.average_decay'),
        ('optimisation', 'optimiser', 'magic', 'optimisation.optimiser'),
        ('optimisation', 'decay_at', [5], 'optimisation.decay_at'),
        ('optimisation', 'warmup_iterations', 10**9, 'optimisation.warmup_iterations'),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    section: str, key: str, value: object, message: str
) -> None:
    values = tiny_values()
    values[section][key] = value
    with pytest.raises(RecipeError, match=message):
        recipe_from_dict(values)


def test_a_missing_key_is_named() -> None:
    values = tiny_values()
    del values['losses']['panoptic']
    with pytest.raises(RecipeError, match='losses.panoptic'):
        recipe_from_dict(values)


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match='cannot read'):
        load_recipe(tmp_path / 'absent.yaml')
    broken = tmp_path / 'broken.yaml'
    broken.write_text('a: [1')
    with pytest.raises(RecipeError, match='not valid YAML'):
        load_recipe(broken)
    broken.write_text('just words')
    with pytest.raises(RecipeError, match='a mapping'):
        load_recipe(broken)


def test_schedule_warms_up_from_a_tenth_and_ends_at_zero() -> None:
    schedule = build_schedule(load_recipe(TINY))
    assert schedule.rate_at(0) == pytest.approx(0.1 * schedule.rate)
    assert schedule.rate_at(schedule.warmup) == pytest.approx(schedule.rate)
    assert schedule.rate_at(schedule.iterations) == pytest.approx(0.0, abs=1e-9)


def test_step_schedule_multiplies_at_every_point() -> None:
    values = tiny_values()
    values['optimisation'] |= {'schedule': 'step', 'decay_at': [1000, 2000], 'iterations': 3000}
    schedule = build_schedule(recipe_from_dict(values))
    factors = [schedule.rate_at(i) / schedule.rate for i in (999, 1000, 2000)]
    assert factors == pytest.approx([1.0, 0.1, 0.01])


def test_rate_scales_with_the_images_per_step() -> None:
    values = tiny_values()
    values['optimisation'] |= {'batch_size': 8, 'reference_batch_size': 4, 'learning_rate': 0.5}
    assert build_schedule(recipe_from_dict(values)).rate == pytest.approx(1.0)


def test_only_weights_decay() -> None:
    recipe = load_recipe(TINY)
    model = build_model(recipe)
    weights, biases = build_recipe_optimiser(recipe, model).param_groups
    assert biases['weight_decay'] == 0
    assert all(p.ndim > 1 for p in weights['params'])
    total = sum(len(group['params']) for group in (weights, biases))
    assert total == sum(1 for p in model.parameters() if p.requires_grad)


def published_values() -> dict:
    """The published ResNet-50 network for Cityscapes, as a recipe."""
    values = tiny_values()
    values['model'] |= {
        'blocks': [3, 4, 6, 3],
        'width': 64,
        'normalisation': 'frozen',
        'frozen_stages': 2,
        'fpn_channels': 256,
        'fpn_global_average': False,
        'rpn_channels': 256,
        'box_channels': 1024,
        'mask_channels': 256,
        'mask_layers': 4,
        'semantic_channels': [128, 128],
    }
    return values


def test_the_published_network_has_the_published_number_of_parameters() -> None:
    model = build_model(recipe_from_dict(published_values()))
    assert sum(p.numel() for p in model.parameters()) == 44_527_804
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 44_252_284


def test_frozen_stages_and_statistics_stay_as_they_are() -> None:
    values = published_values()
    values['model'] |= {'blocks': [1, 1, 1, 1], 'width': 8}
    model = build_model(recipe_from_dict(values)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.backbone(torch.randn(1, 3, 64, 64))[-1].sum().backward()
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(p.grad is None for p in model.backbone.stem.parameters())
    assert all(p.grad is None for p in model.backbone.stages[0].parameters())
    assert model.backbone.stages[1][0].conv1.weight.grad is not None


def test_offsets_of_a_deformable_backbone_start_at_zero() -> None:
    values = tiny_values()
    values['model']['deformable_stages'] = [3, 4, 5]
    model = build_model(recipe_from_dict(values))
    offsets = [m.offset for m in model.modules() if isinstance(m, OffsetDeformConv2d)]
    assert len(offsets) == 2 + 2 + 3 + 2
    assert not any(offset.weight.any() for offset in offsets)
