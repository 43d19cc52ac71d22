# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which parts of a network OpenVINO must not narrow to half the width, and how it is told."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from openvino import opset15

from upsnet_ros.core.errors import ModelError

# Operations with weights, and the inputs that may be weights.
_PRODUCTS = {
    'Convolution': (1,),
    'ConvolutionBackpropData': (1,),
    'DeformableConvolution': (2,),
    'MatMul': (0, 1),
}
_REGIONS = 'ROIAlign'
_REGION_INPUTS = (1, 2)  # boxes, and the image that each belongs to
_KEPT = 'precise_0'  # OpenVINO's mark of a node that is computed as the file says


def keep_single(core: openvino.Core, model: openvino.Model) -> openvino.Model:
    """Return a graph in which only products, and what lies between them, may be narrowed.

    From each output and each region's coordinates back to the last product, that included, all
    stays in single precision: boxes, their coding and overlaps, softmax, scores, logits. In 8 bits
    a coordinate at the right edge of an image would be off by pixels.

    Args:
        core: the library.
        model: a graph whose shapes are all fixed; it is changed.

    Raises:
        ModelError: the graph cannot be written to the folder for temporary files.
    """
    for node in _behind_products(model):
        lasting = _LASTING.get(node.get_type_name(), _as_it_is)(node)
        lasting.get_rt_info()[_KEPT] = ''
        if lasting is not node:
            lasting.set_friendly_name(node.get_friendly_name())
    # The library heeds the mark only in a file, so the graph becomes one and is read again.
    try:
        with tempfile.TemporaryDirectory(prefix='upsnet_ros-') as folder:
            path = Path(folder) / 'model.xml'
            openvino.serialize(model, path)
            return core.read_model(path)
    except (OSError, RuntimeError) as error:  # no such folder, or no room in it
        raise ModelError(
            f'the graph cannot be written to the folder for temporary files ({reason_of(error)}); '
            "make room there, set TMPDIR to another folder, or use precision 'fp32'"
        ) from error


def reason_of(error: Exception) -> str:
    """The last line of an error: OpenVINO says first which of its own files gave up."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix('-- ') if lines else type(error).__name__


def _behind_products(model: openvino.Model) -> list[openvino.Node]:
    """The nodes between outputs or coordinates of regions and the last products, those too."""
    regions = [node for node in model.get_ops() if node.get_type_name() == _REGIONS]
    starts = [result.input_value(0) for result in model.get_results()]
    starts += [node.input_value(index) for node in regions for index in _REGION_INPUTS]
    waiting = [port.get_node() for port in starts]
    found: dict[str, openvino.Node] = {}
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() in found:
            continue
        found[node.get_friendly_name()] = node
        if not _has_weights(node):
            waiting += [port.get_node() for port in node.input_values()]
    return list(found.values())


def _has_weights(node: openvino.Node) -> bool:
    """Whether a node is a product of data and weights."""
    ports = _PRODUCTS.get(node.get_type_name(), ())
    return any(_is_constant(node.input_value(port).get_node()) for port in ports)


def _is_constant(node: openvino.Node) -> bool:
    """Whether a node is a constant, or one in another type or shape."""
    while node.get_type_name() in ('Convert', 'Reshape', 'Transpose'):
        node = node.input_value(0).get_node()
    return node.get_type_name() == 'Constant'


# --- nodes that the library replaces while it compiles
#
# The mark is lost with the node, and the coordinates that it hands on are rounded. So each such
# node is replaced here by one that stays; on 200 frames 99.47 % of the shipped model's candidates
# are then within 4 pixels of those in single precision, without it 91 %.


def _as_it_is(node: openvino.Node) -> openvino.Node:
    return node


def _as_reshape(node: openvino.Node) -> openvino.Node:
    """Put a reshape to the same shape in place of an axis that comes or goes."""
    shape = opset15.constant(np.array(list(node.output(0).get_shape()), np.int64))
    lasting = opset15.reshape(node.input_value(0), shape, special_zero=False)
    node.output(0).replace(lasting.output(0))
    return lasting


def _as_gather(node: openvino.Node) -> openvino.Node:
    """Put the choice of some places in place of a slice along one axis."""
    data, start, stop, step = (node.input_value(index) for index in range(4))
    before, after = list(data.get_shape()), list(node.output(0).get_shape())
    changed = [axis for axis, size in enumerate(before) if after[axis] != size]
    if len(changed) != 1 or list(start.get_shape()) != [1]:
        return node
    (axis,) = changed
    places = opset15.slice(  # of constants, so it is one before the network runs
        opset15.constant(np.arange(before[axis])), start, stop, step
    )
    lasting = opset15.gather(data, places, opset15.constant(np.array(axis)))
    node.output(0).replace(lasting.output(0))
    return lasting


def _as_convolution(node: openvino.Node) -> openvino.Node:
    """Put a convolution in place of the product of a list of features [n, k] and weights."""
    data, weights = node.input_value(0), node.input_value(1)
    traits = node.get_attributes()
    if len(data.get_shape()) != 2 or traits['transpose_a'] or not _is_constant(weights.get_node()):
        return node
    swapped, outer = opset15.constant(np.array([1, 0])), opset15.constant(np.array([0, 3]))
    if not traits['transpose_b']:
        weights = opset15.transpose(weights, swapped).output(0)  # [m, k]
    row = opset15.unsqueeze(opset15.transpose(data, swapped), outer)  # [1, k, n, 1]
    kernel = opset15.unsqueeze(weights, opset15.constant(np.array([2, 3])))  # [m, k, 1, 1]
    product = opset15.convolution(row, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    answer = opset15.transpose(opset15.squeeze(product, outer), swapped)  # [n, m]
    node.output(0).replace(answer.output(0))
    return product


_LASTING: dict[str, Callable[[openvino.Node], openvino.Node]] = {
    'Unsqueeze': _as_reshape,
    'Squeeze': _as_reshape,
    'Slice': _as_gather,
    'MatMul': _as_convolution,
}
