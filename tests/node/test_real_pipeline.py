# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node with the real pipeline and a tiny model: the same labels as without a node."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from tests.fakes.tiny_model import write_tiny_model
from tests.node.node_harness import image_message
from upsnet_ros.msg import PanopticInstanceArray
from upsnet_ros.node.messages import message_data
from upsnet_ros.pipeline import PanopticPipeline


@pytest.fixture
def model(tmp_path):
    return write_tiny_model(tmp_path)


def picture() -> np.ndarray:
    """Bands of the blue values that the model takes for class ids, not of its own size."""
    image = np.zeros((120, 170, 3), np.uint8)
    image[..., 0] = np.linspace(0, 10, 170).astype(np.uint8)
    return image


@pytest.mark.parametrize('compressed', [False, True])
def test_the_node_publishes_what_the_pipeline_answers(start_node, model, compressed) -> None:
    harness = start_node(loader=PanopticPipeline.load, model_path=str(model)).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    instances = harness.subscribe(PanopticInstanceArray, 'camera/panoptic/instances')
    message = image_message(picture())
    if compressed:
        data = message_data(cv2.imencode('.png', picture())[1])
        message = CompressedImage(header=message.header, format='png', data=data)
        harness.publisher(CompressedImage, 'camera/image_raw/compressed').publish(message)
    else:
        harness.publisher(Image, 'camera/image_raw').publish(message)
    received = labels.wait()[0]
    with PanopticPipeline.load(model) as pipeline:
        expected = pipeline.process(picture()).panoptic
    np.testing.assert_array_equal(
        np.frombuffer(received.data, '<u2').reshape(120, 170), expected.label_image
    )
    assert len(np.unique(expected.label_image)) > 2
    (instance_list,) = instances.wait()
    assert [i.label for i in instance_list.instances] == [i.label for i in expected.instances]
    assert instance_list.unknown_share == pytest.approx(expected.unknown_share)


def test_thresholds_reach_the_panoptic_head(start_node, model) -> None:
    harness = start_node(loader=PanopticPipeline.load, model_path=str(model)).activate()
    instances = harness.subscribe(PanopticInstanceArray, 'camera/panoptic/instances')
    raw = harness.publisher(Image, 'camera/image_raw')
    raw.publish(image_message(picture(), stamp=1))
    assert len(instances.wait(1)[0].instances) == 1  # its score is 0.9
    assert harness.set_parameters(score_threshold=0.95).successful
    raw.publish(image_message(picture(), stamp=2))
    assert instances.wait(2)[1].instances == []


@pytest.mark.parametrize('spoil', ['missing', 'altered', 'no manifest', 'bad manifest'])
def test_a_spoilt_model_fails_configure_with_its_reason(start_node, model, spoil, capfd) -> None:
    manifest = model.with_suffix('.json')
    if spoil == 'missing':
        model.unlink()
    elif spoil == 'altered':
        model.write_bytes(model.read_bytes() + b'x')
    elif spoil == 'no manifest':
        manifest.unlink()
    else:
        manifest.write_text('{}')
    harness = start_node(loader=PanopticPipeline.load, model_path=str(model))
    assert not harness.change_state('configure')
    assert harness.state() == 'unconfigured'
    errors = capfd.readouterr().err
    assert 'configure failed' in errors and 'model' in errors
    assert 'Traceback' not in errors
