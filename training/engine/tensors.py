# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Types and shapes of all tensors of an ONNX graph."""

from dataclasses import dataclass

import onnx
from onnx import TensorProto


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor before the graph runs.

    Attributes:
        dtype: A value of ``onnx.TensorProto.DataType``; 0 where it is unknown.
        shape: Sizes of all axes, None unless every one is fixed.
    """

    dtype: int
    shape: tuple[int, ...] | None

    @property
    def type_name(self) -> str:
        """ONNX's name of the type, for example ``FLOAT16``."""
        return TensorProto.DataType.Name(self.dtype)


def infer_tensors(model: onnx.ModelProto) -> dict[str, TensorInfo]:
    """Type and shape of every input, constant and result of a graph, by name."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True).graph
    tensors = {
        value.name: _describe(value) for value in [*graph.input, *graph.value_info, *graph.output]
    }
    constants = {
        constant.name: TensorInfo(constant.data_type, tuple(constant.dims))
        for constant in graph.initializer
    }
    return tensors | constants


def _describe(value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    fixed = tensor.HasField('shape') and all(d.HasField('dim_value') for d in tensor.shape.dim)
    shape = tuple(dim.dim_value for dim in tensor.shape.dim) if fixed else None
    return TensorInfo(tensor.elem_type, shape)


def data_dependent_shapes(model: onnx.ModelProto) -> list[str]:
    """Names of node outputs whose shape is not known to be fixed (expected: none)."""
    tensors = infer_tensors(model)
    made = [name for node in model.graph.node for name in node.output if name]
    return [name for name in made if name not in tensors or tensors[name].shape is None]
