# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the kernel is launched for given shapes: grid, block, scalars.

The PyTorch operator computes it with integers, the TensorRT plugin with TensorRT's symbolic ones
for the dimensions of the tensors. Those know ``+ * - //`` with the expression on the left, so
nothing else is used here on a dimension.
"""

from dataclasses import astuple, dataclass
from typing import Any

from training.deform_conv_kernels.tiles import ROW_UNIT, Tile
from upsnet_ros.core.errors import ParameterError

INT32_END = 2**31
# Parameters of the kernel, in order: inputs, scalars, output, as TensorRT passes them.
INPUTS = ('x', 'weight', 'offset', 'bias')
SCALARS = (
    'in_channels',
    'height',
    'width',
    'out_channels',
    'out_height',
    'out_width',
    'kernel_height',
    'kernel_width',
    'stride_height',
    'stride_width',
    'pad_top',
    'pad_left',
    'dilation_height',
    'dilation_width',
    'groups',
    'offset_groups',
    'weight_row_units',
)
OUTPUTS = ('y',)
PARAMETERS = INPUTS + SCALARS + OUTPUTS


@dataclass(frozen=True)
class Convolution:
    """Sizes of a deformable convolution; dimensions are integers or symbolic integers.

    Attributes:
        batch: Images.
        in_channels, height, width: Of the input.
        out_channels, out_height, out_width: Of the output.
        weight_row: Last dimension of the kernel's weight: input channels of a group, rounded up
            to a multiple of 16.
        kernel, stride, padding, dilation: Height and width, plain integers; padding is that
            above and to the left.
        groups: Channel groups, a plain integer.
        offset_groups: Groups of input channels with offsets of their own, a plain integer.
    """

    batch: Any
    in_channels: Any
    height: Any
    width: Any
    out_channels: Any
    out_height: Any
    out_width: Any
    weight_row: Any
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int = 1
    offset_groups: int = 1


@dataclass(frozen=True)
class Launch:
    """What a launch of the kernel takes beside its tensors.

    Attributes:
        grid: Programs along x, y, z.
        block: Threads along x, y, z.
        scalars: Values of SCALARS, in that order.
    """

    grid: tuple[Any, int, int]
    block: tuple[int, int, int]
    scalars: tuple[Any, ...]


def plan_launch(convolution: Convolution, tile: Tile) -> Launch:
    """Grid, block and scalars of one launch; nothing is checked (see :func:`check_sizes`)."""
    c = convolution
    pixel_tiles = _ceil_divided(c.out_height * c.out_width, tile.pixels)
    group_tiles = _ceil_divided(c.out_channels // c.groups, tile.out_channels)
    scalars = (
        *(c.in_channels, c.height, c.width),
        *(c.out_channels, c.out_height, c.out_width),
        *(*c.kernel, *c.stride, *c.padding, *c.dilation),
        *(c.groups, c.offset_groups, c.weight_row // ROW_UNIT),
    )
    grid = pixel_tiles * group_tiles * c.batch * c.groups
    return Launch((grid, 1, 1), (tile.threads, 1, 1), scalars)


def _ceil_divided(value: Any, divisor: int) -> Any:
    return (value + (divisor - 1)) // divisor


def padded_row(group_in: int) -> int:
    """Length of a row of the kernel's weight for so many input channels of a group."""
    return _ceil_divided(group_in, ROW_UNIT) * ROW_UNIT


def check_sizes(convolution: Convolution, tile: Tile) -> None:
    """Refuse sizes that the kernel would compute wrongly or read outside its tensors for.

    Args:
        convolution: With plain integers only.
        tile: The tile about to be launched.

    Raises:
        ParameterError: Naming the size, what it is and what it may be.
    """
    c = convolution
    numbers = [n for value in astuple(c) for n in (value if isinstance(value, tuple) else [value])]
    if min(*c.kernel, *c.stride, *c.dilation, c.groups, c.offset_groups) < 1 or min(numbers) < 0:
        raise ParameterError(f'deformable convolution of negative or empty sizes: {c}')
    for name, channels, parts in (
        ('input channels', c.in_channels, c.groups),
        ('output channels', c.out_channels, c.groups),
        ('input channels', c.in_channels, c.offset_groups),
    ):
        if channels < 1 or channels % parts:
            raise ParameterError(f'{channels} {name} cannot be shared out to {parts} groups')
    expected = tuple(_out_size(c, axis) for axis in (0, 1))
    if (c.out_height, c.out_width) != expected or min(expected) < 1:
        raise ParameterError(
            f'offsets for an output of {c.out_height}x{c.out_width}, but a map of '
            f'{c.height}x{c.width} with kernel {c.kernel}, stride {c.stride}, padding '
            f'{c.padding} and dilation {c.dilation} gives {expected[0]}x{expected[1]}'
        )
    if c.weight_row != padded_row(c.in_channels // c.groups):
        raise ParameterError(
            f'rows of {c.weight_row} values in the weight, expected '
            f'{padded_row(c.in_channels // c.groups)}: input channels of a group, rounded up to '
            f'a multiple of {ROW_UNIT}'
        )
    if not tile.fits(c.in_channels, c.groups, c.offset_groups):
        raise ParameterError(
            f'tile {tile.name} takes multiples of {tile.in_channels} input channels per group '
            f'and offset group; got {c.in_channels} in {c.groups} and {c.offset_groups} groups'
        )
    _check_range(c, tile)


def _out_size(c: Convolution, axis: int) -> int:
    """Output height (axis 0) or width; padding is the same on both sides."""
    reach = c.dilation[axis] * (c.kernel[axis] - 1) + 1
    size = (c.height, c.width)[axis]
    return (size + 2 * c.padding[axis] - reach) // c.stride[axis] + 1


def _check_range(c: Convolution, tile: Tile) -> None:
    """Refuse what 32-bit integers cannot number: values of one image, and programs."""
    pixels = c.out_height * c.out_width
    taps = c.kernel[0] * c.kernel[1]
    for name, count in (
        ('values of an input image', c.in_channels * (c.height + 4) * (c.width + 4)),
        ('values of an output image', (c.out_channels + tile.out_channels) * pixels),
        ('offsets of an image', 2 * taps * c.offset_groups * pixels),
        ('weights', taps * (c.out_channels + tile.out_channels) * c.weight_row),
        ('programs', plan_launch(c, tile).grid[0]),
    ):
        if count >= INT32_END:
            raise ParameterError(
                f'deformable convolution with {count} {name}, at most {INT32_END - 1} '
                'can be numbered: use smaller images or fewer at once'
            )
