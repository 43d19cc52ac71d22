# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A copy of an ONNX graph that is rewritten node by node."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.engine.errors import GraphError
from training.engine.tensors import infer_tensors

HALF, SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT


class EditableGraph:
    """Nodes in topological order, with constants and tensor types at hand.

    Args:
        model: Not modified.

    Attributes:
        nodes: The nodes as they were read; assign a new list to replace them.
        tensors: Types and shapes by name, as they were when the graph was read.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self.tensors = infer_tensors(model)
        self.nodes = list(self._model.graph.node)
        self._constants = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._names = set(self.tensors) | {name for node in self.nodes for name in node.output}

    @property
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """The inputs of the network."""
        return list(self._model.graph.input)

    @property
    def outputs(self) -> list[onnx.ValueInfoProto]:
        """The outputs of the network."""
        return list(self._model.graph.output)

    @property
    def constant_names(self) -> set[str]:
        """Names of all constants."""
        return set(self._constants)

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes of all axes of a tensor.

        Raises:
            GraphError: If one of them depends on the data.
        """
        shape = self.tensors[name].shape
        if shape is None:
            raise GraphError(f'the shape of {name} depends on the data')
        return shape

    def constant(self, name: str) -> np.ndarray | None:
        """Value of a constant, None for a tensor that is computed or missing."""
        if name not in self._constants:
            return None
        return numpy_helper.to_array(self._constants[name])

    def add_constant(self, name: str, value: np.ndarray) -> str:
        """Store a constant; returns its name, which has a number where the wished one is taken.

        A constant of this name with the same value is not stored again.
        """
        present = self.constant(name)
        if present is not None and present.dtype == value.dtype and _same(present, value):
            return name
        name = self.fresh(name)
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def replace_by_constant(self, name: str, value: np.ndarray) -> None:
        """Give a computed tensor a fixed value; the node that made it is the caller's to drop."""
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)

    def fresh(self, name: str) -> str:
        """A tensor name that is not taken yet, and is from now on."""
        candidate, number = name, 1
        while candidate in self._names or candidate in self._constants:
            number += 1
            candidate = f'{name}_{number}'
        self._names.add(candidate)
        return candidate

    def finish(self, functions: Iterable[onnx.FunctionProto] | None = None) -> onnx.ModelProto:
        """The rewritten model, without nodes and constants that nothing needs.

        Args:
            functions: Local functions to keep instead of those that were read.
        """
        result = onnx.ModelProto()
        result.CopyFrom(self._model)
        if functions is not None:
            del result.functions[:]
            result.functions.extend(functions)
        graph = result.graph
        for field in (graph.node, graph.initializer, graph.value_info):
            del field[:]
        nodes, needed = self._needed_nodes()
        graph.node.extend(nodes)
        graph.initializer.extend(
            tensor for name, tensor in self._constants.items() if name in needed
        )
        graph.value_info.extend(_opaque_values(nodes, self.tensors))
        domains = {node.domain for node in nodes} | {''}
        kept = [entry for entry in result.opset_import if entry.domain in domains]
        del result.opset_import[:]
        result.opset_import.extend(kept)
        return result

    def _needed_nodes(self) -> tuple[list[onnx.NodeProto], set[str]]:
        needed = {value.name for value in self._model.graph.output}
        nodes = []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                nodes.append(node)
                needed.update(node.input)
        return nodes[::-1], needed


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node as plain values; texts as str."""
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def cast(source: str, result: str, dtype: int) -> onnx.NodeProto:
    """A node that converts a tensor to a type of ``onnx.TensorProto``."""
    return helper.make_node('Cast', [source], [result], name=f'{result}_cast', to=dtype)


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()


def _opaque_values(nodes: list[onnx.NodeProto], tensors: dict) -> list[onnx.ValueInfoProto]:
    """Results of our own operator, whose shapes ONNX cannot always infer."""
    names = [name for node in nodes if node.domain for name in node.output]
    return [
        helper.make_tensor_value_info(name, tensors[name].dtype, tensors[name].shape)
        for name in names
        if name in tensors and tensors[name].shape is not None
    ]
