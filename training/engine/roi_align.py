# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoIAlign from GridSample and AveragePool, for parsers that have no RoIAlign of their own."""

import numpy as np
import onnx

from training.engine.editable_graph import EditableGraph, attributes
from training.engine.errors import GraphError
from training.engine.node_maker import NodeMaker

LEAST_SIDE = 1.0  # of a region, in cells, as RoIAlign without a half-pixel shift has it


def use_native_roi_align(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every ``RoiAlign`` by standard operators.

    Samples between the last cell and the border are clamped like RoIAlign's. Samples more than one
    cell outside are zero in RoIAlign and clamped here; regions cut at the image have none.

    Args:
        model: Not modified.

    Returns:
        A new model.

    Raises:
        GraphError: If a ``RoiAlign`` has settings that the exported graph never has.
    """
    graph = EditableGraph(model)
    nodes: list[onnx.NodeProto] = []
    for node in graph.nodes:
        nodes += _decompose(graph, node) if node.op_type == 'RoiAlign' else [node]
    graph.nodes = nodes
    return graph.finish()


def _decompose(graph: EditableGraph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    settings = attributes(node)
    ratio = settings.get('sampling_ratio', 0)
    batch, channels, height, width = graph.shape(node.input[0])
    _check(node, batch)
    rows, columns = settings['output_height'], settings['output_width']
    regions = graph.shape(node.input[1])[0]
    scale = settings.get('spatial_scale', 1.0)
    make = NodeMaker(graph, node.output[0])

    boxes = make('Mul', node.input[1], make.constant(scale)) if scale != 1 else node.input[1]
    start = make('Slice', boxes, *make.integers([0], [2], [1]))  # x, y
    end = make('Slice', boxes, *make.integers([2], [4], [1]))
    side = make('Max', make('Sub', end, start), make.constant(LEAST_SIDE))
    positions = []
    for axis, (cells, size, shape) in enumerate(
        ((columns, width, (1, 1, -1)), (rows, height, (1, -1, 1)))
    ):
        first, length = (
            make('Reshape', make('Slice', value, *make.integers([axis], [axis + 1], [1])), column)
            for value in (start, side)
            for column in make.integers([regions, 1, 1])
        )
        # Sample i of cells * ratio lies at (i + 0.5) / (cells * ratio) of the side.
        shares = (np.arange(cells * ratio, dtype=np.float32) + 0.5) / (cells * ratio)
        place = make('Add', first, make('Mul', length, make.constant(shares.reshape(shape))))
        # GridSample's -1 and 1 are the outer borders of the map; a cell's centre is its number.
        scaled = make('Mul', place, make.constant(2 / size))
        normal = make('Add', scaled, make.constant(1 / size - 1))
        full = [regions, rows * ratio, columns * ratio]
        positions.append(make('Expand', normal, *make.integers(full)))
    samples = [1, regions * rows * ratio, columns * ratio, 1]
    grids = [make('Reshape', place, *make.integers(samples)) for place in positions]
    grid = make('Concat', *grids, axis=3)
    sampled = make(
        'GridSample', node.input[0], grid, mode='linear', padding_mode='border', align_corners=0
    )
    window = [ratio, ratio]
    means = make('AveragePool', sampled, kernel_shape=window, strides=window)
    split = make('Reshape', means, *make.integers([channels, regions, rows, columns]))
    make('Transpose', split, perm=[1, 0, 2, 3], output=node.output[0])
    return make.nodes


def _check(node: onnx.NodeProto, batch: int) -> None:
    settings = attributes(node)
    expected = {
        'coordinate_transformation_mode': (
            'output_half_pixel',
            settings.get('coordinate_transformation_mode', 'half_pixel'),
        ),
        'mode': ('avg', settings.get('mode', 'avg')),
        'images': (1, batch),
    }
    wrong = [
        f'{name} is {received}, expected {wanted}'
        for name, (wanted, received) in expected.items()
        if received != wanted
    ]
    if settings.get('sampling_ratio', 0) < 1:
        wrong.append('sampling_ratio is 0, expected a fixed number of samples')
    if wrong:
        raise GraphError(f'RoiAlign {node.name}: {", ".join(wrong)}')
