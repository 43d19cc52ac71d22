# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What does not depend on the image, computed when the engine is built."""

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from training.engine.editable_graph import EditableGraph


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every node whose inputs are all constants by its result.

    Anchors and the triangle of suppression become constants, as do weights that the file stores in
    half precision and casts: TensorRT then is given plain weights.

    Args:
        model: Not modified.

    Returns:
        A new model.
    """
    graph = EditableGraph(model)
    opsets = list(model.opset_import)
    nodes = []
    for node in graph.nodes:
        names = [name for name in node.input if name]
        found = {name: graph.constant(name) for name in names}
        inputs = {name: value for name, value in found.items() if value is not None}
        if node.domain or not names or len(inputs) < len(found):
            nodes.append(node)
            continue
        for name, value in zip(node.output, _evaluate(node, inputs, opsets), strict=True):
            graph.replace_by_constant(name, value)
    graph.nodes = nodes
    return graph.finish()


def _evaluate(
    node: onnx.NodeProto, inputs: dict[str, np.ndarray], opsets: list[onnx.OperatorSetIdProto]
) -> list[np.ndarray]:
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in inputs.items()
    ]
    results = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], 'constant', values, results)
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))
    return [np.asarray(value) for value in evaluator.run(None, inputs)]
