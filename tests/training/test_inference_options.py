# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which options go together, and what they do to network and head."""

import dataclasses

import pytest

from tests.fakes.small_networks import (
    lively_model,
    make_mask_rcnn_recipe,
    make_pspnet_recipe,
    make_small_recipe,
)
from training.build import build_model
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.merge_heuristic import MergeHeuristic
from training.inference.options import InferenceOptions
from training.inference.predictor import Predictor
from training.inference.views import View
from training.models.detections import select_candidates, select_detections
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.panoptic_head import PanopticHead

PLAIN = InferenceOptions()


def trained(recipe: Recipe) -> TrainedNetwork:
    return TrainedNetwork(build_model(recipe).eval(), recipe)


@pytest.fixture(scope='module')
def upsnet() -> TrainedNetwork:
    recipe = make_small_recipe()
    return TrainedNetwork(lively_model(recipe), recipe)


@pytest.fixture(scope='module')
def mask_rcnn() -> TrainedNetwork:
    return trained(make_mask_rcnn_recipe())


@pytest.fixture(scope='module')
def pspnet() -> TrainedNetwork:
    return trained(make_pspnet_recipe(train_crop=64))


@pytest.mark.parametrize(
    'values, message',
    [
        ({'oracles': ('masks',)}, "--oracle is 'masks'"),
        ({'oracles': ('classes',)}, 'expected --oracle boxes beside it'),
        ({'oracles': ('segmentation',), 'multi_scale': True}, '--oracle segmentation'),
        ({'head': 'paper'}, "--head is 'paper'"),
        ({'instance_class': 'mode'}, "--instance-class is 'mode'"),
        ({'short_side': 16}, '--short-side is 16'),
        ({'window': 100}, '--window is 100'),
        ({'fixed_input': True, 'flip': True, 'short_side': 96}, '--short-side, --flip with'),
        ({'fixed_input': True, 'oracles': ('boxes',)}, '--oracle with an input of one size'),
        ({'fixed_input': True, 'head': 'heuristic'}, '--head heuristic with an input'),
    ],
)
def test_contradictions_are_refused_by_name(values: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        InferenceOptions(**values)


@pytest.mark.parametrize(
    'network, values, message',
    [
        ('pspnet', {'head': 'unified'}, 'needs an instance and a semantic half'),
        ('pspnet', {'oracles': ('boxes',)}, '--oracle boxes has no use'),
        ('mask_rcnn', {'flip': True}, 'average semantic logits'),
        ('mask_rcnn', {'instance_class': 'majority'}, '--instance-class with the merge heuristic'),
        ('upsnet', {'head': 'heuristic', 'predict_unknown': False}, '--no-unknown with the merge'),
        ('mask_rcnn', {'fixed_input': True}, '--fixed-input is for one network'),
        ('upsnet', {'short_side': 128, 'max_long_side': 96}, '--max-long-side is 96'),
    ],
)
def test_options_that_a_network_cannot_have_are_refused(
    network: str, values: dict, message: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ParameterError, match=message):
        build_labeller(request.getfixturevalue(network), InferenceOptions(**values))


def test_pairs_that_do_not_belong_together_are_refused(
    upsnet: TrainedNetwork, mask_rcnn: TrainedNetwork, pspnet: TrainedNetwork
) -> None:
    for first, second in ((pspnet, mask_rcnn), (mask_rcnn, mask_rcnn), (pspnet, pspnet)):
        with pytest.raises(ModelError, match='exchange the two files'):
            build_labeller(first, PLAIN, semantic=second)
    labels = dataclasses.replace(pspnet.recipe.data.label_set, name='other')
    data = dataclasses.replace(pspnet.recipe.data, label_set=labels)
    other = TrainedNetwork(pspnet.model, dataclasses.replace(pspnet.recipe, data=data))
    with pytest.raises(ModelError, match='expected the same classes'):
        build_labeller(mask_rcnn, PLAIN, semantic=other)
    with pytest.raises(ParameterError, match='--fixed-input is for one network'):
        build_labeller(upsnet, InferenceOptions(fixed_input=True), semantic=pspnet)


def test_without_options_the_recipe_decides(
    upsnet: TrainedNetwork, mask_rcnn: TrainedNetwork, pspnet: TrainedNetwork
) -> None:
    labeller = build_labeller(upsnet, PLAIN)
    assert isinstance(labeller.network, Predictor)
    assert labeller.network.base == View(96, 160)
    assert labeller.network.views == [View(96, 160)]
    assert labeller.network.select is select_candidates
    assert isinstance(labeller.head, PanopticHead)
    assert labeller.head.parameters == upsnet.recipe.panoptic_head.parameters()
    for network in (mask_rcnn, pspnet):
        labeller = build_labeller(network, PLAIN)
        assert isinstance(labeller.head, MergeHeuristic)
        assert labeller.network.select is select_detections


def test_options_replace_what_the_recipe_says(upsnet: TrainedNetwork) -> None:
    options = InferenceOptions(
        short_side=128,
        max_long_side=256,
        multi_scale=True,
        flip=True,
        instance_class='detection',
        predict_unknown=False,
    )
    labeller = build_labeller(upsnet, options)
    assert labeller.network.base == View(128, 256)
    assert [view.short_side for view in labeller.network.views] == [96, 128, 160] * 2
    assert [view.max_long_side for view in labeller.network.views] == [192, 256, 320] * 2
    assert [view.mirrored for view in labeller.network.views] == [False] * 3 + [True] * 3
    assert labeller.head.parameters['instance_class'] == 'detection'
    assert labeller.head.parameters['predict_unknown'] is False
    assert labeller.head.parameters['score_threshold'] == 0.6


def test_a_pspnet_sees_windows_of_its_training_crops(
    mask_rcnn: TrainedNetwork, pspnet: TrainedNetwork, upsnet: TrainedNetwork
) -> None:
    assert build_labeller(pspnet, PLAIN).network.window == 64
    assert build_labeller(mask_rcnn, PLAIN, semantic=pspnet).network.window == 64
    assert build_labeller(pspnet, InferenceOptions(window=0)).network.window == 0
    assert build_labeller(upsnet, PLAIN).network.window == 0
    assert build_labeller(upsnet, InferenceOptions(window=96)).network.window == 96


@pytest.mark.parametrize('kind', ['unified', 'heuristic'])
def test_true_boxes_are_not_left_out_for_their_scores(upsnet: TrainedNetwork, kind: str) -> None:
    labeller = build_labeller(upsnet, InferenceOptions(oracles=('boxes',), head=kind))
    assert labeller.head.parameters['score_threshold'] == 0.0


def test_true_classes_are_not_overruled_by_the_majority(upsnet: TrainedNetwork) -> None:
    oracles = ('boxes', 'classes')
    head = build_labeller(upsnet, InferenceOptions(oracles=oracles)).head
    assert head.parameters['instance_class'] == 'detection'
    asked = InferenceOptions(oracles=oracles, instance_class='majority')
    assert build_labeller(upsnet, asked).head.parameters['instance_class'] == 'majority'
