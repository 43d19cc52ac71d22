# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph with its products in half precision and all that is a coordinate in single.

TensorRT 11 takes precisions from the graph and from nowhere else, so the casts are written out.
Half: convolutions, matrix products, deformable convolutions, and what lies between two of them.
Single: boxes, their coding and overlaps, regions' coordinates, softmax, scores, global means (a
sum over a map overflows half) and every output.

The rounds of suppression are matrix products of zeros and ones of which only "none or some"
matters, so half precision gives their exact answer, from half the memory.
"""

import numpy as np
import onnx
from onnx import helper

from training.engine.editable_graph import HALF, SINGLE, EditableGraph, attributes, cast
from training.engine.errors import GraphError

PRODUCTS = {'Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'DeformConv2d'}
# Take the precision of their data; the indices are those of the inputs that are data.
FOLLOWERS: dict[str, tuple[int, ...] | None] = {
    'Relu': (0,),
    'LeakyRelu': (0,),
    'MaxPool': (0,),
    'AveragePool': (0,),
    'Resize': (0,),
    'Pad': (0, 2),
    'Reshape': (0,),
    'Transpose': (0,),
    'Squeeze': (0,),
    'Unsqueeze': (0,),
    'Slice': (0,),
    'Gather': (0,),
    'Flatten': (0,),
    'Identity': (0,),
    'Add': None,
    'Concat': None,
}
# Pick rows out of half-precision tables; what they pick is a box or a mask, and single from there.
PICKERS = ('GatherND', 'GatherElements')
NORMALISATION = 'BatchNormalization'
LARGEST_HALF = 65504.0


def mix_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write half precision into a graph.

    Weights that the file stores in half precision are used as they are stored.

    Args:
        model: A graph in single precision; not modified.

    Returns:
        A new model with the same inputs and outputs.

    Raises:
        GraphError: If a weight is too large for half precision.
    """
    graph = EditableGraph(model)
    return _Mixing(graph).run()


class _Mixing:
    """Walks over the nodes once; knows in which precision each tensor is at hand."""

    def __init__(self, graph: EditableGraph) -> None:
        self._graph = graph
        self._half: dict[str, str] = {}  # name of a tensor: name of it in half precision
        self._native: set[str] = set()  # tensors that are computed in half precision
        self._single: set[str] = set()  # of those, the ones that were cast back
        self._stored = {
            node.output[0]: node.input[0]
            for node in graph.nodes
            if node.op_type == 'Cast'
            and node.input[0] in graph.constant_names
            and graph.tensors[node.input[0]].dtype == HALF
        }
        self._rounds = {
            node.output[0]
            for node in graph.nodes
            if node.op_type == 'MatMul' and not any(map(self._is_constant, node.input))
        }
        self._nodes: list[onnx.NodeProto] = []

    def run(self) -> onnx.ModelProto:
        for node in self._graph.nodes:
            if self._is_product(node):
                self._in_half(node, range(len(node.input)))
            elif node.op_type == NORMALISATION and node.input[0] in self._native:
                self._normalise(node)
            elif node.op_type in FOLLOWERS and self._data_is_half(node):
                indices = FOLLOWERS[node.op_type]
                self._in_half(node, range(len(node.input)) if indices is None else indices)
            elif node.op_type in PICKERS and node.input[0] in self._native:
                self._in_half(node, (0,))
                self._to_single(node.output[0])
            else:
                for name in node.input:
                    self._to_single(name)
                self._nodes.append(node)
        for value in self._graph.outputs:
            self._to_single(value.name)
        self._graph.nodes = self._nodes
        return self._graph.finish()

    def _is_product(self, node: onnx.NodeProto) -> bool:
        if node.op_type == 'Sub':  # a round of suppression: all boxes less the overlapped
            return any(name in self._rounds for name in node.input)
        return node.op_type in PRODUCTS

    def _is_constant(self, name: str) -> bool:
        return name in self._graph.constant_names or name in self._stored

    def _data_is_half(self, node: onnx.NodeProto) -> bool:
        indices = FOLLOWERS[node.op_type]
        inputs = node.input if indices is None else [node.input[0]]
        computed = [name for name in inputs if not self._is_constant(name)]
        return bool(computed) and all(name in self._native for name in computed)

    def _in_half(self, node: onnx.NodeProto, data: 'range | tuple[int, ...]') -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index in data:
            if index < len(node.input) and node.input[index]:
                copy.input[index] = self._to_half(node.input[index], node)
        for index, name in enumerate(node.output):
            copy.output[index] = self._computed_in_half(name)
        self._nodes.append(copy)

    def _computed_in_half(self, name: str) -> str:
        self._native.add(name)
        self._half[name] = self._graph.fresh(f'{name}_fp16')
        return self._half[name]

    def _to_half(self, name: str, node: onnx.NodeProto) -> str:
        if name in self._stored:
            return self._stored[name]
        if name not in self._half:
            value = self._graph.constant(name)
            if value is None:
                self._half[name] = self._graph.fresh(f'{name}_fp16')
                self._nodes.append(cast(name, self._half[name], HALF))
            else:
                self._half[name] = self._half_constant(name, value, node)
        return self._half[name]

    def _half_constant(self, name: str, value: np.ndarray, node: onnx.NodeProto) -> str:
        largest = float(np.abs(value).max(initial=0))
        if not largest <= LARGEST_HALF:
            raise GraphError(
                f'{node.op_type} {node.name}: {name} holds {largest:g}, too large for half '
                'precision; use --precision fp32'
            )
        return self._graph.add_constant(f'{name}_fp16', value.astype(np.float16))

    def _to_single(self, name: str) -> None:
        if name in self._native and name not in self._single:
            self._nodes.append(cast(self._half[name], name, SINGLE))
            self._single.add(name)

    def _normalise(self, node: onnx.NodeProto) -> None:
        """Fixed statistics are a factor and a summand per channel; no variance in half."""
        scale, shift, mean, variance = (
            self._value(name).astype(np.float64) for name in node.input[1:5]
        )
        factor = scale / np.sqrt(variance + attributes(node).get('epsilon', 1e-5))
        name, result = node.output[0], self._computed_in_half(node.output[0])
        scaled = self._graph.fresh(f'{name}_scaled')
        steps = (
            ('Mul', self._half[node.input[0]], factor, scaled),
            ('Add', scaled, shift - mean * factor, result),
        )
        for operator, source, values, target in steps:
            column = values.reshape(-1, 1, 1).astype(np.float32)
            constant = self._half_constant(f'{target}_by', column, node)
            self._nodes.append(
                helper.make_node(operator, [source, constant], [target], f'{target}_{operator}')
            )

    def _value(self, name: str) -> np.ndarray:
        value = self._graph.constant(self._stored.get(name, name))
        if value is None:
            raise GraphError(f'{name} is computed, expected a constant')
        return value
