# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoIAlign from standard operators beside ONNX Runtime's own."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.fakes.graphs import make_graph, run_graph
from training.engine.errors import GraphError
from training.engine.roi_align import use_native_roi_align

SIZE = (30, 44)


def make_inputs(boxes: np.ndarray, *, images: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        'map': rng.normal(size=(images, 6, *SIZE)).astype(np.float32),
        'boxes': np.asarray(boxes, np.float32),
    }


def exported(
    inputs: dict[str, np.ndarray], *, bins: int = 7, **changed: object
) -> onnx.ModelProto:
    settings = {
        'coordinate_transformation_mode': 'output_half_pixel',
        'mode': 'avg',
        'output_height': bins,
        'output_width': bins,
        'sampling_ratio': 2,
        'spatial_scale': 1.0,
    }
    regions = len(inputs['boxes'])
    node = helper.make_node(
        'RoiAlign', ['map', 'boxes', 'images'], ['y'], 'align', **settings | changed
    )
    height = (settings | changed)['output_height']
    return make_graph(
        [node],
        inputs,
        {'y': (TensorProto.FLOAT, [regions, 6, height, bins])},
        {'images': np.zeros(regions, np.int64)},
    )


def random_boxes(count: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    limit = np.array([SIZE[1] - 1, SIZE[0] - 1])
    corner = rng.random((count, 2)) * limit
    side = rng.random((count, 2)) ** 3 * limit
    return np.hstack((corner, np.minimum(corner + side, limit)))


BOXES = {
    'random': random_boxes(150),
    'one': np.array([[3.25, 4.5, 20, 11]]),
    'whole map': np.array([[0, 0, SIZE[1] - 1, SIZE[0] - 1]]),
    'smaller than a cell': np.array([[5.5, 6.5, 5.6, 6.6], [0, 0, 0, 0]]),
    'at the far border': np.array([[SIZE[1] - 1.5, SIZE[0] - 1.5, SIZE[1] - 1, SIZE[0] - 1]]),
}


@pytest.mark.parametrize('bins', [1, 7, 14])
@pytest.mark.parametrize('boxes', BOXES.values(), ids=BOXES)
def test_the_native_form_gives_the_same_answer(boxes: np.ndarray, bins: int) -> None:
    inputs = make_inputs(boxes)
    model = exported(inputs, bins=bins)
    changed = use_native_roi_align(model)
    onnx.checker.check_model(changed, full_check=True)
    assert 'RoiAlign' not in {node.op_type for node in changed.graph.node}
    expected, answer = run_graph(model, **inputs)['y'], run_graph(changed, **inputs)['y']
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)


def test_scale_and_unequal_sides_and_more_samples_are_kept() -> None:
    inputs = make_inputs(BOXES['random'] * 4)
    model = exported(inputs, bins=5, output_height=3, spatial_scale=0.25, sampling_ratio=3)
    expected = run_graph(model, **inputs)['y']
    answer = run_graph(use_native_roi_align(model), **inputs)['y']
    assert answer.shape == (150, 6, 3, 5)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'sampling_ratio': 0}, 'sampling_ratio is 0'),
        ({'mode': 'max'}, 'mode is max, expected avg'),
        ({'coordinate_transformation_mode': 'half_pixel'}, 'is half_pixel, expected output_half'),
    ],
)
def test_settings_that_mean_something_else_are_refused(
    changed: dict[str, object], message: str
) -> None:
    inputs = make_inputs(BOXES['one'])
    with pytest.raises(GraphError, match=f'RoiAlign align: .*{message}'):
        use_native_roi_align(exported(inputs, **changed))


def test_maps_of_several_images_are_refused() -> None:
    inputs = make_inputs(BOXES['one'], images=2)
    with pytest.raises(GraphError, match='images is 2, expected 1'):
        use_native_roi_align(exported(inputs))
