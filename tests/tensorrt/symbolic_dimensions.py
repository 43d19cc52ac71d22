# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Symbolic dimensions in the place of those that TensorRT's builder makes, which is not here.

NVIDIA's Python package, its plugin registry and its classes are the real ones; only the integers
that the builder would pass through them are ours.
"""

from typing import Any

import pytest
import tensorrt as trt
from tensorrt.plugin import _tensor


class Dimension:
    """A dimension of the network: a constant, or what it becomes when the sizes are known."""

    def __init__(self, value: int, *, known: bool = True) -> None:
        self.value = value
        self.known = known

    def is_constant(self) -> bool:
        return self.known

    def get_constant_value(self) -> int:
        assert self.known
        return self.value

    def is_size_tensor(self) -> bool:
        return False


class Builder:
    """Makes expressions as ``IExprBuilder`` does."""

    def constant(self, value: int) -> Dimension:
        return Dimension(value)

    def operation(self, kind: Any, first: Dimension, second: Dimension) -> Dimension:
        kinds = trt.DimensionOperation
        a, b = first.value, second.value
        value = {
            kinds.SUM: a + b,
            kinds.SUB: a - b,
            kinds.PROD: a * b,
            kinds.FLOOR_DIV: a // b if b else 0,
        }[kind]
        return Dimension(value, known=first.known and second.known)


class Scalar:
    """An argument of the kernel, as the package hands it to the builder."""

    def __init__(self, expression: _tensor.SymInt32) -> None:
        assert isinstance(expression, _tensor.SymInt32)
        self.value = expression._expr.value


class Scalars(dict):
    """Receives the arguments of the kernel by position."""

    nbSymExprs = 0  # noqa: N815 (TensorRT's name)


def use_symbolic_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package work with the classes of this module."""
    monkeypatch.setattr(trt, 'IDimensionExpr', Dimension)
    monkeypatch.setattr(trt, 'DimsExprs', lambda length: [None] * length)
    monkeypatch.setattr(_tensor, 'SymExprImpl', Scalar)


def tensor(shape: tuple[int, ...], kind: Any, layout: Any) -> trt.DynamicPluginTensorDesc:
    """The description of an input or output."""
    described = trt.DynamicPluginTensorDesc()
    for name in ('min', 'opt', 'max'):
        setattr(described, name, trt.Dims([max(side, 1) for side in shape]))
    inner = trt.PluginTensorDesc()
    inner.dims, inner.type, inner.format, inner.scale = trt.Dims(shape), kind, layout, 1.0
    described.desc = inner
    return described
