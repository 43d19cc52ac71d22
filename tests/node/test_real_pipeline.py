# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node with the real pipeline and a tiny model; test_offline_labels compares the labels."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from tests.fakes.tiny_model import write_tiny_model
from tests.node.node_harness import image_message
from upsnet_ros.msg import PanopticInstanceArray
from upsnet_ros.pipeline import PanopticPipeline


@pytest.fixture
def model(tmp_path):
    return write_tiny_model(tmp_path)


def picture() -> np.ndarray:
    """Bands of the blue values that the model takes for class ids, not of its own size."""
    image = np.zeros((120, 170, 3), np.uint8)
    image[..., 0] = np.linspace(0, 10, 170).astype(np.uint8)
    return image


def test_thresholds_reach_the_panoptic_head(start_node, model) -> None:
    harness = start_node(loader=PanopticPipeline.load, model_path=str(model)).activate()
    instances = harness.subscribe(PanopticInstanceArray, 'camera/panoptic/instances')
    raw = harness.publisher(Image, 'camera/image_raw')
    raw.publish(image_message(picture(), stamp=1))
    assert len(instances.wait(1)[0].instances) == 1  # its score is 0.9
    assert harness.set_parameters(score_threshold=0.95).successful
    raw.publish(image_message(picture(), stamp=2))
    assert instances.wait(2)[1].instances == []


@pytest.mark.parametrize('spoil', ['missing', 'bad manifest'])
def test_a_spoilt_model_fails_configure_with_its_reason(start_node, model, spoil, capfd) -> None:
    if spoil == 'missing':
        model.unlink()
    else:
        model.with_suffix('.json').write_text('{}')
    harness = start_node(loader=PanopticPipeline.load, model_path=str(model))
    assert not harness.change_state('configure')
    assert harness.state() == 'unconfigured'
    errors = capfd.readouterr().err
    assert 'configure failed' in errors and 'model' in errors
    assert 'Traceback' not in errors
