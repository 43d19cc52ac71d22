# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One graph for the images of several cameras at once.

Backbone, pyramid, proposal network and semantic head have a batch axis and run once on all images.
What follows has none (lists of boxes of one image): it is repeated for each camera, on the same
weights, so each camera gets the answer that it would get alone.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper

from training.engine.editable_graph import EditableGraph, attributes
from training.engine.errors import GraphError
from upsnet_ros.core.errors import ParameterError

LARGEST_BATCH = 16
FIRST_INPUT_HAS_IMAGES = {
    'Conv',
    'ConvTranspose',
    'MaxPool',
    'AveragePool',
    'Relu',
    'LeakyRelu',
    'Cast',
    'BatchNormalization',
}
ELEMENTWISE = {'Add', 'Sub', 'Mul', 'Div'}


def for_cameras(model: onnx.ModelProto, cameras: int) -> onnx.ModelProto:
    """The graph for a number of images.

    Args:
        model: Graph for one image, ``[1, H, W, 3]``; not modified.
        cameras: Number of images, 1 to 16.

    Returns:
        A graph from ``[cameras, H, W, 3]`` to the same outputs with ``cameras`` as first axis.

    Raises:
        ParameterError: If the number is out of range.
        GraphError: If the graph is not one for a single image.
    """
    if not 1 <= cameras <= LARGEST_BATCH:
        raise ParameterError(f'{cameras} cameras: expected 1 to {LARGEST_BATCH}')
    graph = EditableGraph(model)
    for value in [*graph.inputs, *graph.outputs]:
        shape = graph.tensors[value.name].shape
        if not shape or shape[0] != 1:
            raise GraphError(f'{value.name}: shape {shape}, expected 1 as the first size')
    if cameras == 1:
        return graph.finish()
    return _Batching(graph, cameras).run()


class _Batching:
    """Walks over the nodes once; knows which tensors hold all images and which one image's."""

    def __init__(self, graph: EditableGraph, cameras: int) -> None:
        self._graph = graph
        self._cameras = cameras
        self._all_images = {value.name for value in graph.inputs}
        self._one_image: dict[str, list[str]] = {}
        self._nodes: list[onnx.NodeProto] = []

    def run(self) -> onnx.ModelProto:
        for node in self._graph.nodes:
            inputs = set(node.input)
            if inputs & self._all_images and self._keeps_images_apart(node):
                self._all_images.update(node.output)
                self._nodes.append(node)
            elif inputs & self._all_images or inputs & self._one_image.keys():
                self._repeat(node)
            else:
                self._nodes.append(node)  # the same for all cameras
        for value in self._graph.outputs:
            if value.name in self._one_image:
                parts = self._one_image[value.name]
                name = f'{value.name}_of_all'
                self._nodes.append(helper.make_node('Concat', parts, [value.name], name, axis=0))
        self._graph.nodes = self._nodes
        result = self._graph.finish()
        for value in [*result.graph.input, *result.graph.output]:
            value.type.tensor_type.shape.dim[0].dim_value = self._cameras
        for value in result.graph.value_info:
            if value.name in self._all_images:
                value.type.tensor_type.shape.dim[0].dim_value = self._cameras
        return result

    def _repeat(self, node: onnx.NodeProto) -> None:
        for name in node.input:
            if name in self._all_images and name not in self._one_image:
                self._split(name)
        for name in node.output:
            self._one_image[name] = self._names(name)
        for camera in range(self._cameras):
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = f'{node.name}_camera{camera}'
            for names in (copy.input, copy.output):
                for index, name in enumerate(names):
                    if name in self._one_image:
                        names[index] = self._one_image[name][camera]
            self._nodes.append(copy)

    def _split(self, name: str) -> None:
        self._one_image[name] = self._names(name)
        zero = self._graph.add_constant('camera_axis', np.array([0]))
        for camera, part in enumerate(self._one_image[name]):
            start = self._graph.add_constant(f'camera{camera}', np.array([camera]))
            end = self._graph.add_constant(f'camera{camera + 1}', np.array([camera + 1]))
            self._nodes.append(
                helper.make_node('Slice', [name, start, end, zero], [part], f'{part}_slice')
            )

    def _names(self, name: str) -> list[str]:
        return [self._graph.fresh(f'{name}_camera{camera}') for camera in range(self._cameras)]

    def _keeps_images_apart(self, node: onnx.NodeProto) -> bool:
        if any(self._graph.shape(name)[:1] != (1,) for name in node.output if name):
            return False
        first, *others = node.input
        if node.op_type in FIRST_INPUT_HAS_IMAGES:
            return first in self._all_images and not self._depend_on_images(others)
        if node.op_type == 'DeformConv2d':
            x, weight, offset, *rest = node.input
            apart = self._all_images.issuperset((x, offset))
            return apart and not self._depend_on_images([weight, *rest])
        if node.op_type == 'Concat':
            axis = attributes(node)['axis'] % len(self._graph.shape(first))
            return axis != 0 and self._all_images.issuperset(node.input)
        if node.op_type in ELEMENTWISE:
            return all(self._broadcasts(name, node.output[0]) for name in node.input)
        rule = RULES.get(node.op_type)
        return rule is not None and first in self._all_images and rule(self._graph, node)

    def _depend_on_images(self, names: list[str]) -> bool:
        return not set(names).isdisjoint(self._all_images | self._one_image.keys())

    def _broadcasts(self, name: str, result: str) -> bool:
        if name in self._one_image:
            return False
        shape, rank = self._graph.shape(name), len(self._graph.shape(result))
        if name in self._all_images:
            return len(shape) == rank
        return len(shape) < rank or shape[0] == 1


def _transpose(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    return attributes(node)['perm'][0] == 0


def _resize(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    scales = graph.constant(node.input[2]) if len(node.input) == 3 else None
    return scales is not None and scales[0] == 1


def _reduce(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    axes = graph.constant(node.input[1]) if len(node.input) == 2 else None
    rank = len(graph.shape(node.input[0]))
    return axes is not None and len(axes) > 0 and 0 not in axes % rank


def _unsqueeze(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    axes = graph.constant(node.input[1])
    rank = len(graph.shape(node.output[0]))
    return axes is not None and 0 not in axes % rank


def _pad(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    pads = graph.constant(node.input[1])
    return pads is not None and len(node.input) <= 3 and pads[0] == pads[len(pads) // 2] == 0


def _product(graph: EditableGraph, node: onnx.NodeProto) -> bool:
    weights = node.input[1:]
    return not attributes(node).get('transA', 0) and all(
        graph.tensors[name].shape is not None for name in weights
    )


RULES: dict[str, Callable[[EditableGraph, onnx.NodeProto], bool]] = {
    'Transpose': _transpose,
    'Resize': _resize,
    'ReduceMean': _reduce,
    'Unsqueeze': _unsqueeze,
    'Pad': _pad,
    'Gemm': _product,
}
