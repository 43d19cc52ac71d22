# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole shipped network through a real TensorRT parser and builder, without a plugin.

TensorRT-RTX reads ONNX with TensorRT's parser and builds without a GPU. In the native form every
operator is a standard one, so what passes here differs from an engine with our plugin in the
deformable convolutions (and RoIAlign) alone.
"""

from collections import Counter
from pathlib import Path

import onnx
import pytest
import tensorrt_rtx_bindings as trt

from training.engine.engine_compiler import CompileOptions, EngineBuildError, compile_graph
from training.engine.variant import EngineForm, build_variant

MODEL = Path(__file__).parents[2] / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'


@pytest.fixture(scope='module')
def model() -> onnx.ModelProto:
    return onnx.load(MODEL)


def compile_form(model: onnx.ModelProto, form: EngineForm) -> bytes:
    content = build_variant(model, form).SerializeToString()
    return compile_graph(
        trt, content, CompileOptions(form.precision), report=lambda *_: None
    ).engine


@pytest.mark.parametrize(
    'form',
    [
        EngineForm(precision='fp32', deform_conv='native'),
        EngineForm(precision='fp16', deform_conv='native'),
        EngineForm(precision='fp16', deform_conv='native', cameras=2),
    ],
    ids=str,
)
def test_the_whole_network_is_built(model: onnx.ModelProto, form: EngineForm) -> None:
    engine = compile_form(model, form)
    assert len(engine) > 10e6  # holds the weights


@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_the_parser_sees_types_and_shapes_of_the_model(
    model: onnx.ModelProto, precision: str
) -> None:
    """A strongly typed network is what the graph says; nothing is converted behind our backs."""
    form = EngineForm(precision=precision, deform_conv='native', cameras=2)
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    flag = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flag)
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse(build_variant(model, form).SerializeToString())
    assert parsed, [str(parser.get_error(index)) for index in range(parser.num_errors)]
    image = network.get_input(0)
    assert (image.name, tuple(image.shape)) == ('image', (2, 320, 640, 3))
    assert image.dtype == trt.DataType.UINT8
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    assert {out.name: (tuple(out.shape), out.dtype) for out in outputs} == {
        'semantic_logits': ((2, 19, 80, 160), trt.DataType.FLOAT),
        'boxes': ((2, 100, 4), trt.DataType.FLOAT),
        'scores': ((2, 100), trt.DataType.FLOAT),
        'classes': ((2, 100), trt.DataType.INT32),
        'mask_logits': ((2, 100, 28, 28), trt.DataType.FLOAT),
        'count': ((2,), trt.DataType.INT32),
    }
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    convolutions = Counter(
        str(layer.get_output(0).dtype)
        for layer in layers
        if layer.type == trt.LayerType.CONVOLUTION
    )
    expected = 'DataType.HALF' if precision == 'fp16' else 'DataType.FLOAT'
    # Those of the file, the 1x1 of each deformable one, and the mask head's again per camera.
    assert convolutions == {expected: 67 + 8 + 3}
    assert not [layer.name for layer in layers if layer.type == trt.LayerType.PLUGIN_V3]


def test_an_operator_that_a_parser_lacks_fails_with_its_own_words(
    model: onnx.ModelProto,
) -> None:
    form = EngineForm(precision='fp32', deform_conv='builtin')
    with pytest.raises(EngineBuildError, match='node_roi_align.*plugin'):
        compile_form(model, form)


@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_other_forms_have_no_other_operators(model: onnx.ModelProto, precision: str) -> None:
    """So what is proven here for the native form holds for an engine with our plugin."""
    native, plugin, builtin = (
        {
            node.op_type
            for node in build_variant(
                model, EngineForm(precision=precision, deform_conv=form)
            ).graph.node
        }
        for form in ('native', 'plugin', 'builtin')
    )
    assert plugin - native == {'DeformConv2d', 'RoiAlign'}
    assert builtin - native == {'DeformConv', 'RoiAlign'}
