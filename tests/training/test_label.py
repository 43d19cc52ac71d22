# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of own pictures by a checkpoint, with the writer of the runtime's command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.build import load_trained_model
from training.checkpoint import load_checkpoint
from training.evaluate import main as evaluate
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.options import InferenceOptions
from training.label import main
from training.models.resnet import ResNet


@pytest.fixture
def street(tmp_path: Path) -> Path:
    path = tmp_path / 'street.png'
    image = np.random.default_rng(3).integers(0, 255, (48, 80, 3), np.uint8)
    cv2.imwrite(str(path), image)
    return path


def test_a_checkpoint_labels_as_it_is_evaluated(
    checkpoint: Path, street: Path, tmp_path: Path
) -> None:
    output = tmp_path / 'out'
    words = [str(street), '--model', str(checkpoint), '--output', str(output), '--device', 'cpu']
    assert main(words) == 0
    loaded = load_checkpoint(checkpoint)
    network = TrainedNetwork(load_trained_model(loaded), loaded.recipe)
    expected = build_labeller(network, InferenceOptions()).label(cv2.imread(str(street))).panoptic
    written = cv2.imread(str(output / 'labels' / 'street.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(written, expected.label_image)
    header, entry = map(json.loads, (output / 'pictures.jsonl').read_text().splitlines())
    assert header['identity']['model']['head'] == 'PanopticHead'
    assert len(entry['instances']) == len(expected.instances)
    # Another way of testing gives other labels, which do not belong beside these.
    assert main([*words, '--flip']) == 1


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device on which features of images wider than 300 pixels do not fit."""
    forward = ResNet.forward

    def run(backbone: ResNet, images: torch.Tensor) -> list[torch.Tensor]:
        if images.shape[3] > 300:
            raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')
        return forward(backbone, images)

    monkeypatch.setattr(ResNet, 'forward', run)


@pytest.mark.usefixtures('little_memory')
def test_a_picture_for_which_memory_is_too_small_costs_no_other(
    checkpoint: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = np.zeros((48, 400, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'first.png'), wide)
    output = tmp_path / 'out'
    words = [str(tmp_path / 'first.png'), str(street), '--model', str(checkpoint)]
    words += ['--output', str(output), '--device', 'cpu', '--max-long-side', '800']
    assert main(words) == 3  # some pictures could not be labelled
    error = capsys.readouterr().err
    assert (
        'first.png' in error and 'an image of 400x48 pixels does not fit into the memory' in error
    )
    assert '--short-side' in error and 'Traceback' not in error
    assert [path.name for path in (output / 'labels').iterdir()] == ['street.png']


@pytest.mark.usefixtures('little_memory')
def test_an_evaluation_for_which_memory_is_too_small_says_what_to_lower(
    checkpoint: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ['--model', str(checkpoint), '--data', str(data), '--output', str(tmp_path / 'out')]
    words += ['--device', 'cpu', '--short-side', '320', '--max-long-side', '640']
    assert evaluate(words) == 1
    assert 'does not fit into the memory of cpu; give a smaller --short-side' in caplog.text


def test_an_exported_model_is_told_where_it_belongs(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(street), '--model', 'model.onnx', '--output', str(tmp_path / 'out')]
    assert main(words) == 1
    assert 'use python -m upsnet_ros.label' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
