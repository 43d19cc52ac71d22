# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph of an engine as a whole, from the shipped model."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.fakes.graphs import run_graph
from tests.python_process import run_python
from training.engine.errors import GraphError
from training.engine.tensors import data_dependent_shapes, infer_tensors
from training.engine.variant import EngineForm, build_variant
from upsnet_ros.core.errors import ParameterError

ROOT = Path(__file__).parents[2]
MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
ALL_FORMS = [
    EngineForm(precision=precision, deform_conv=form)
    for precision in ('fp16', 'fp32')
    for form in ('plugin', 'builtin', 'native')
]


@pytest.fixture(scope='module')
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


@pytest.fixture(scope='module')
def image() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (1, 320, 640, 3), dtype=np.uint8)


@pytest.mark.parametrize('form', ALL_FORMS, ids=str)
def test_every_form_is_sound_and_gives_nearly_the_same(
    model: onnx.ModelProto, image: np.ndarray, form: EngineForm
) -> None:
    graph = build_variant(model, form)
    assert data_dependent_shapes(graph) == []
    before, after = run_graph(model, image=image), run_graph(graph, image=image)
    assert {k: (v.shape, v.dtype) for k, v in before.items()} == {
        k: (v.shape, v.dtype) for k, v in after.items()
    }
    # ONNX Runtime is free to drop half precision's rounding on a CPU; see half_rounding.
    tolerance = 0.2 if form.precision == 'fp16' else 1e-3
    np.testing.assert_allclose(
        after['semantic_logits'], before['semantic_logits'], rtol=0, atol=tolerance
    )
    if form == EngineForm(precision='fp32', deform_conv='plugin'):  # changes nothing
        for name, value in before.items():
            np.testing.assert_array_equal(after[name], value, name)


def test_the_model_is_not_touched(model: onnx.ModelProto) -> None:
    before = model.SerializeToString(deterministic=True)
    build_variant(model, EngineForm(deform_conv='native', cameras=2))
    assert model.SerializeToString(deterministic=True) == before


def test_the_same_model_gives_the_same_file(model: onnx.ModelProto) -> None:
    form = EngineForm(deform_conv='plugin', cameras=2)
    first, second = (build_variant(model, form).SerializeToString() for _ in range(2))
    assert first == second


def test_everything_constant_is_computed_beforehand(model: onnx.ModelProto) -> None:
    graph = build_variant(model, EngineForm(precision='fp32', deform_conv='plugin')).graph
    constants = {tensor.name for tensor in graph.initializer}
    assert not [node.name for node in graph.node if set(node.input) <= constants]
    assert 'Trilu' not in {node.op_type for node in graph.node}


def test_the_plugin_gets_its_types(model: onnx.ModelProto) -> None:
    for precision, name in (('fp16', 'FLOAT16'), ('fp32', 'FLOAT')):
        graph = build_variant(model, EngineForm(precision=precision, deform_conv='plugin'))
        tensors = infer_tensors(graph)
        for node in graph.graph.node:
            if node.op_type == 'DeformConv2d':
                kinds = [tensors[i].type_name for i in [*node.input, *node.output]]
                assert kinds == [name, name, 'FLOAT', name, name]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'precision': 'int8'}, '--precision int8: expected one of fp16, fp32'),
        ({'deform_conv': 'own'}, '--deform-conv own: expected one of plugin, builtin, native'),
        ({'cameras': 0}, '--cameras 0: expected 1 to 16'),
    ],
)
def test_impossible_forms_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        EngineForm(**settings)


def test_a_graph_with_a_shape_that_depends_on_the_data_is_refused(
    model: onnx.ModelProto,
) -> None:
    bad = onnx.ModelProto()
    bad.CopyFrom(model)
    node = onnx.helper.make_node('NonZero', ['scores'], ['seen'], 'which')
    bad.graph.node.append(node)
    bad.graph.output.append(
        onnx.helper.make_tensor_value_info('seen', onnx.TensorProto.INT64, [1, 100])
    )
    with pytest.raises(GraphError, match='NonZero which'):
        build_variant(bad, EngineForm())


def test_it_needs_no_torch() -> None:
    """Engines are built on vehicles; this environment has no torch to import."""
    code = (
        'import sys, training.engine.variant\n'
        'print([name for name in ("torch", "triton", "onnxruntime") if name in sys.modules])'
    )
    answer = run_python(code)
    assert answer.stdout == '[]\n'
