# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one graph: each gets exactly the answer it would get alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.fakes.graphs import make_graph, run_graph
from training.engine.cameras import for_cameras
from training.engine.errors import GraphError
from training.synthetic.drive import visit_world
from upsnet_ros.core.geometry import InputGeometry, place_image

MODEL = Path(__file__).parents[2] / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'


@pytest.fixture(scope='module')
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


@pytest.fixture(scope='module')
def images() -> np.ndarray:
    """Two street scenes and a grey one, ``[3, 320, 640, 3]``."""
    frames = [frame.image for frame in visit_world(5, 'val', 1, size=(1024, 512), count=2)]
    frames.append(np.full((512, 1024, 3), 90, np.uint8))
    geometry = InputGeometry.fit(image_size=(512, 1024), input_size=(320, 640))
    return np.stack([place_image(frame, geometry) for frame in frames])


def test_each_camera_gets_its_own_answer(model: onnx.ModelProto, images: np.ndarray) -> None:
    batched = for_cameras(model, 3)
    onnx.checker.check_model(batched, full_check=True)
    together = run_graph(batched, image=images)
    counts = []
    for index, image in enumerate(images):
        alone = run_graph(model, image=image[None])
        assert alone.keys() == together.keys()
        for name, value in alone.items():
            np.testing.assert_array_equal(together[name][index : index + 1], value, name)
        counts.append(int(alone['count'][0]))
    assert counts[0] > 3 and len(set(counts)) > 1


def test_convolutions_run_once_for_all(model: onnx.ModelProto) -> None:
    before = Counter(node.op_type for node in model.graph.node)
    after = Counter(node.op_type for node in for_cameras(model, 4).graph.node)
    assert after['DeformConv2d'] == before['DeformConv2d']
    # Only the mask head's three convolutions are repeated: they work on regions, not on images.
    assert after['Conv'] == before['Conv'] + 3 * 3
    assert after['TopK'] == 4 * before['TopK']
    assert len(for_cameras(model, 4).SerializeToString()) < 1.2 * model.ByteSize()


def test_one_camera_is_the_model_itself(model: onnx.ModelProto) -> None:
    one = for_cameras(model, 1)
    assert [n.SerializeToString() for n in one.graph.node] == [
        n.SerializeToString() for n in model.graph.node
    ]


def test_a_graph_that_is_batched_already_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(GraphError, match=r'image: shape \(2, 320'):
        for_cameras(for_cameras(model, 2), 2)


X = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
MIXING = {
    'sum over images': helper.make_node('ReduceSum', ['x', 'zero'], ['y'], 'n', keepdims=1),
    'images last': helper.make_node('Transpose', ['x'], ['y'], 'n', perm=[1, 0, 2, 3]),
    'joined images': helper.make_node('Concat', ['x', 'x'], ['y'], 'n', axis=0),
    'images moved': helper.make_node('Unsqueeze', ['x', 'zero'], ['y'], 'n'),
    'images flattened': helper.make_node('Reshape', ['x', 'flat'], ['y'], 'n'),
    'images padded': helper.make_node('Pad', ['x', 'pads'], ['y'], 'n'),
    'matched by rank': helper.make_node('Add', ['x', 'vector'], ['y'], 'n'),
}


@pytest.mark.parametrize('node', MIXING.values(), ids=MIXING)
def test_operators_that_would_mix_images_are_repeated(node: onnx.NodeProto) -> None:
    constants = {
        'zero': np.array([0]),
        'flat': np.array([1, -1]),
        'pads': np.array([0, 0, 0, 0, 0, 1, 0, 0]),
        'vector': np.arange(4, dtype=np.float32),
    }
    # Twice the value and back, so that something with a batch axis comes before and after.
    nodes = [
        helper.make_node('Add', ['image', 'image'], ['x'], 'twice'),
        node,
        helper.make_node('Relu', ['y'], ['z'], 'last'),
        helper.make_node('Reshape', ['z', 'flat'], ['out'], 'row'),
    ]
    expected_size = {'joined images': 48, 'images padded': 36, 'sum over images': 24}
    size = expected_size.get(next(k for k, v in MIXING.items() if v is node), 24)
    model = make_graph(nodes, {'image': X}, {'out': (TensorProto.FLOAT, [1, size])}, constants)
    images = np.concatenate((X, -X + 5))
    together = run_graph(for_cameras(model, 2), image=images)['out']
    alone = [run_graph(model, image=image[None])['out'] for image in images]
    np.testing.assert_array_equal(together, np.concatenate(alone))
