# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What half precision does to the answers, on a machine that computes in single precision.

ONNX Runtime's CPU has few operators in half precision; around the others it casts, and then drops
the casts between two of them, so that nothing is rounded. Here every half-precision tensor is
rounded for certain, and sums are in single precision, as in the matrix units of a GPU.
"""

import onnx

from training.engine.editable_graph import HALF, SINGLE, EditableGraph, cast

ROUND = 'upsnet_round'


def round_as_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace half-precision operators by single-precision ones whose results are rounded.

    Args:
        model: A mixed-precision graph of standard operators (``builtin`` or ``native``); not
            modified.

    Returns:
        A new model for ONNX Runtime with the same inputs and outputs.
    """
    graph = EditableGraph(model)
    nodes: list[onnx.NodeProto] = []
    single: dict[str, str] = {}

    def to_single(name: str) -> str:
        if name not in single:
            single[name] = graph.fresh(f'{name}_{ROUND}')
            nodes.append(cast(name, single[name], SINGLE))
        return single[name]

    def is_half(name: str) -> bool:
        return name in graph.tensors and graph.tensors[name].dtype == HALF

    for node in graph.nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        after = []
        if node.op_type != 'Cast':
            for index, name in enumerate(node.input):
                copy.input[index] = to_single(name) if is_half(name) else name
            for index, name in enumerate(node.output):
                if is_half(name):
                    copy.output[index] = graph.fresh(f'{name}_exact')
                    after.append(cast(copy.output[index], name, HALF))
        nodes += [copy, *after]
    graph.nodes = nodes
    return graph.finish()
