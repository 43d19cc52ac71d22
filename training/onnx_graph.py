# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the export wrapper to an ONNX file: tracing, our operator, half-precision weights."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import opset20

from training.export_wrapper import OUTPUT_NAMES, ExportWrapper

OPSET = 20
DOMAIN = 'upsnet'
OPERATOR = 'DeformConv2d'
HALF = '_half'  # behind the name of a tensor that is stored so
MIN_HALF_ELEMENTS = 256  # smaller tensors stay in single precision; they cost nothing


def trace(wrapper: ExportWrapper) -> onnx.ModelProto:
    """Trace the wrapper into a graph of standard operators.

    Args:
        wrapper: The network in evaluation mode.

    Returns:
        Opset-20 model with the input ``image`` and the outputs of the model artefact.
    """
    height, width = wrapper.input_size
    generator = torch.Generator().manual_seed(0)
    shape = (1, height, width, 3)
    image = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    program = torch.onnx.export(
        wrapper.eval(),
        (image,),
        dynamo=True,
        opset_version=OPSET,
        input_names=['image'],
        output_names=list(OUTPUT_NAMES),
        custom_translation_table={torch.ops.torchvision.deform_conv2d.default: _deform_conv},
        external_data=False,
        verbose=False,
    )
    return program.model_proto


def _deform_conv(
    x, weight, offset, mask, bias, sh, sw, ph, pw, dh, dw, groups, offset_groups, use_mask
):
    if use_mask:
        raise ValueError('modulated deformable convolution (with a mask) is not part of UPSNet')
    return opset20.DeformConv(
        x,
        weight,
        offset,
        bias,
        dilations=[dh, dw],
        group=groups,
        kernel_shape=[int(side) for side in weight.shape[2:]],
        offset_group=offset_groups,
        pads=[ph, pw, ph, pw],
        strides=[sh, sw],
    )


def use_own_operator(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every ``DeformConv`` by ``upsnet::DeformConv2d`` and define it as a local function.

    The same file then runs in ONNX Runtime (which inlines the function) and, with the plugin
    registered under this name, in TensorRT. All attributes are written out, since a plugin is not
    given attributes that a node leaves to their defaults.

    Args:
        model: Graph with standard operators; not modified.

    Returns:
        A new model.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        if node.op_type == 'DeformConv' and node.domain == '':
            _rewrite(node)
    result.functions.append(_local_function())
    result.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return result


def _rewrite(node: onnx.NodeProto) -> None:
    present = {attribute.name: attribute for attribute in node.attribute}
    lists = {
        name: list(present[name].ints) for name in ('kernel_shape', 'strides', 'pads', 'dilations')
    }
    numbers = {name: [present[name].i] for name in ('group', 'offset_group') if name in present}
    values = {'group': [1], 'offset_group': [1]} | numbers | lists
    if values['group'] != [1] or values['offset_group'] != [1]:
        raise ValueError(f'{node.name}: grouped deformable convolution is not part of UPSNet')
    del node.attribute[:]
    node.op_type, node.domain = OPERATOR, DOMAIN
    for name in ('kernel_shape', 'strides', 'pads', 'dilations'):
        node.attribute.append(helper.make_attribute(name, values[name]))
    node.attribute.append(helper.make_attribute('plugin_namespace', DOMAIN))
    node.attribute.append(helper.make_attribute('plugin_version', '1'))
    node.attribute.append(helper.make_attribute('aot', 1))


def _local_function() -> onnx.FunctionProto:
    inputs = ['x', 'weight', 'offset', 'bias']
    lists = ['kernel_shape', 'strides', 'pads', 'dilations']
    body = helper.make_node('DeformConv', inputs, ['y'], group=1, offset_group=1)
    for name in lists:
        attribute = onnx.AttributeProto(
            name=name, ref_attr_name=name, type=onnx.AttributeProto.INTS
        )
        body.attribute.append(attribute)
    return helper.make_function(
        DOMAIN,
        OPERATOR,
        inputs,
        ['y'],
        [body],
        [helper.make_opsetid('', OPSET)],
        attributes=[*lists, 'plugin_namespace', 'plugin_version', 'aot'],
    )


def store_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large single-precision weights in half precision, cast back inside the graph.

    Runtimes fold the casts when they load the file: half the size, the same arithmetic. A tensor
    that half precision would change stays as it is.

    Args:
        model: A model whose weights are already rounded to half precision; not modified.

    Returns:
        A new model.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    casts = []
    for tensor in result.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if values.size < MIN_HALF_ELEMENTS or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, name + HALF))
        casts.append(helper.make_node('Cast', [name + HALF], [name], to=TensorProto.FLOAT))
    nodes = list(result.graph.node)
    del result.graph.node[:]
    result.graph.node.extend([*casts, *nodes])
    return result


def strip_provenance(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter noted about itself: source files, stack traces, documentation.

    Args:
        model: Not modified.

    Returns:
        A new model without paths of the machine that exported it.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    groups = [graph.node, graph.initializer, graph.value_info, graph.input, graph.output]
    functions = [*result.functions, *(node for f in result.functions for node in f.node)]
    for item in [result, graph, *functions, *(item for group in groups for item in group)]:
        item.ClearField('metadata_props')
        item.ClearField('doc_string')
    return result
