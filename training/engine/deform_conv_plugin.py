# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``upsnet::DeformConv2d`` for TensorRT, as an ahead-of-time quick deployable plugin.

Importing this module registers it. TensorRT then times every tile whose compiled kernel fits
(see :mod:`training.deform_conv_kernels.tiles`), writes the PTX of the fastest into the engine and
launches it there itself: a vehicle that runs the engine needs neither this module nor Python.

Attributes are arrays, because scalar ones fail in the package of TensorRT 10.16 beside NumPy 2.4.
Annotations are objects, because the package reads them: no ``from __future__`` here.
"""

import typing

import numpy as np
import numpy.typing as npt
import tensorrt as trt
import tensorrt.plugin as trtp

from training.deform_conv_kernels.launch import Convolution, check_sizes, plan_launch
from training.deform_conv_kernels.ptx_store import CompiledKernel, read_store
from upsnet_ros.core.errors import ParameterError

NAMESPACE, NAME = 'upsnet', 'DeformConv2d'
PLUGIN = f'{NAMESPACE}::{NAME}'
Integers = npt.NDArray[np.int32]
PRECISIONS = {trt.DataType.HALF: 'float16', trt.DataType.FLOAT: 'float32'}
TYPE_NAMES = {'float16': 'FP16', 'float32': 'FP32'}
# TensorRT's channels-last formats; the former rounds channels up to 8, so only multiples take it.
CHANNELS_LAST = {'float16': 'HWC8', 'float32': 'HWC'}
CHANNEL_VECTOR = 8
LINEAR = 'LINEAR'

KERNELS = read_store().kernels  # a tactic is an index of these plus one, since 0 is the default


@trtp.register(PLUGIN)
def deform_conv2d(
    x: trtp.TensorDesc,
    weight: trtp.TensorDesc,
    offset: trtp.TensorDesc,
    bias: trtp.TensorDesc,
    kernel_shape: Integers,
    strides: Integers,
    pads: Integers,
    dilations: Integers,
) -> trtp.TensorDesc:
    """Type and shape of the output.

    Args:
        x: float32 or float16 ``[N, C, H, W]``.
        weight: Of x's type, ``[kernel height, kernel width, out channels, C]``, the last dimension
            rounded up to a multiple of 16 with zeros.
        offset: float32 ``[N, 2 * kernel height * kernel width, out height, out width]``.
        bias: Of x's type, ``[out channels]``.
        kernel_shape: Height and width.
        strides: Along height and width.
        pads: Top, left, bottom, right.
        dilations: Along height and width.
    """
    y = x.like()
    y.shape_expr[1] = weight.shape_expr[2]
    y.shape_expr[2] = offset.shape_expr[2]
    y.shape_expr[3] = offset.shape_expr[3]
    return y


@trtp.autotune(PLUGIN)
def supported_formats(
    x: trtp.TensorDesc,
    weight: trtp.TensorDesc,
    offset: trtp.TensorDesc,
    bias: trtp.TensorDesc,
    outputs: typing.Tuple[trtp.TensorDesc],  # noqa: UP006 (the package compares with typing's)
) -> typing.List[trtp.AutoTuneCombination]:  # noqa: UP006
    """The tiles for x stored channel by channel, and for x stored pixel by pixel."""
    precision = precision_of(x.dtype)
    name = TYPE_NAMES[precision]
    combinations = []
    for channels_last in (False, True):
        tactics = tactics_for(precision, int(x.shape[1]), channels_last=channels_last)
        if tactics:
            layout = CHANNELS_LAST[precision] if channels_last else LINEAR
            types = ','.join((name, name, 'FP32', name, name))
            layouts = ','.join((layout, LINEAR, LINEAR, LINEAR, LINEAR))
            combinations.append(trtp.AutoTuneCombination(types, layouts, tactics))
    return combinations


@trtp.aot_impl(PLUGIN)
def compiled_kernel(
    x: trtp.TensorDesc,
    weight: trtp.TensorDesc,
    offset: trtp.TensorDesc,
    bias: trtp.TensorDesc,
    kernel_shape: Integers,
    strides: Integers,
    pads: Integers,
    dilations: Integers,
    outputs: typing.Tuple[trtp.TensorDesc],  # noqa: UP006
    tactic: int,
) -> typing.Tuple[str, str, trtp.KernelLaunchParams, trtp.SymIntExprs]:  # noqa: UP006
    """Name, PTX, grid and scalar arguments of a tactic's kernel, for any batch and map size."""
    kernel = kernel_of(tactic)
    batch, channels, height, width = x.shape_expr
    convolution = Convolution(
        batch=batch,
        in_channels=channels,
        height=height,
        width=width,
        out_channels=weight.shape_expr[2],
        out_height=offset.shape_expr[2],
        out_width=offset.shape_expr[3],
        weight_row=weight.shape_expr[3],
        kernel=_pair(kernel_shape),
        stride=_pair(strides),
        padding=_symmetric(pads),
        dilation=_pair(dilations),
    )
    _check_known(convolution, kernel)
    launch = plan_launch(convolution, kernel.tile)
    parameters = trtp.KernelLaunchParams(*launch.grid, *launch.block, kernel.shared)
    scalars = trtp.SymIntExprs.from_tuple([trtp.SymInt32(value) for value in launch.scalars])
    return kernel.entry, kernel.text, parameters, scalars


def precision_of(dtype: trt.DataType) -> str:
    """Name of a precision by TensorRT's type.

    Raises:
        ParameterError: If there is no kernel for it.
    """
    if dtype not in PRECISIONS:
        raise ParameterError(
            f'{PLUGIN} on tensors of type {dtype}: expected float32 or float16; build with '
            '--precision fp32 or fp16'
        )
    return PRECISIONS[dtype]


def tactics_for(precision: str, in_channels: int, *, channels_last: bool) -> list[int]:
    """Numbers of the tiles that compute a convolution of so many input channels, ascending."""
    if channels_last and in_channels % CHANNEL_VECTOR:
        return []
    return [
        number
        for number, kernel in enumerate(KERNELS, 1)
        if kernel.tile.precision == precision
        and kernel.tile.channels_last == channels_last
        and kernel.tile.fits(in_channels, 1, 1)
    ]


def kernel_of(tactic: int) -> CompiledKernel:
    """The kernel of a tactic.

    Raises:
        ParameterError: If there is none of this number.
    """
    if not 1 <= tactic <= len(KERNELS):
        raise ParameterError(f'tactic {tactic} of {PLUGIN}: expected 1 to {len(KERNELS)}')
    return KERNELS[tactic - 1]


def _pair(values: Integers) -> tuple[int, int]:
    height, width = np.asarray(values).tolist()
    return height, width


def _symmetric(pads: Integers) -> tuple[int, int]:
    top, left, bottom, right = np.asarray(pads).tolist()
    if (top, left) != (bottom, right):
        raise ParameterError(
            f'{PLUGIN} with pads {[top, left, bottom, right]}: expected the same at both ends'
        )
    return top, left


def _check_known(convolution: Convolution, kernel: CompiledKernel) -> None:
    """Check the sizes where all are known when the engine is built; see ``check_sizes``."""
    known = {}
    for name, value in vars(convolution).items():
        if isinstance(value, trtp.SymInt32):
            if not value.is_constant:
                return
            value = value.constant_value()
        known[name] = value
    check_sizes(Convolution(**known), kernel.tile)
