# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What TensorRT cannot take, found before its parser is asked.

The parser stops at the first node it does not know and the builder names no node at all for some
limits; this names every one.
"""

from collections.abc import Callable

import onnx
from onnx import TensorProto

from training.engine.deform_conv_forms import DOMAIN, OPERATOR
from training.engine.editable_graph import EditableGraph, attributes
from training.engine.errors import GraphError
from training.engine.tensors import data_dependent_shapes

LARGEST_K = 3840  # of TopK
OPERATORS = frozenset(
    """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Clip Concat
    Constant ConstantOfShape Conv ConvTranspose CumSum DeformConv Div Equal Erf Exp Expand Flatten
    Floor Gather GatherElements GatherND Gemm GlobalAveragePool Greater GreaterOrEqual GridSample
    Identity InstanceNormalization LeakyRelu Less LessOrEqual Log MatMul Max MaxPool Min Mod Mul
    Neg Not OneHot Or Pad Pow Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape
    Resize RoiAlign Round ScatterElements ScatterND Shape Sigmoid Sign Slice Softmax Split Sqrt
    Squeeze Sub Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor
    """.split()
)
OWN_OPERATORS = {(DOMAIN, OPERATOR)}
TYPES = {
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.BOOL,
}
BORDER_TYPES = {TensorProto.FLOAT, TensorProto.INT32, TensorProto.FLOAT16}


def check_graph(model: onnx.ModelProto, *, without: tuple[str, ...] = ()) -> None:
    """Refuse a graph that TensorRT would refuse, or that would be slow or uncapturable in it.

    Args:
        model: The graph as the parser will get it.
        without: Operators that the parser at hand lacks.

    Raises:
        GraphError: With every problem, each with its node.
    """
    problems = find_problems(model, without=without)
    if problems:
        raise GraphError(*problems)


def find_problems(model: onnx.ModelProto, *, without: tuple[str, ...] = ()) -> list[str]:
    """All problems of :func:`check_graph`, as texts that name their nodes."""
    graph = EditableGraph(model)
    loose = set(data_dependent_shapes(model))
    problems = [problem for value in graph.inputs for problem in _input_problems(graph, value)]
    for node in graph.nodes:
        place = f'{node.op_type} {node.name or node.output[0]}'
        problems += [f'{place}: {problem}' for problem in _node_problems(graph, node, without)]
        problems += [
            f'{place}: the shape of {name} depends on the data'
            for name in node.output
            if name in loose
        ]
    for value in graph.outputs:
        dtype = graph.tensors[value.name].dtype
        if dtype not in BORDER_TYPES:
            problems.append(
                f'output {value.name}: type {TensorProto.DataType.Name(dtype)}, expected FLOAT, '
                'FLOAT16 or INT32'
            )
    return problems


def _input_problems(graph: EditableGraph, value: onnx.ValueInfoProto) -> list[str]:
    dtype = value.type.tensor_type.elem_type
    if dtype != TensorProto.UINT8:
        allowed = dtype in BORDER_TYPES
        name = TensorProto.DataType.Name(dtype)
        return [] if allowed else [f'input {value.name}: type {name}, expected UINT8 or FLOAT']
    return [
        f'{node.op_type} {node.name}: reads the uint8 input {value.name}; only a Cast may'
        for node in graph.nodes
        if value.name in node.input and node.op_type != 'Cast'
    ]


def _node_problems(
    graph: EditableGraph, node: onnx.NodeProto, without: tuple[str, ...]
) -> list[str]:
    if node.domain not in ('', 'ai.onnx'):
        known = (node.domain, node.op_type) in OWN_OPERATORS
        return [] if known else [f'operator of the unknown domain {node.domain}']
    if node.op_type not in OPERATORS or node.op_type in without:
        return ['TensorRT has no such operator, or one whose result has no fixed size']
    rule = RULES.get(node.op_type)
    problems = rule(graph, node) if rule else []
    for name in node.output:
        dtype = graph.tensors[name].dtype if name in graph.tensors else 0
        if dtype not in TYPES and dtype:
            problems.append(f'{name} has type {TensorProto.DataType.Name(dtype)}')
    return problems


def _top_k(graph: EditableGraph, node: onnx.NodeProto) -> list[str]:
    count = graph.constant(node.input[1])
    problems = []
    if count is None:
        problems.append('K is computed, expected a constant')
    elif int(count.reshape(-1)[0]) > LARGEST_K:
        problems.append(f'K is {int(count.reshape(-1)[0])}, expected at most {LARGEST_K}')
    if attributes(node).get('sorted', 1) != 1:
        problems.append('sorted is 0, expected 1')
    return problems


def _scatter(graph: EditableGraph, node: onnx.NodeProto) -> list[str]:
    reduction = attributes(node).get('reduction', 'none')
    return [] if reduction == 'none' else [f'reduction is {reduction}, expected none']


def _resize(graph: EditableGraph, node: onnx.NodeProto) -> list[str]:
    return ['antialias is on'] if attributes(node).get('antialias', 0) else []


def _grid_sample(graph: EditableGraph, node: onnx.NodeProto) -> list[str]:
    types = {graph.tensors[name].type_name for name in node.input}
    return [] if len(types) == 1 else [f'inputs of types {" and ".join(sorted(types))}']


def _deform_conv(graph: EditableGraph, node: onnx.NodeProto) -> list[str]:
    problems = []
    top, left, bottom, right = attributes(node).get('pads', [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        problems.append(f'pads {[top, left, bottom, right]}, expected the same at both ends')
    if len(node.input) != 5:
        problems.append(f'{len(node.input)} inputs, expected bias and mask as well')
    return problems + _grid_sample(graph, node)


RULES: dict[str, Callable[[EditableGraph, onnx.NodeProto], list[str]]] = {
    'TopK': _top_k,
    'ScatterND': _scatter,
    'ScatterElements': _scatter,
    'Resize': _resize,
    'GridSample': _grid_sample,
    'DeformConv': _deform_conv,
}
