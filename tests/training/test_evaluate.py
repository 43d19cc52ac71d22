# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluation command, and the function that training calls."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.small_networks import lively_model, make_mask_rcnn_recipe, make_pspnet_recipe
from tests.fakes.tiny_model import write_tiny_model
from training.build import build_model
from training.checkpoint import Checkpoint, save_checkpoint
from training.data.formats import open_data_set
from training.evaluate import main
from training.evaluation.model_evaluation import evaluate_model
from training.evaluation.totals import Evaluation
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.options import InferenceOptions
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe
from upsnet_ros.core.labels import class_image
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality


@pytest.fixture(scope='module')
def model(small_recipe: Recipe) -> UPSNet:
    return lively_model(small_recipe)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('checkpoints')


@pytest.fixture(scope='module')
def mask_rcnn(folder: Path) -> Path:
    return save_random(make_mask_rcnn_recipe(), folder / 'mask_rcnn.pt')


@pytest.fixture(scope='module')
def pspnet(folder: Path) -> Path:
    return save_random(make_pspnet_recipe(), folder / 'pspnet.pt')


def save_random(recipe: Recipe, path: Path) -> Path:
    torch.manual_seed(0)
    weights = build_model(recipe).state_dict()
    save_checkpoint(Checkpoint.from_weights(recipe, weights), path)
    return path


def evaluate(town: Path, output: Path, model: Path, *options: str) -> dict:
    arguments = ['--model', str(model), '--data', str(town), '--output', str(output)]
    assert main([*arguments, *options]) == 0
    return json.loads((output / 'metrics.json').read_text())


def literal_metrics(network: TrainedNetwork, town: Path, options: InferenceOptions) -> dict:
    """The figures, frame by frame, without the functions under test."""
    labels = network.recipe.data.label_set
    reader = open_data_set(town, 'cityscapes', labels)
    labeller = build_labeller(network, options)
    quality, semantics, unknown = PanopticQuality(labels), MeanIou(labels), []
    for frame in reader.frames('val'):
        truth = reader.read_label_image(frame)
        labelled = labeller.label(reader.read_image(frame), truth)
        quality.update(labelled.panoptic.label_image, truth)
        semantics.update(labelled.semantic, class_image(truth))
        unknown.append(labelled.panoptic.unknown_share)
    return {
        'pq': quality.summary().to_dict(),
        'miou': semantics.summary().to_dict(),
        'frames': len(unknown),
        'unknown_share': pytest.approx(np.mean(unknown)),
    }


def test_a_checkpoint_is_tested_as_its_recipe_says(
    checkpoint: Path, model: UPSNet, small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    metrics = evaluate(town, tmp_path / 'out', checkpoint)
    want = literal_metrics(TrainedNetwork(model, small_recipe), town, InferenceOptions())
    assert {key: metrics[key] for key in want} == want
    assert metrics['frames'] == 2 and metrics['seconds_per_frame'] > 0
    assert metrics['options']['head'] == 'PanopticHead'
    assert metrics['options']['parameters'] == small_recipe.panoptic_head.parameters()


@pytest.mark.parametrize(
    'arguments',
    [
        pytest.param(['--head', 'heuristic'], id='UPSNet-CP'),
        pytest.param(['--multi-scale', '--flip'], id='UPSNet-M'),
        pytest.param(['--instance-class', 'detection', '--no-unknown'], id='first row of table 6'),
        pytest.param(['--oracle', 'boxes'], id='true boxes'),
        pytest.param(['--oracle', 'boxes', '--oracle', 'classes'], id='true classes'),
        pytest.param(['--short-side', '64', '--max-long-side', '96'], id='another size'),
        pytest.param(['--fixed-input'], id="the exported network's size"),
    ],
)
def test_every_way_of_testing_runs_and_changes_the_answer(
    checkpoint: Path, town: Path, tmp_path: Path, arguments: list[str], base: dict
) -> None:
    metrics = evaluate(town, tmp_path / 'out', checkpoint, *arguments)
    assert 0 <= metrics['pq']['all']['pq'] <= 100
    assert metrics['frames'] == 2
    if arguments != ['--fixed-input']:  # the frames have the exported network's very size
        assert [metrics['pq'], metrics['miou']] != [base['pq'], base['miou']]
    if '--no-unknown' in arguments:  # nothing but small stuff is
        assert metrics['unknown_share'] < base['unknown_share']


@pytest.fixture(scope='module')
def base(checkpoint: Path, town: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return evaluate(town, tmp_path_factory.mktemp('base'), checkpoint)


def test_true_segmentation_makes_stuff_nearly_right(
    checkpoint: Path, town: Path, tmp_path: Path, base: dict
) -> None:
    metrics = evaluate(town, tmp_path / 'out', checkpoint, '--oracle', 'segmentation')
    assert metrics['miou']['miou'] > 90 > base['miou']['miou']
    assert metrics['pq']['stuff']['pq'] > 90 > base['pq']['stuff']['pq']


def test_true_boxes_and_classes_find_objects(
    checkpoint: Path, town: Path, tmp_path: Path, base: dict
) -> None:
    oracles = ['--oracle', 'boxes', '--oracle', 'classes', '--oracle', 'segmentation']
    metrics = evaluate(town, tmp_path / 'out', checkpoint, *oracles)
    assert metrics['pq']['things']['pq'] > base['pq']['things']['pq'] + 10


def test_a_pair_takes_its_halves_from_two_files(
    mask_rcnn: Path, pspnet: Path, town: Path, tmp_path: Path
) -> None:
    pair = evaluate(town, tmp_path / 'out', mask_rcnn, '--semantic-model', str(pspnet))
    alone = evaluate(town, tmp_path / 'alone', pspnet)
    assert pair['miou'] == alone['miou']
    assert pair['options']['head'] == 'MergeHeuristic'


def test_half_a_network_labels_its_half(
    mask_rcnn: Path, pspnet: Path, town: Path, tmp_path: Path
) -> None:
    things = evaluate(town, tmp_path / 'out', mask_rcnn)
    assert things['miou'] is None
    assert all(row['true_positives'] == 0 for row in things['pq']['per_class'][:11])
    stuff = evaluate(town, tmp_path / 'stuff', pspnet)
    assert all(row['false_positives'] == 0 for row in stuff['pq']['per_class'][11:])


def test_an_exported_model_is_tested_on_its_own_size(town: Path, tmp_path: Path) -> None:
    exported = write_tiny_model(tmp_path)
    metrics = evaluate(town, tmp_path / 'out', exported, '--instance-class', 'detection')
    assert metrics['frames'] == 2
    assert metrics['options']['parameters']['instance_class'] == 'detection'
    # Its answer is one car in every image, wherever the cars are.
    cars = metrics['pq']['per_class'][13]
    assert cars['true_positives'] + cars['false_positives'] == 2


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--multi-scale'], '--multi-scale with an input of one size'),
        (['--semantic-model', 'pspnet.pt'], '--semantic-model beside an exported model'),
        (['--limit', '0'], '--limit is 0'),
    ],
)
def test_what_an_exported_model_cannot_do_is_refused(
    arguments: list[str], message: str, town: Path, tmp_path: Path, caplog
) -> None:
    exported = write_tiny_model(tmp_path)
    command = ['--model', str(exported), '--data', str(town), '--output', str(tmp_path / 'out')]
    assert main([*command, *arguments]) == 1
    assert message in caplog.text
    assert not (tmp_path / 'out').exists()


def test_missing_files_are_named(town: Path, checkpoint: Path, tmp_path: Path, caplog) -> None:
    for model, data in ((tmp_path / 'none.pt', town), (checkpoint, tmp_path / 'nowhere')):
        assert main(['--model', str(model), '--data', str(data), '--output', str(tmp_path)]) == 1
    assert 'none.pt' in caplog.text and 'nowhere' in caplog.text


def test_an_output_that_is_no_folder_is_named(
    town: Path, checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    taken = tmp_path / 'taken'
    taken.touch()
    assert main(['--model', str(checkpoint), '--data', str(town), '--output', str(taken)]) == 1
    assert f"evaluation stopped: [Errno 20] Not a directory: '{taken}" in caplog.text


def test_shares_of_the_frames_add_up(model: UPSNet, small_recipe: Recipe, town: Path) -> None:
    labels = small_recipe.data.label_set
    reader = open_data_set(town, 'cityscapes', labels)
    frames = reader.frames('train')  # three
    whole = evaluate_model(model, small_recipe, frames, reader)
    shares = [
        evaluate_model(model, small_recipe, frames, reader, rank=rank, world=2).state()
        for rank in range(2)
    ]
    total = Evaluation.from_state(labels, shares[0] + shares[1])
    assert (whole.frames, total.frames) == (3, 3)
    assert total.figures() == pytest.approx(whole.figures())
    assert total.to_dict()['pq'] == whole.to_dict()['pq']
    assert total.to_dict()['miou'] == whole.to_dict()['miou']
    assert total.unknown == pytest.approx(whole.unknown)
    assert set(whole.figures()) == {'pq', 'pq_things', 'pq_stuff', 'sq', 'rq', 'miou'}


@pytest.mark.parametrize('mode', [True, False])
def test_every_layer_gets_its_mode_back(
    model: UPSNet, small_recipe: Recipe, town: Path, mode: bool
) -> None:
    reader = open_data_set(town, 'cityscapes', small_recipe.data.label_set)
    model.train(mode)
    frozen = model.backbone.stem
    frozen.eval()
    before = [module.training for module in model.modules()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        evaluate_model(model, small_recipe, reader.frames('val'), reader)
        assert [module.training for module in model.modules()] == before
        with pytest.raises(AttributeError):
            evaluate_model(model, small_recipe, [None], reader)
        assert [module.training for module in model.modules()] == before
        for name, value in model.state_dict().items():
            assert torch.equal(value, weights[name]), name
    finally:
        model.eval()
