# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The three forms of deformable convolution give one answer: ONNX Runtime's own operator's."""

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.fakes.graphs import deform_conv_graph, run_graph
from training.engine.deform_conv_forms import FORMS, pack_weight, use_deform_conv_form
from training.engine.errors import GraphError


@dataclass(frozen=True)
class Case:
    batch: int = 1
    channels: int = 5
    outputs: int = 4
    size: tuple[int, int] = (9, 13)
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    spread: float = 2.0

    @property
    def out_size(self) -> tuple[int, int]:
        rows, columns = (
            (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for size, pad, dilation, kernel, stride in zip(
                self.size, self.pad, self.dilation, self.kernel, self.stride, strict=True
            )
        )
        return rows, columns


CASES = (
    Case(),
    Case(batch=3, channels=17, outputs=7),
    Case(stride=(2, 2)),
    Case(dilation=(2, 2), pad=(2, 2)),
    Case(size=(16, 7), stride=(2, 1), dilation=(1, 3), pad=(0, 3), kernel=(2, 3)),
    Case(size=(1, 1)),
    Case(kernel=(1, 1), pad=(0, 0)),
    Case(kernel=(5, 1), pad=(2, 0)),
    Case(spread=40.0),
    Case(spread=1e5),
    Case(spread=0.0),
    Case(size=(40, 320), spread=30.0),
)


def make_inputs(case: Case, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    taps = case.kernel[0] * case.kernel[1]
    offset = rng.normal(size=(case.batch, 2 * taps, *case.out_size)) * case.spread
    kinds = rng.integers(0, 3, offset.shape)
    offset = np.where(kinds == 0, np.round(offset), offset)  # on pixels
    offset = np.where(kinds == 1, np.round(offset) + 0.5, offset)  # midway
    return {
        'x': rng.normal(size=(case.batch, case.channels, *case.size)).astype(np.float32),
        'offset': offset.astype(np.float32),
    }


def exported(case: Case, inputs: dict[str, np.ndarray]) -> onnx.ModelProto:
    """A graph with our operator as the export writes it, and as the function it stands for."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(case.outputs, case.channels, *case.kernel)) / case.channels
    lists = {
        'kernel_shape': list(case.kernel),
        'strides': list(case.stride),
        'pads': [*case.pad, *case.pad],
        'dilations': list(case.dilation),
    }
    bias = rng.normal(size=case.outputs).astype(np.float32)
    return deform_conv_graph(inputs['x'], weight.astype(np.float32), inputs['offset'], bias, lists)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_every_form_gives_the_same_answer(case: Case, form: str) -> None:
    inputs = make_inputs(case)
    model = exported(case, inputs)
    changed = use_deform_conv_form(model, form)
    onnx.checker.check_model(changed, full_check=True)
    expected = run_graph(model, **inputs)['y']
    answer = run_graph(changed, **inputs)['y']
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)
    assert case.spread > 100 or np.abs(expected).max() > 0.1


def test_borders_fade_to_zero_within_one_pixel() -> None:
    """One pixel of value 1, one tap, moved in steps: what is left of it is linear."""
    case = Case(channels=1, outputs=1, size=(1, 1), kernel=(1, 1), pad=(0, 0))
    for move, left in ((0, 1), (-0.25, 0.75), (0.5, 0.5), (-1, 0), (1, 0), (-7, 0)):
        offset = np.full((1, 2, 1, 1), 0, np.float32)
        offset[0, 1] = move  # along x
        inputs = {'x': np.ones((1, 1, 1, 1), np.float32), 'offset': offset}
        model = exported(case, inputs)
        weight = onnx.numpy_helper.to_array(model.graph.initializer[0]).item()
        bias = onnx.numpy_helper.to_array(model.graph.initializer[1]).item()
        for form in FORMS:
            answer = run_graph(use_deform_conv_form(model, form), **inputs)['y'].item()
            assert answer == pytest.approx(weight * left + bias, abs=1e-6)


def test_the_native_form_needs_no_plugin_and_no_function() -> None:
    inputs = make_inputs(CASES[0])
    changed = use_deform_conv_form(exported(CASES[0], inputs), 'native')
    assert {node.domain for node in changed.graph.node} == {''}
    assert 'DeformConv' not in {node.op_type for node in changed.graph.node}
    assert not changed.functions
    assert [entry.domain for entry in changed.opset_import] == ['']


def test_the_plugin_keeps_its_namespace_and_reads_a_packed_weight() -> None:
    inputs = make_inputs(CASES[1])
    changed = use_deform_conv_form(exported(CASES[1], inputs), 'plugin')
    (node,) = changed.graph.node
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert values['plugin_namespace'] == b'upsnet' and values['aot'] == 1
    shapes = {tensor.name: list(tensor.dims) for tensor in changed.graph.initializer}
    assert shapes[node.input[1]] == [3, 3, 7, 32]  # 17 channels, filled up


def test_a_packed_weight_is_the_same_numbers_in_another_order() -> None:
    weight = np.arange(2 * 3 * 1 * 2, dtype=np.float16).reshape(2, 3, 1, 2)
    packed = pack_weight(weight)
    assert packed.shape == (1, 2, 2, 16) and packed.dtype == np.float16
    assert packed[0, 1, 1, 2] == weight[1, 2, 0, 1]
    assert not packed[..., 3:].any()


def test_the_builtin_form_connects_bias_and_a_mask_of_ones() -> None:
    inputs = make_inputs(CASES[1])
    (node,) = use_deform_conv_form(exported(CASES[1], inputs), 'builtin').graph.node
    assert (node.op_type, node.domain, len(node.input)) == ('DeformConv', '', 5)
    assert not {a.name for a in node.attribute} & {'plugin_namespace', 'aot'}


@pytest.mark.parametrize('form', FORMS)
def test_a_node_that_is_not_as_exported_is_named(form: str) -> None:
    model = exported(CASES[0], make_inputs(CASES[0]))
    without = onnx.ModelProto()
    without.CopyFrom(model)
    del without.graph.node[0].input[3]
    with pytest.raises(GraphError, match='DeformConv2d own: inputs .*expected x, a constant'):
        use_deform_conv_form(without, form)
    without.CopyFrom(model)
    kept = [a for a in model.graph.node[0].attribute if a.name != 'strides']
    del without.graph.node[0].attribute[:]
    without.graph.node[0].attribute.extend(kept)
    with pytest.raises(GraphError, match='DeformConv2d own: no attribute strides'):
        use_deform_conv_form(without, form)
