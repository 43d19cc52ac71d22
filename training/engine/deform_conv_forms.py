# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The three ways to give TensorRT a deformable convolution, chosen when the engine is built.

``plugin`` is our own kernel: its weight lies as the kernel reads it and its offsets are single
precision. ``builtin`` is the standard operator, which TensorRT's parser hands to a plugin of its
own. ``native`` needs no plugin at all: GridSample and a 1x1 convolution, with the memory that a
column buffer takes.
"""

from typing import Any

import numpy as np
import onnx
from onnx import helper

from training.deform_conv_kernels.launch import padded_row
from training.engine.editable_graph import HALF, SINGLE, EditableGraph, attributes, cast
from training.engine.errors import GraphError
from training.engine.node_maker import NodeMaker
from upsnet_ros.core.errors import ParameterError

DOMAIN, OPERATOR = 'upsnet', 'DeformConv2d'
LISTS = ('kernel_shape', 'strides', 'pads', 'dilations')
FORMS = ('plugin', 'builtin', 'native')


def use_deform_conv_form(model: onnx.ModelProto, form: str) -> onnx.ModelProto:
    """Bring every ``upsnet::DeformConv2d`` into one of the three forms.

    Args:
        model: An exported graph, of one precision or mixed; not modified.
        form: ``plugin``, ``builtin`` or ``native``.

    Returns:
        A new model. ONNX Runtime runs all three forms.

    Raises:
        ParameterError: If there is no such form.
        GraphError: If a node is not as the export writes it.
    """
    if form not in FORMS:
        raise ParameterError(f'--deform-conv {form}: expected one of {", ".join(FORMS)}')
    graph = EditableGraph(model)
    rewrite = {'plugin': _plugin, 'builtin': _builtin, 'native': _native}[form]
    nodes: list[onnx.NodeProto] = []
    for node in graph.nodes:
        is_ours = node.op_type == OPERATOR and node.domain == DOMAIN
        nodes += rewrite(graph, node) if is_ours else [node]
    graph.nodes = nodes
    return graph.finish([_packed_function()] if form == 'plugin' else [])


def pack_weight(weight: np.ndarray) -> np.ndarray:
    """Bring a weight into the kernel's layout.

    Args:
        weight: ``[out channels, in channels, kernel height, kernel width]``.

    Returns:
        ``[kernel height, kernel width, out channels, in channels]``, the last axis filled up with
        zeros to a multiple of 16.
    """
    channels = weight.shape[1]
    rows = weight.transpose(2, 3, 0, 1)
    fill = padded_row(channels) - channels
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, 0), (0, 0), (0, fill))))


def _weight(graph: EditableGraph, node: onnx.NodeProto) -> np.ndarray:
    value = graph.constant(node.input[1])
    if value is None or value.ndim != 4 or len(node.input) != 4:
        raise GraphError(
            f'{OPERATOR} {node.name}: inputs {list(node.input)}, expected x, a constant weight '
            '[out, in, height, width], offsets and a bias'
        )
    missing = [name for name in LISTS if name not in attributes(node)]
    if missing:
        raise GraphError(f'{OPERATOR} {node.name}: no attribute {", ".join(missing)}')
    return value


def _offsets_in_single(graph: EditableGraph, node: onnx.NodeProto) -> tuple[str, list]:
    name = node.input[2]
    if graph.tensors[name].dtype == SINGLE:
        return name, []
    single = graph.fresh(f'{name}_single')
    return single, [cast(name, single, SINGLE)]


def _plugin(graph: EditableGraph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    packed = graph.add_constant(f'{node.input[1]}_packed', pack_weight(_weight(graph, node)))
    offset, casts = _offsets_in_single(graph, node)
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[1], copy.input[2] = packed, offset
    return [*casts, copy]


def _builtin(graph: EditableGraph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """TensorRT's plugin has five inputs, so the mask of ones that ONNX leaves out is connected."""
    weight = _weight(graph, node)
    batch, _, height, width = graph.shape(node.output[0])
    taps = weight.shape[2] * weight.shape[3]
    ones = np.ones((batch, taps, height, width), weight.dtype)
    mask = graph.add_constant(f'ones_{batch}_{height}_{width}_{weight.dtype}', ones)
    values = attributes(node)
    settings = {name: values[name] for name in LISTS}
    return [
        helper.make_node(
            'DeformConv',
            [*node.input, mask],
            list(node.output),
            node.name,
            group=1,
            offset_group=1,
            **settings,
        )
    ]


def _native(graph: EditableGraph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """All taps of all pixels are sampled at once, one below the other, then multiplied."""
    weight = _weight(graph, node)
    out_channels, channels, *kernel = weight.shape
    batch, _, height, width = graph.shape(node.input[0])
    out_height, out_width = graph.shape(node.output[0])[2:]
    taps = kernel[0] * kernel[1]
    make = NodeMaker(graph, node.output[0])
    offset, casts = _offsets_in_single(graph, node)

    pairs = make('Reshape', offset, *make.integers([batch, taps, 2, out_height, out_width]))
    moves = make('Transpose', pairs, perm=[0, 1, 3, 4, 2])  # y, x in the last axis
    places = moves
    for resting in _resting_places(attributes(node), kernel, (out_height, out_width)):
        places = make('Add', places, make.constant(resting))
    # GridSample's -1 and 1 are the outer borders of the map; a pixel's centre is its number.
    sizes = np.array([height, width], np.float32)
    scaled = make('Mul', places, make.constant(2 / sizes))
    normal = make('Add', scaled, make.constant(1 / sizes - 1))
    x_first = make('Gather', normal, *make.integers([1, 0]), axis=4)
    grid = make('Reshape', x_first, *make.integers([batch, taps * out_height, out_width, 2]))
    sampled = _sample(graph, make, node.input[0], grid)
    columns = make(
        'Reshape', sampled, *make.integers([batch, channels * taps, out_height, out_width])
    )
    row = graph.add_constant(
        f'{node.input[1]}_row', weight.reshape(out_channels, channels * taps, 1, 1)
    )
    make('Conv', columns, row, node.input[3], kernel_shape=[1, 1], output=node.output[0])
    return [*casts, *make.nodes]


def _sample(graph: EditableGraph, make: NodeMaker, x: str, grid: str) -> str:
    """Sample a map; GridSample has one precision for all, and coordinates need the single one."""
    settings: dict[str, Any] = {'mode': 'linear', 'padding_mode': 'zeros', 'align_corners': 0}
    if graph.tensors[x].dtype == SINGLE:
        return make('GridSample', x, grid, **settings)
    sampled = make('GridSample', make('Cast', x, to=SINGLE), grid, **settings)
    return make('Cast', sampled, to=HALF)


def _resting_places(
    settings: dict, kernel: list[int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where taps lie without offsets, in pixels: parts along y and along x, to be added.

    Returns:
        ``[1, taps, out height, 1, 2]`` and ``[1, taps, 1, out width, 2]``.
    """
    tap = np.indices(kernel).reshape(2, -1)
    parts = []
    for axis in (0, 1):
        pixels = np.arange(size[axis]) * settings['strides'][axis] - settings['pads'][axis]
        part = np.zeros((1, tap.shape[1], size[axis], 2), np.float32)
        part[0, :, :, axis] = tap[axis][:, None] * settings['dilations'][axis] + pixels
        parts.append(np.expand_dims(part, 3 - axis))
    return parts[0], parts[1]


def _packed_function() -> onnx.FunctionProto:
    """What the node means, for runtimes without the plugin: unpack, then the standard operator."""
    convolution = helper.make_node(
        'DeformConv', ['x', 'weight', 'moves', 'bias'], ['y'], group=1, offset_group=1
    )
    for name in LISTS:
        convolution.attribute.append(
            onnx.AttributeProto(name=name, ref_attr_name=name, type=onnx.AttributeProto.INTS)
        )
    body = [
        helper.make_node('Transpose', ['packed'], ['rows'], perm=[2, 3, 0, 1]),
        helper.make_node('Constant', [], ['zero'], value_ints=[0]),
        helper.make_node('Constant', [], ['one'], value_ints=[1]),
        helper.make_node('Shape', ['x'], ['channels'], start=1, end=2),
        helper.make_node('Slice', ['rows', 'zero', 'channels', 'one'], ['weight']),
        helper.make_node('CastLike', ['offset', 'x'], ['moves']),
        convolution,
    ]
    return helper.make_function(
        DOMAIN,
        OPERATOR,
        ['x', 'packed', 'offset', 'bias'],
        ['y'],
        body,
        [helper.make_opsetid('', 20)],
        attributes=[*LISTS, 'plugin_namespace', 'plugin_version', 'aot'],
    )
