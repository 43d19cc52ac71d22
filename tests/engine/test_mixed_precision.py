# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The half-precision graph: what is half, what stays single, and what it does to the answers."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.fakes.graphs import make_graph, run_graph
from training.engine.editable_graph import HALF, SINGLE
from training.engine.errors import GraphError
from training.engine.half_rounding import round_as_half
from training.engine.mixed_precision import mix_precision
from training.engine.tensors import TensorInfo, infer_tensors
from training.engine.variant import EngineForm, build_variant
from training.synthetic.drive import visit_world
from upsnet_ros.backends.graph_interface import to_network_output
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.manifest import ModelManifest

MODEL = Path(__file__).parents[2] / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
PRODUCTS = {'Conv', 'ConvTranspose', 'Gemm', 'MatMul'}
COORDINATES = {'Softmax', 'TopK', 'Exp', 'Log', 'Div', 'Sqrt', 'Greater', 'Max', 'Min', 'RoiAlign'}
FEW = 3


@pytest.fixture(scope='module')
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


@pytest.fixture(scope='module')
def mixed(model: onnx.ModelProto) -> onnx.ModelProto:
    return build_variant(model, EngineForm(precision='fp16', deform_conv='builtin'))


@pytest.fixture(scope='module')
def tensors(mixed: onnx.ModelProto) -> dict[str, TensorInfo]:
    return infer_tensors(mixed)


def test_products_are_half_throughout(
    mixed: onnx.ModelProto, tensors: dict[str, TensorInfo]
) -> None:
    nodes = [node for node in mixed.graph.node if node.op_type in {*PRODUCTS, 'DeformConv'}]
    assert Counter(node.op_type for node in nodes) == {
        'Conv': 67,
        'DeformConv': 8,
        'Gemm': 5,
        'ConvTranspose': 1,
        'MatMul': 2 * 24,  # rounds of suppression
    }
    for node in nodes:
        assert {tensors[name].dtype for name in [*node.input, *node.output]} == {HALF}, node.name


def test_coordinates_overlaps_and_scores_stay_single(
    mixed: onnx.ModelProto, tensors: dict[str, TensorInfo]
) -> None:
    for node in mixed.graph.node:
        if node.op_type in COORDINATES:
            kinds = {tensors[name].dtype for name in [*node.input, *node.output] if name}
            assert HALF not in kinds, node.name
    assert Counter(node.op_type for node in mixed.graph.node)['RoiAlign'] == 2


def test_every_operator_has_one_precision(
    mixed: onnx.ModelProto, tensors: dict[str, TensorInfo]
) -> None:
    """As a strongly typed network demands it; the scales of Resize are no data."""
    for node in mixed.graph.node:
        data = node.input[:1] if node.op_type == 'Resize' else node.input
        kinds = {tensors[name].dtype for name in [*data, *node.output] if name}
        assert node.op_type == 'Cast' or not {HALF, SINGLE} <= kinds, node.name


def test_inputs_and_outputs_are_those_of_the_model(
    model: onnx.ModelProto, mixed: onnx.ModelProto
) -> None:
    for field in ('input', 'output'):
        before, after = getattr(model.graph, field), getattr(mixed.graph, field)
        assert [value.SerializeToString() for value in before] == [
            value.SerializeToString() for value in after
        ]


def test_nothing_is_cast_to_single_and_back(mixed: onnx.ModelProto) -> None:
    made_by = {name: node for node in mixed.graph.node for name in node.output}
    casts = [
        node
        for node in mixed.graph.node
        if node.op_type == 'Cast' and node.attribute[0].i in (HALF, SINGLE)
    ]
    for node in casts:
        source = made_by.get(node.input[0])
        assert source is None or source.op_type != 'Cast', node.name
    assert len({(node.input[0], node.attribute[0].i) for node in casts}) == len(casts)


def test_stored_weights_are_used_as_they_are(
    model: onnx.ModelProto, mixed: onnx.ModelProto
) -> None:
    stored = {
        tensor.name: tensor.raw_data
        for tensor in model.graph.initializer
        if tensor.name.endswith('weight_half')
    }
    used = {tensor.name: tensor.raw_data for tensor in mixed.graph.initializer}
    assert stored and all(used[name] == content for name, content in stored.items())
    constants = set(used)
    assert not [node for node in mixed.graph.node if set(node.input) <= constants and node.input]


def test_labels_hardly_change(model: onnx.ModelProto, mixed: onnx.ModelProto) -> None:
    manifest = ModelManifest.load(MODEL)
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    qualities = [PanopticQuality(manifest.label_set) for _ in range(2)]
    equal = []
    for frame in visit_world(99, 'val', 0, size=(1024, 512), count=FEW):
        geometry = InputGeometry.fit(
            image_size=frame.image.shape[:2], input_size=manifest.input_size
        )
        placed = place_image(frame.image, geometry)[None]
        labels = []
        for graph, quality in zip((model, round_as_half(mixed)), qualities, strict=True):
            output = to_network_output(run_graph(graph, optimise=False, image=placed))
            labels.append(head(output, geometry).label_image)
            quality.update(labels[-1], frame.label)
        equal.append((labels[0] == labels[1]).mean())
    assert np.mean(equal) >= 0.995
    single, half = (quality.summary().all.pq for quality in qualities)
    assert single > 30
    assert abs(single - half) < 0.2 * 200 / FEW  # points; 0.2 holds over hundreds of frames


def test_the_comparison_really_rounds(model: onnx.ModelProto, mixed: onnx.ModelProto) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 320, 640, 3), dtype=np.uint8)
    exact = run_graph(model, image=image)['semantic_logits']
    rounded = run_graph(round_as_half(mixed), optimise=False, image=image)['semantic_logits']
    np.testing.assert_array_equal(rounded, rounded.astype(np.float16))
    assert 1e-4 < np.abs(exact - rounded).max() < 1


def make_model(weight: np.ndarray) -> onnx.ModelProto:
    node = helper.make_node('Conv', ['x', 'w'], ['y'], 'first')
    x = np.zeros((1, 1, 4, 4), np.float32)
    return make_graph([node], {'x': x}, {'y': (TensorProto.FLOAT, [1, 1, 4, 4])}, {'w': weight})


@pytest.mark.parametrize('value', [7e4, np.inf, np.nan])
def test_a_weight_that_half_cannot_hold_is_named(value: float) -> None:
    with pytest.raises(GraphError, match='Conv first: w holds .*use --precision fp32'):
        mix_precision(make_model(np.full((1, 1, 1, 1), value, np.float32)))


def test_normalisation_becomes_a_factor_and_a_summand() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 5, 6)).astype(np.float32)
    constants = {
        'w': rng.normal(size=(4, 3, 1, 1)).astype(np.float32),
        'scale': rng.normal(size=4).astype(np.float32),
        'shift': rng.normal(size=4).astype(np.float32),
        'mean': rng.normal(size=4).astype(np.float32),
        'variance': np.array([1e-7, 1, 10, 3e5], np.float32),  # neither end is a half
    }
    nodes = [
        helper.make_node('Conv', ['x', 'w'], ['a'], 'first'),
        helper.make_node(
            'BatchNormalization', ['a', 'scale', 'shift', 'mean', 'variance'], ['y'], 'norm'
        ),
    ]
    before = make_graph(nodes, {'x': x}, {'y': (TensorProto.FLOAT, [2, 4, 5, 6])}, constants)
    after = mix_precision(before)
    assert [node.op_type for node in after.graph.node] == ['Cast', 'Conv', 'Mul', 'Add', 'Cast']
    expected = run_graph(before, x=x)['y']
    answer = run_graph(round_as_half(after), optimise=False, x=x)['y']
    scale = np.abs(expected).max(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(answer / scale, expected / scale, rtol=0, atol=5e-3)


@pytest.mark.parametrize('count', [1, 40, 2500])
def test_suppression_is_exact_in_half_precision(count: int) -> None:
    """2500 boxes of which all but one vanish: more than half precision can count."""
    rng = np.random.default_rng(count)
    dense = np.triu(np.ones((count, count), bool), 1)
    sparse = np.triu(rng.random((count, count)) < 3 / count, 1)
    nodes, kept = [], 'alive'
    for index in range(16):
        nodes += [
            helper.make_node('MatMul', [kept, 'overlaps'], [f'm{index}'], f'product{index}'),
            helper.make_node('Sub', ['alive', f'm{index}'], [f's{index}'], f'rest{index}'),
            helper.make_node('Relu', [f's{index}'], [f'k{index}'], f'kept{index}'),
        ]
        kept = f'k{index}'
    nodes.append(helper.make_node('Squeeze', [kept], ['kept'], 'last'))
    for overlaps in (dense, sparse):
        inputs = {
            'alive': np.ones((1, count), np.float32),
            'overlaps': overlaps.astype(np.float32),
        }
        inputs['alive'][0, count // 2] = 0
        outputs = {'kept': (TensorProto.FLOAT, None)}
        before = make_graph(nodes, inputs, outputs)
        after = round_as_half(mix_precision(before))
        assert sum(node.op_type == 'Cast' for node in after.graph.node) > 16
        expected = run_graph(before, **inputs)['kept']
        answer = run_graph(after, optimise=False, **inputs)['kept']
        np.testing.assert_array_equal(answer, expected)
        assert set(np.unique(expected)) <= {0.0, 1.0}
