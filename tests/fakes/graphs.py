# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small ONNX graphs for the tests of the engine's graph, and a way to run any graph."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
DEFORM_LISTS = ('kernel_shape', 'strides', 'pads', 'dilations')
DEFORM_PLUGIN = {'plugin_namespace': 'upsnet', 'plugin_version': '1', 'aot': 1}
KINDS = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.bool_): TensorProto.BOOL,
}


def make_graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, np.ndarray],
    outputs: dict[str, tuple[int, Sequence[int] | None]],
    constants: dict[str, np.ndarray] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model of some nodes.

    Args:
        nodes: In topological order.
        inputs: An example of each input.
        outputs: Type and shape of each output; None where the shape is not fixed.
        constants: Stored in the graph.
        functions: Local functions of the domain ``upsnet``.
    """
    graph = helper.make_graph(
        list(nodes),
        'test',
        [
            helper.make_tensor_value_info(name, KINDS[value.dtype], value.shape)
            for name, value in inputs.items()
        ],
        [helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid('', OPSET)]
    if any(node.domain == 'upsnet' for node in nodes):
        opsets.append(helper.make_opsetid('upsnet', 1))
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10)


def run_graph(
    model: onnx.ModelProto, *, optimise: bool = True, **inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """Outputs of a graph in ONNX Runtime on one thread.

    Args:
        model: The graph.
        optimise: False keeps every cast as it is written.
        inputs: Its inputs by name.
    """
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if optimise else levels.ORT_DISABLE_ALL
    )
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def deform_conv_graph(
    data: np.ndarray,
    weight: np.ndarray,
    offset: np.ndarray,
    bias: np.ndarray,
    attributes: dict[str, list[int]],
) -> onnx.ModelProto:
    """`upsnet::DeformConv2d` as the export writes it: a function over the standard operator."""
    names = ['x', 'weight', 'offset', 'bias']
    body = helper.make_node('DeformConv', names, ['y'], group=1, offset_group=1)
    for name in DEFORM_LISTS:
        body.attribute.append(
            onnx.AttributeProto(name=name, ref_attr_name=name, type=onnx.AttributeProto.INTS)
        )
    function = helper.make_function(
        'upsnet',
        'DeformConv2d',
        names,
        ['y'],
        [body],
        [helper.make_opsetid('', OPSET)],
        attributes=[*DEFORM_LISTS, *DEFORM_PLUGIN],
    )
    node = helper.make_node(
        'DeformConv2d', names, ['y'], 'own', domain='upsnet', **DEFORM_PLUGIN, **attributes
    )
    shape = [len(data), len(weight), *offset.shape[2:]]
    return make_graph(
        [node],
        {'x': data, 'offset': offset},
        {'y': (TensorProto.FLOAT, shape)},
        {'weight': weight, 'bias': bias},
        [function],
    )
