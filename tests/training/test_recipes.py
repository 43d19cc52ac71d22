# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipes: whole in what is on, unknown keys and contradictions refused by name."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from training.build import build_model, build_schedule
from training.label_sets import find_label_set
from training.recipe.errors import RecipeError
from training.recipe.reading import load_recipe, recipe_from_dict

RECIPES = Path(__file__).parents[2] / 'config' / 'training'
TINY = RECIPES / 'upsnet_tiny_synthetic.yaml'


def tiny_values() -> dict:
    return yaml.safe_load(TINY.read_text())


@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_every_recipe_loads_and_builds(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe_from_dict(yaml.safe_load(yaml.safe_dump(recipe.to_dict()))) == recipe
    with torch.device('meta'):  # shapes only: seconds for the large ones otherwise
        model = build_model(recipe)
    assert sum(p.numel() for p in model.parameters()) > 1e5


@pytest.mark.parametrize('path', sorted(RECIPES.glob('*.yaml')), ids=lambda p: p.stem)
def test_every_key_is_commented(path: Path) -> None:
    lines = path.read_text().splitlines()
    keys = [line for line in lines if re.match(r'  \w', line) and ':' in line.split('#')[0]]
    assert not [line for line in keys if '#' not in line]


@pytest.mark.parametrize(
    ('section', 'key', 'value', 'message'),
    [
        ('model', 'widht', 3, 'model.widht'),
        ('model', 'width', 'wide', 'model.width'),
        ('model', 'normalisation', 'group', 'model.normalisation'),
        ('model', 'frozen_stages', 2, 'frozen_stages'),
        ('model', 'blocks', [1, 2], 'model.blocks'),
        ('data', 'input_width', 600, 'data.input_width'),
        ('data', 'label_set', 'mars', 'data.label_set'),
        ('data', 'short_side_choice', 'range', 'data.train_short_sides'),
        ('data', 'train_crop', 100, 'data.train_crop'),
        ('data', 'max_long_side', 100, 'data.max_long_side'),
        ('data', 'images_without_things', 'burn', 'data.images_without_things'),
        ('model', 'network', 'yolo', 'model.network'),
        ('model', 'network', 'mask_rcnn', 'model.semantic_channels'),
        ('model', 'semantic_channels', [], 'model.semantic_channels'),
        ('model', 'stride_in', '2x2', 'model.stride_in'),
        ('model', 'deformable_stages', [2], 'model.deformable_stages'),
        ('losses', 'predict_unknown', False, 'losses.keep_share'),
        ('losses', 'auxiliary', 0.4, 'losses.auxiliary'),
        ('losses', 'mask_targets', 'guess', 'losses.mask_targets'),
        ('initial', 'weights', 'torchvision', 'model.stride_in'),
        ('data', 'input_height', 8192, 'data.input_height'),
        ('initial', 'head_rows', 'by_name', 'initial.head_rows'),
        ('initial', 'renamed', {'car': 'van'}, 'initial.renamed'),
        ('initial', 'renamed', {'car': 3}, 'initial.renamed'),
        ('initial', 'renamed', ['car'], 'initial.renamed'),
        ('monitoring', 'save_every', 0, 'monitoring.save_every'),
        ('panoptic_head', 'kind', 'magic', 'panoptic_head.kind'),
        ('optimisation', 'accumulation_steps', 3, 'optimisation.accumulation_steps'),
        ('optimisation', 'momentum_form', 'caffe', 'optimisation.momentum_form'),
        ('optimisation', 'precision', 'int8', 'optimisation.precision'),
        ('losses', 'keep_share', 1.5, 'losses.keep_share'),
        ('losses', 'foreground_rois', 5000, 'losses.foreground_rois'),
        ('model', 'test_post_nms', 20, 'model.test_candidates'),
        ('model', 'test_candidates', 101, 'model.test_candidates'),
        ('model', 'test_pre_nms', 5000, 'model.test_pre_nms'),
        ('data', 'train_short_sides', [0], 'data.train_short_sides'),
        ('panoptic_head', 'score_threshold', 7.0, 'panoptic_head.score_threshold'),
        ('panoptic_head', 'label_resolution', 'imgae', 'panoptic_head.label_resolution'),
        ('optimisation', 'batch_size', 0, 'optimisation.batch_size'),
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


def test_deformable_stages_want_the_stride_in_the_1x1() -> None:
    values = tiny_values()
    values['model'] |= {'stride_in': '3x3', 'deformable_stages': [5]}
    with pytest.raises(RecipeError, match=r'model.deformable_stages.*an empty list, because'):
        recipe_from_dict(values)


@pytest.mark.parametrize('text', ['1e-4', '0.0001', '1.0E-4'])
def test_numbers_may_be_written_as_people_write_them(text: str) -> None:
    recipe = load_recipe(TINY, overrides=[f'optimisation.learning_rate={text}'])
    assert recipe.optimisation.learning_rate == pytest.approx(1e-4)


@pytest.mark.parametrize('text', ['.nan', '.inf', 'nan', 'fast', 'true', '[1]'])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match='optimisation.learning_rate'):
        load_recipe(TINY, overrides=[f'optimisation.learning_rate={text}'])


@pytest.mark.parametrize(
    ('key', 'changes'),
    [
        ('losses.panoptic', {}),
        ('losses.keep_share', {}),
        ('losses.semantic_roi_crop', {}),
        ('losses.full_resolution_semantic', {}),
        ('optimisation.momentum_form', {'optimiser': 'sgd'}),
        ('optimisation.decay_at', {'schedule': 'step'}),
    ],
)
def test_a_missing_key_is_named_where_it_counts(key: str, changes: dict[str, str]) -> None:
    values = tiny_values()
    section, name = key.split('.')
    values[section] |= changes
    values[section].pop(name, None)
    with pytest.raises(RecipeError, match=f'{key}.*missing'):
        recipe_from_dict(values)


def test_what_is_off_may_be_left_out_or_said() -> None:
    short, long = tiny_values(), tiny_values()
    for values in (short, long):
        values['losses'].update(semantic_roi=0.0, predict_unknown=False, keep_share=1.0)
        values['monitoring']['picture_every'] = 0
    for key in ('semantic_roi', 'semantic_roi_crop', 'predict_unknown', 'keep_share'):
        del short['losses'][key]
    del short['monitoring']['picture_every']
    long['losses'].update(auxiliary=0.0, semantic_roi_crop='features')
    long['optimisation'].update(decay_at=[], momentum_form='pytorch', accumulation_steps=1)
    assert recipe_from_dict(short) == recipe_from_dict(long)


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


def test_values_can_be_replaced_on_the_command_line() -> None:
    recipe = load_recipe(
        TINY, overrides=['optimisation.batch_size=8', 'data.train_short_sides=[96]']
    )
    assert recipe.optimisation.batch_size == 8
    assert load_recipe(TINY, overrides=['losses.auxiliary=0']).losses.auxiliary == 0  # left out
    assert recipe.data.train_short_sides == (96,)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('optimisation.batch_sise=8', 'optimisation.batch_sise'),
        ('batch_size=8', 'batch_size'),
        ('optimisation.batch_size', 'section.key=value'),
        ('optimisation.batch_size=[1', 'not valid YAML'),
        ('optimisation.batch_size=0', 'optimisation.batch_size'),
        ('optimisation.seed.deeper=1', 'optimisation.seed.deeper'),
    ],
)
def test_a_wrong_replacement_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(TINY, overrides=[text])


def test_rate_and_length_follow_the_images_per_step() -> None:
    published = RECIPES / 'upsnet_r50_cityscapes.yaml'
    recipe = load_recipe(published, overrides=['optimisation.batch_size=4'])
    schedule = build_schedule(recipe)
    assert schedule.rate == pytest.approx(0.005)  # facts of the published models: 4 GPUs
    assert (schedule.steps, schedule.decay_at, schedule.warmup) == (48_000, (36_000,), 1_500)


def test_a_label_set_of_ones_own_is_read_beside_the_recipe(tmp_path: Path) -> None:
    values = tiny_values()
    values['data']['label_set'] = 'mine.yaml'
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(RecipeError, match='no label set mine.yaml in .*; expected a YAML'):
        load_recipe(path)
    kinds = [{'dataset_id': 3, 'name': 'lane', 'is_thing': False, 'colour': [1, 2, 3]}]
    kinds.append({'dataset_id': 9, 'name': 'van', 'is_thing': True, 'colour': [9, 9, 9]})
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump({'name': 'mine', 'classes': kinds}))
    labels = load_recipe(path).data.label_set
    assert [entry.name for entry in labels.classes] == ['lane', 'van']
    kinds[0]['is_thing'] = True
    kinds[1]['is_thing'] = False
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump({'name': 'mine', 'classes': kinds}))
    with pytest.raises(RecipeError, match='stuff class follows a thing'):
        load_recipe(path)


def own_classes(*kinds: bool) -> dict[str, Any]:
    classes = [
        {'dataset_id': 3 + i, 'name': f'{i}', 'is_thing': is_thing, 'colour': [i, 2, 3]}
        for i, is_thing in enumerate(kinds)
    ]
    return {'name': 'mine', 'classes': classes}


def test_a_label_set_is_found_from_the_working_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'recipe').mkdir()
    path = tmp_path / 'recipe' / 'recipe.yaml'
    path.write_text(yaml.safe_dump(tiny_values()))
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump(own_classes(False, True)))
    monkeypatch.chdir(tmp_path)
    overrides = ['data.label_set=mine.yaml']
    assert load_recipe(path, overrides=overrides).data.label_set.num_classes == 2
    # Beside the recipe comes first.
    (tmp_path / 'recipe/mine.yaml').write_text(yaml.safe_dump(own_classes(False, True, True)))
    assert load_recipe(path, overrides=overrides).data.label_set.num_classes == 3


@pytest.mark.parametrize(
    ('recipe', 'kinds', 'message'),
    [
        ('upsnet_r50_cityscapes', (False,), 'a label set with thing classes, because .*upsnet'),
        ('upsnet_r50_cityscapes', (True,), 'a label set with stuff classes, because .*upsnet'),
        ('mask_rcnn_r50_cityscapes', (False,), 'with thing classes, because .*mask_rcnn'),
        ('mask_rcnn_r50_cityscapes', (True,), None),
        ('pspnet_r50_cityscapes', (False,), None),
    ],
)
def test_a_network_that_cannot_learn_a_label_set_is_refused(
    recipe: str, kinds: tuple[bool, ...], message: str | None, tmp_path: Path
) -> None:
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump(own_classes(*kinds)))
    overrides = [f'data.label_set={tmp_path}/mine.yaml', 'data.images_without_things=keep']
    load = partial(load_recipe, RECIPES / f'{recipe}.yaml', overrides=overrides)
    if message is None:
        assert load().data.label_set.num_classes == 1
        return
    with pytest.raises(RecipeError, match=f"'data.label_set': got 'mine', .*{message}"):
        load()


def test_coco_has_the_published_classes_in_the_published_order() -> None:
    labels = find_label_set('coco')
    assert (labels.num_stuff, labels.num_things) == (53, 80)
    assert [labels.classes[i].name for i in (0, 20, 53, 132)] == [
        'banner',
        'road',
        'person',
        'toothbrush',
    ]
    for kind in (range(labels.num_stuff), labels.thing_ids):
        ids = [labels.classes[i].dataset_id for i in kind]
        assert ids == sorted(ids)


@pytest.mark.parametrize(
    ('name', 'parameters', 'trainable'),
    [
        ('upsnet_r50_cityscapes', 44_527_804, 44_252_284),
        ('upsnet_r101_cityscapes', 63_519_932, 63_192_188),
        ('upsnet_r50_coco', 46_129_904, 45_854_384),
        ('upsnet_r101_dcn_coco', 66_408_204, 66_080_460),
    ],
)
def test_the_published_networks_have_the_published_numbers_of_parameters(
    name: str, parameters: int, trainable: int
) -> None:
    with torch.device('meta'):
        model = build_model(load_recipe(RECIPES / f'{name}.yaml'))
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == trainable
