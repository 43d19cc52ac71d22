# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model that newcomers see: its size, the figures it claims, and that it really sees."""

from pathlib import Path

import numpy as np
import pytest

from training.synthetic.drive import visit_world
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

MODELS = Path(__file__).parents[1] / 'config' / 'models'
MODEL = MODELS / 'upsnet_tiny_synthetic' / 'model.onnx'


def test_models_are_small() -> None:
    assert MODEL.stat().st_size <= 12e6
    assert sum(path.stat().st_size for path in MODELS.rglob('*') if path.is_file()) <= 25e6


def test_manifest_states_origin_and_quality() -> None:
    manifest = ModelManifest.load(MODEL)
    assert manifest.training['seed'] == manifest.recipe['optimisation']['seed']
    assert manifest.training['hours'] > 0
    assert manifest.metrics['frames'] >= 200
    quality = manifest.metrics['pq']
    assert quality['all']['pq'] >= 50
    assert quality['things']['pq'] >= 40
    assert quality['stuff']['pq'] >= 50
    streets = manifest.metrics['real_streets']
    assert streets['frames'] >= 300 and streets['miou'] >= 35
    assert min(streets['iou'].values()) > 0 and streets['unknown_percent'] <= 8


@pytest.fixture(scope='module')
def pipeline() -> PanopticPipeline:
    return PanopticPipeline.load(MODEL)


def test_it_labels_worlds_it_never_saw(pipeline: PanopticPipeline) -> None:
    quality = PanopticQuality(pipeline.label_set)
    unknown = []
    for index in range(4):
        for frame in visit_world(4711, 'val', index, size=(1024, 512), count=2):
            result = pipeline.process(frame.image).panoptic
            quality.update(result.label_image, frame.label)
            unknown.append(result.unknown_share)
    summary = quality.summary().to_dict()
    assert summary['all']['pq'] >= 40
    assert summary['things']['pq'] >= 30
    assert np.mean(unknown) < 0.05


def test_the_same_frame_gives_the_same_labels(pipeline: PanopticPipeline) -> None:
    image = np.random.default_rng(0).integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    first, second = (pipeline.process(image).panoptic.label_image for _ in range(2))
    np.testing.assert_array_equal(first, second)
