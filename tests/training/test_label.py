# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of own pictures by a checkpoint, with the writer of the runtime's command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.build import load_trained_model
from training.checkpoint import load_checkpoint
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.options import InferenceOptions
from training.label import main


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


def test_an_exported_model_is_told_where_it_belongs(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(street), '--model', 'model.onnx', '--output', str(tmp_path / 'out')]
    assert main(words) == 1
    assert 'use python -m upsnet_ros.label' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
