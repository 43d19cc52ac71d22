# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From tensors to a launch of the kernel: layouts, checks, output."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.deform_conv_kernels.kernel import deform_conv2d_kernel
from training.deform_conv_kernels.kernel_options import compile_options, kernel_constants
from training.deform_conv_kernels.launch import Convolution, check_sizes, padded_row, plan_launch
from training.deform_conv_kernels.tiles import Tile, busy_tile, tiles_for
from upsnet_ros.core.errors import ParameterError

ELEMENT_TYPES = (torch.float32, torch.float16, torch.bfloat16)


def pack_weight(weight: Tensor) -> Tensor:
    """Bring a weight into the kernel's layout.

    Args:
        weight: ``[out_channels, in_channels / groups, kernel_height, kernel_width]``.

    Returns:
        ``[kernel_height, kernel_width, out_channels, row]``: the row is the input channels of a
        group, filled up with zeros to a multiple of 16.
    """
    group_in = weight.shape[1]
    rows = weight.permute(2, 3, 0, 1)
    return F.pad(rows, (0, padded_row(group_in) - group_in)).contiguous()


def convolution_of(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    offset_groups: int,
) -> Convolution:
    """Sizes of a convolution of tensors laid out as torchvision has them.

    Raises:
        ParameterError: If the ranks, the batch sizes or the channels of the tensors do not agree.
    """
    if not x.ndim == offset.ndim == weight.ndim == 4:
        raise ParameterError(
            f'x, offset and weight of {x.ndim}, {offset.ndim} and {weight.ndim} dimensions, '
            'expected 4 each'
        )
    kernel = weight.shape[2:]
    wanted = (x.shape[0], 2 * kernel[0] * kernel[1] * offset_groups)
    if tuple(offset.shape[:2]) != wanted:
        raise ParameterError(f'offset of shape {tuple(offset.shape)}, expected {wanted} first')
    if weight.shape[1] * groups != x.shape[1]:
        raise ParameterError(
            f'weight of {weight.shape[1]} input channels in each of {groups} groups, but x has '
            f'{x.shape[1]} channels'
        )
    return Convolution(
        *(x.shape[0], x.shape[1], x.shape[2], x.shape[3]),
        *(weight.shape[0], offset.shape[2], offset.shape[3]),
        weight_row=padded_row(weight.shape[1]),
        kernel=(kernel[0], kernel[1]),
        stride=(stride[0], stride[1]),
        padding=(padding[0], padding[1]),
        dilation=(dilation[0], dilation[1]),
        groups=groups,
        offset_groups=offset_groups,
    )


def choose_tile(convolution: Convolution, precision: str) -> Tile:
    """The tile for a convolution: reading channels last if its channels allow."""
    c = convolution
    for channels_last in (True, False):
        tiles = [
            tile
            for tile in tiles_for(precision, channels_last=channels_last)
            if tile.fits(c.in_channels, c.groups, c.offset_groups)
        ]
        if tiles:
            break
    return busy_tile(
        tiles,
        pixels=c.out_height * c.out_width,
        batch=c.batch,
        group_out=c.out_channels // c.groups,
        groups=c.groups,
    )


def call_kernel(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    convolution: Convolution,
    tile: Tile,
) -> Tensor:
    """Launch the kernel once.

    Args:
        x: ``[N, C, H, W]`` float32, float16 or bfloat16, of any memory format; it is copied if
            the tile reads another.
        offset: ``[N, 2 * taps * offset_groups, H', W']``, floating point.
        weight: ``[O, C / groups, kernel height, kernel width]``, of the type of x.
        bias: ``[O]``, of the type of x, or None.
        convolution: Their sizes, see :func:`convolution_of`.
        tile: Any that fits.

    Returns:
        ``[N, O, H', W']``, contiguous, of the type of x.

    Raises:
        ParameterError: If types or sizes do not fit.
    """
    check_sizes(convolution, tile)
    _check_types(x, weight, bias, tile)
    c = convolution
    if bias is None:
        bias = x.new_zeros(c.out_channels)
    elif tuple(bias.shape) != (c.out_channels,):
        raise ParameterError(f'bias of shape {tuple(bias.shape)}, expected ({c.out_channels},)')
    y = x.new_empty(c.batch, c.out_channels, c.out_height, c.out_width)
    if y.numel() == 0:
        return y
    memory = torch.channels_last if tile.channels_last else torch.contiguous_format
    launch = plan_launch(convolution, tile)
    deform_conv2d_kernel[launch.grid](
        *(x.contiguous(memory_format=memory), pack_weight(weight)),
        *(offset.float().contiguous(), bias.contiguous()),
        *(*launch.scalars, y),
        **kernel_constants(tile),
        **compile_options(tile),
    )
    return y


def _check_types(x: Tensor, weight: Tensor, bias: Tensor | None, tile: Tile) -> None:
    types = {tensor.dtype for tensor in (x, weight, bias) if tensor is not None}
    if len(types) > 1 or x.dtype not in ELEMENT_TYPES:
        names = ', '.join(sorted(str(kind) for kind in types))
        raise ParameterError(f'x, weight and bias of {names}: expected one of {ELEMENT_TYPES}')
    if (x.dtype == torch.float32) == (tile.precision == 'float16'):
        raise ParameterError(f'tile {tile.name} does not compute {x.dtype}')
