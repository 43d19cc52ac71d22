# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch operator ``upsnet::deform_conv2d``: our kernel forward, torchvision's backward.

On a CPU both are torchvision's. Traced graphs and compilers see one operator with known shapes.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torchvision
from torch import Tensor

from training.deform_conv_kernels.kernel_call import call_kernel, choose_tile, convolution_of

HALVES = (torch.float16, torch.bfloat16)
NO_GRADIENT_OF_SETTINGS = (None,) * 5  # stride, padding, dilation, groups, offset_groups


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    offset_groups: int = 1,
) -> Tensor:
    """Deformable convolution v1, differentiable once.

    Under autocast, features and weights are taken in autocast's type on a GPU and in float32 on
    a CPU. Offsets stay as they are: coordinates are always computed in float32.

    Args:
        x: ``[N, C, H, W]``; memory format channels last saves a copy on a GPU.
        offset: ``[N, 2 * taps * offset_groups, H', W']``: of every tap dy, then dx, in cells.
        weight: ``[O, C / groups, kernel height, kernel width]``.
        bias: ``[O]`` or None.
        stride: Of the output's pixels along height and width, in cells.
        padding: Cells of zeros on both sides of height and width.
        dilation: Distance of taps along height and width, in cells.
        groups: Channel groups.
        offset_groups: Groups of input channels with offsets of their own.

    Returns:
        ``[N, O, H', W']`` of the type of x, or of autocast's.

    Raises:
        ParameterError: On a GPU, if types or sizes do not fit each other.
    """
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device) if device == 'cuda' else torch.float32
        x, weight = x.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    settings = (list(stride), list(padding), list(dilation), groups, offset_groups)
    return torch.ops.upsnet.deform_conv2d(x, offset, weight, bias, *settings)


@torch.library.custom_op('upsnet::deform_conv2d', mutates_args=(), device_types='cuda')
def _forward(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    offset_groups: int,
) -> Tensor:
    convolution = convolution_of(
        *(x, offset, weight),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        offset_groups=offset_groups,
    )
    with torch.cuda.device(x.device):  # Triton launches on the current one
        tile = choose_tile(convolution, precision_of(x.dtype))
        return call_kernel(x, offset, weight, bias, convolution, tile)


def precision_of(kind: torch.dtype) -> str:
    """Precision of the tiles for this type of tensor: float32 as plain convolutions have it.

    PyTorch lets cuDNN round the factors of float32 convolutions to 10 bits (TF32) unless
    ``torch.backends.cudnn.conv.fp32_precision`` says otherwise; so do we.
    """
    if kind in HALVES:
        return 'float16'
    return 'tf32' if torch.backends.cudnn.conv.fp32_precision == 'tf32' else 'float32'


@_forward.register_kernel('cpu')
def _forward_on_cpu(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    offset_groups: int,
) -> Tensor:
    # torchvision reads both numbers of groups from the shapes.
    convolved = torchvision.ops.deform_conv2d(
        *(x, offset.to(x.dtype), weight, bias), tuple(stride), tuple(padding), tuple(dilation)
    )
    return convolved.contiguous()


@_forward.register_fake
def _shape(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    offset_groups: int,
) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0], offset.shape[2], offset.shape[3])


def _remember(ctx: Any, inputs: tuple, output: Tensor) -> None:
    x, offset, weight, bias, *ctx.settings = inputs
    ctx.save_for_backward(x, offset, weight)
    ctx.bias_kind = None if bias is None else bias.dtype


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, offset, weight = ctx.saved_tensors
    stride, padding, dilation, groups, offset_groups = ctx.settings
    # torchvision adds up gradients in the type of the tensors, for which a half is too coarse.
    kind = torch.float32 if x.dtype in HALVES else x.dtype
    no_mask = x.new_zeros(x.shape[0], 1, dtype=kind)  # torchvision still looks at each image's
    gradients = torch.ops.torchvision._deform_conv2d_backward(
        *(gradient.to(kind).contiguous(), x.to(kind), weight.to(kind), offset.to(kind)),
        *(no_mask, x.new_zeros(weight.shape[0], dtype=kind)),
        *(*stride, *padding, *dilation, groups, offset_groups, False),
    )
    of_x, of_weight, of_offset, _, of_bias = gradients
    return (
        of_x.to(x.dtype),
        of_offset.to(offset.dtype),
        of_weight.to(weight.dtype),
        None if ctx.bias_kind is None else of_bias.to(ctx.bias_kind),
        *NO_GRADIENT_OF_SETTINGS,
    )


_forward.register_autograd(_backward, setup_context=_remember)
