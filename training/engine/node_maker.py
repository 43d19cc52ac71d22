# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the standard operators that take the place of one node."""

from typing import Any

import numpy as np
import onnx
from onnx import helper

from training.engine.editable_graph import EditableGraph


class NodeMaker:
    """Makes nodes whose results are named after the result they lead to.

    Args:
        graph: Takes the constants.
        name: Result of the node that is replaced.

    Attributes:
        nodes: What was made, in order.
    """

    def __init__(self, graph: EditableGraph, name: str) -> None:
        self._graph = graph
        self._name = name
        self.nodes: list[onnx.NodeProto] = []

    def __call__(
        self, operator: str, *inputs: str, output: str | None = None, **settings: Any
    ) -> str:
        """Add a node with one result; returns the result's name."""
        result = output or self._graph.fresh(f'{self._name}_{operator.lower()}')
        name = f'{result}_native'
        self.nodes.append(helper.make_node(operator, list(inputs), [result], name, **settings))
        return result

    def constant(self, value: float | np.ndarray) -> str:
        """Name of a float32 constant."""
        return self._graph.add_constant(f'{self._name}_by', np.asarray(value, np.float32))

    def integers(self, *lists: list[int]) -> list[str]:
        """Names of int64 constants, as sizes and axes are given."""
        name = f'{self._name}_shape'
        return [self._graph.add_constant(name, np.array(values, np.int64)) for values in lists]
