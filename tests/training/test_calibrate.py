# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The temperature of scores: found again where it is known, carried into graph and manifest."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.small_networks import make_pspnet_recipe
from training.build import build_model, load_trained_model
from training.calibrate import Candidates, fit_temperature, main, true_classes, with_temperature
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.export import export
from training.models.detections import predict
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.manifest import ModelManifest


def drawn(temperature: float, *, count: int = 20_000) -> Candidates:
    """Classes drawn with just the probabilities that some logits have at a temperature."""
    torch.manual_seed(3)
    logits = 4.0 * torch.randn(count, 9)
    return Candidates(logits, torch.multinomial((logits / temperature).softmax(1), 1)[:, 0])


@pytest.mark.parametrize('temperature', [0.4, 1.0, 2.5, 6.0])
def test_the_temperature_that_made_the_classes_is_found(temperature: float) -> None:
    candidates = drawn(temperature)
    assert fit_temperature(candidates) == pytest.approx(temperature, rel=0.03)
    assert candidates.calibration_error(temperature) < 0.02
    if temperature > 1.0:
        assert candidates.calibration_error(1.0) > 0.05
        assert candidates.above(0.6, temperature)[1] > candidates.above(0.6, 1.0)[1]


def test_scores_that_say_how_often_they_are_right_have_no_error() -> None:
    # 0.75 said four times, right three times; nothing else.
    logits = torch.tensor([0.25, 0.75]).log().repeat(4, 1)
    assert Candidates(logits, torch.tensor([1, 1, 1, 0])).calibration_error(1.0) < 1e-6
    error = Candidates(logits, torch.tensor([0, 0, 0, 0])).calibration_error(1.0)
    assert error == pytest.approx(0.75)
    assert Candidates(logits, torch.tensor([1, 1, 1, 0])).above(0.9, 1.0) == (0, 0.0)


def test_a_box_is_what_it_covers() -> None:
    truth = np.zeros((40, 80), dtype=np.uint16)
    truth[10:20, 10:20] = 12 << 8 | 1
    truth[:, 60:70] = UNKNOWN_LABEL
    truth[:, 70:] = 13 << 8  # a crowd
    boxes = np.array(
        [
            [10, 10, 19, 19],  # the object
            [10, 10, 19, 25],  # most of it
            [10, 10, 19, 39],  # too little of it
            [30, 10, 39, 19],  # road
            [62, 0, 79, 39],  # void and crowd
            [55, 0, 61, 39],  # more road than void
            [-9, -9, 200, 200],  # beyond the image
            [79.9, 39.9, 79.95, 39.95],
        ]
    )
    classes, known = true_classes(boxes, truth, num_stuff=11)
    assert classes.tolist() == [2, 2, 0, 0, 0, 0, 0, 0]
    assert known.tolist() == [True, True, True, True, False, True, True, False]
    none = true_classes(np.zeros((0, 4)), truth, num_stuff=11)
    assert [len(part) for part in none] == [0, 0]


def test_a_temperature_changes_scores_and_no_class(checkpoint: Path) -> None:
    trained = load_checkpoint(checkpoint)
    images = [torch.randint(0, 256, (3, 96, 160)).float() - 110 for _ in range(2)]
    plain = load_trained_model(trained)
    warm = load_trained_model(with_temperature(trained, 3.0))
    for image in images:
        before, after = (predict(model, image, image_size=(96, 160)) for model in (plain, warm))
        assert after.scores.max() < before.scores.max()
    features = torch.randn(5, 16, 7, 7)
    expected = plain.box_head(features)[0] / 3.0
    assert torch.allclose(warm.box_head(features)[0], expected)
    # A loss that knew of it would undo it.
    assert torch.allclose(warm.train().box_head(features)[0], plain.box_head(features)[0])


def test_the_command_writes_a_checkpoint(
    checkpoint: Path, town: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    output = tmp_path / 'calibrated.pt'
    command = ['--checkpoint', str(checkpoint), '--data', str(town), '--output', str(output)]
    assert main([*command, '--split', 'train']) == 0
    assert 'candidates in 3 images' in caplog.text
    calibrated = load_checkpoint(output)
    temperature = calibrated.recipe.model.class_temperature
    assert temperature != 1.0
    before = load_checkpoint(checkpoint)
    assert all(torch.equal(calibrated.model[name], value) for name, value in before.model.items())
    # Again from the calibrated one: the same number, not its square.
    again = tmp_path / 'again.pt'
    command[1], command[-1] = str(output), str(again)
    assert main([*command, '--split', 'train']) == 0
    assert load_checkpoint(again).recipe.model.class_temperature == temperature


def test_graph_and_manifest_have_the_temperature(
    checkpoint: Path, town: Path, tmp_path: Path
) -> None:
    images = sorted((town / 'leftImg8bit' / 'val').glob('*/*.png'))
    warm = with_temperature(load_checkpoint(checkpoint), 1.25)
    # It compares graph and network, scores too.
    assert export(warm, images, tmp_path).score_difference < 1e-4
    manifest = ModelManifest.load(tmp_path / 'model.onnx')
    assert manifest.recipe['model']['class_temperature'] == 1.25


def test_what_cannot_be_calibrated_is_named(
    checkpoint: Path, town: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = ['--output', str(tmp_path / 'out.pt')]
    data = ['--data', str(town)]
    recipe = make_pspnet_recipe()
    pspnet = tmp_path / 'pspnet.pt'
    save_checkpoint(Checkpoint.from_weights(recipe, build_model(recipe).state_dict()), pspnet)
    assert main(['--checkpoint', str(pspnet), *data, *output]) == 1
    assert 'is a PSPNet, which finds no instances' in caplog.text
    blind = load_checkpoint(checkpoint)
    blind.model['box_head.class_logits.bias'][0] = 1000.0
    save_checkpoint(blind, tmp_path / 'blind.pt')
    assert main(['--checkpoint', str(tmp_path / 'blind.pt'), *data, *output]) == 1
    assert 'finds 0 candidates in these images, expected at least 50' in caplog.text
    assert main(['--checkpoint', str(checkpoint), *data, *output, '--split', 'none']) == 1
    assert not (tmp_path / 'out.pt').exists()
