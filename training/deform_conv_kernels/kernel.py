# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Triton kernel: deformable convolution v1, sampling fused with the matrix product.

One program computes a tile of output channels x output pixels of one image. Samples go from the
map through registers straight into the product, so the column buffer (nine times the input) of an
``im2col`` implementation is neither written nor read. Pixels lie along the fastest axis of every
tile: the map is stored by channel, and neighbouring pixels sample neighbouring addresses.

All sizes are runtime integers, so one compiled text serves every layer of a network. Parameters
are pointers and 32-bit integers only, in the order in which TensorRT passes them: inputs, scalars,
output.

Source: Dai et al. 2017; borders as in ``torchvision.ops.deform_conv2d``. One thing is defined here
and undefined there: an offset that is no number makes its output pixel no number.
"""

import triton
import triton.language as tl

from training.deform_conv_kernels.launch import SCALARS


@triton.jit
def _cell_and_share(position, size):
    """Split coordinates along one axis into the cell before them and the share of the next.

    Anything further outside than two cells is moved there: it samples zeros as before, and its
    integer part fits any integer. A coordinate that is no number keeps its share (no number),
    but its cell is outside, so nothing is read for it.
    """
    position = tl.where(position < -2.0, -2.0, position)
    last = (size + 1).to(tl.float32)
    position = tl.where(position > last, last, position)
    floor = tl.floor(position)
    cell = tl.where(position == position, floor, -2.0).to(tl.int32)
    return cell, position - floor


@triton.jit
def _corners(position_y, position_x, height, width, valid):
    """Cells, weights and masks of the four cells around every position: ``[1, TILE_PIXELS]``."""
    cell_y, share_y = _cell_and_share(position_y, height)
    cell_x, share_x = _cell_and_share(position_x, width)
    top = valid & (cell_y >= 0) & (cell_y < height)
    bottom = valid & (cell_y >= -1) & (cell_y < height - 1)
    left = (cell_x >= 0) & (cell_x < width)
    right = (cell_x >= -1) & (cell_x < width - 1)
    rest_y, rest_x = 1.0 - share_y, 1.0 - share_x
    weights = (
        (rest_y * rest_x)[None, :],
        (rest_y * share_x)[None, :],
        (share_y * rest_x)[None, :],
        (share_y * share_x)[None, :],
    )
    masks = (
        (top & left)[None, :],
        (top & right)[None, :],
        (bottom & left)[None, :],
        (bottom & right)[None, :],
    )
    return cell_y, cell_x, weights, masks


@triton.jit
def _interpolate(corner, row_step, cell_step, weights, masks):
    """Weighted sum in float32 of the values at ``corner`` and its three neighbours."""
    v00 = tl.load(corner, mask=masks[0], other=0.0).to(tl.float32)
    v01 = tl.load(corner + cell_step, mask=masks[1], other=0.0).to(tl.float32)
    v10 = tl.load(corner + row_step, mask=masks[2], other=0.0).to(tl.float32)
    v11 = tl.load(corner + (row_step + cell_step), mask=masks[3], other=0.0).to(tl.float32)
    return weights[0] * v00 + weights[1] * v01 + weights[2] * v10 + weights[3] * v11


# Integers are not specialised (on being 1 or a multiple of 16): the operator compiles once for all
# layers too, and what it computes is what the text compiled ahead of time computes.
@triton.jit(do_not_specialize=list(SCALARS))
def deform_conv2d_kernel(
    x,
    weight,
    offset,
    bias,
    in_channels,
    height,
    width,
    out_channels,
    out_height,
    out_width,
    kernel_height,
    kernel_width,
    stride_height,
    stride_width,
    pad_top,
    pad_left,
    dilation_height,
    dilation_width,
    groups,
    offset_groups,
    weight_row_units,
    y,
    TILE_OUT: tl.constexpr,
    TILE_PIXELS: tl.constexpr,
    TILE_IN: tl.constexpr,
    PASS: tl.constexpr,
    PRECISION: tl.constexpr,
    EVEN_CHANNELS: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
):
    """Compute one tile ``[TILE_OUT, TILE_PIXELS]`` of ``y``.

    Tensors, all contiguous:
        x: ``[N, in_channels, height, width]``, or with CHANNELS_LAST ``[N, height, width,
            in_channels]``; float16, bfloat16 or float32.
        weight: ``[kernel_height, kernel_width, out_channels, 16 * weight_row_units]``, of the
            type of x; rows of ``in_channels / groups`` values, filled up with zeros.
        offset: ``[N, 2 * kernel_height * kernel_width * offset_groups, out_height, out_width]``,
            float32 or float16: of every tap dy, then dx, in cells.
        bias: ``[out_channels]``, of the type of x.
        y: ``[N, out_channels, out_height, out_width]``, of the type of x.

    Known when compiling:
        TILE_OUT: Output channels of a program.
        TILE_PIXELS: Output pixels of a program.
        TILE_IN: Input channels of one product; PASS is a multiple of it, it of 16.
        PASS: Input channels over which all taps go before the next channels follow. Few channels
            keep the neighbourhood that the taps share in the first-level cache.
        PRECISION: Of products of float32 tensors: ``ieee`` or ``tf32``.
        EVEN_CHANNELS: Whether input channels of a group, and of an offset group, are multiples
            of TILE_IN.
        CHANNELS_LAST: Whether x is; needs EVEN_CHANNELS.
    """
    group_in = in_channels // groups
    group_out = out_channels // groups
    pixels = out_height * out_width
    group_tiles = tl.cdiv(group_out, TILE_OUT)
    pixel_tiles = tl.cdiv(pixels, TILE_PIXELS)
    # Programs of the same pixels follow each other: they find the samples in the cache.
    program = tl.program_id(0)
    out_tile = program % (group_tiles * groups)
    rest = program // (group_tiles * groups)
    image = (rest // pixel_tiles).to(tl.int64)  # a batch may hold more than 2^31 values
    group = out_tile // group_tiles
    taps = kernel_height * kernel_width

    row_in_group = (out_tile % group_tiles) * TILE_OUT + tl.arange(0, TILE_OUT)
    row_valid = row_in_group < group_out
    row = group * group_out + row_in_group
    pixel = (rest % pixel_tiles) * TILE_PIXELS + tl.arange(0, TILE_PIXELS)
    pixel_valid = pixel < pixels
    base_y = (pixel // out_width) * stride_height - pad_top
    base_x = (pixel % out_width) * stride_width - pad_left

    area = height * width
    row_length = weight_row_units * 16  # known to be a multiple of 16: loads of 16 bytes
    channel_step = 1 if CHANNELS_LAST else area
    cell_step = row_length * groups if CHANNELS_LAST else 1
    row_step = width * cell_step
    x += image * (area * row_length * groups if CHANNELS_LAST else area * in_channels)
    x += group * (row_length if CHANNELS_LAST else group_in * area)
    offset += image * (2 * taps * offset_groups * pixels)
    channels_per_offset = in_channels // offset_groups
    group_start = group * group_in
    first_offset_group = group_start // channels_per_offset
    last_offset_group = (group_start + group_in - 1) // channels_per_offset

    total = tl.zeros((TILE_OUT, TILE_PIXELS), dtype=tl.float32)
    for offset_group in range(first_offset_group, last_offset_group + 1):
        # Channels of this group that take this group's offsets: [low, high).
        low = tl.maximum(offset_group * channels_per_offset - group_start, 0)
        high = tl.minimum((offset_group + 1) * channels_per_offset - group_start, group_in)
        # A multiple of TILE_IN, written so that the compiler knows: weights load in 16 bytes.
        first = low // TILE_IN * TILE_IN
        for pass_start in range(first, high, PASS):
            pass_end = tl.minimum(pass_start + PASS, high)
            for tap in range(0, taps):
                shift = offset + (offset_group * taps + tap) * 2 * pixels + pixel
                dy = tl.load(shift, mask=pixel_valid, other=0.0).to(tl.float32)
                dx = tl.load(shift + pixels, mask=pixel_valid, other=0.0).to(tl.float32)
                tap_y = (tap // kernel_width) * dilation_height
                tap_x = (tap % kernel_width) * dilation_width
                position_y = (base_y + tap_y).to(tl.float32) + dy
                position_x = (base_x + tap_x).to(tl.float32) + dx
                cell_y, cell_x, weights, masks = _corners(
                    position_y, position_x, height, width, pixel_valid
                )
                cell = (cell_y * row_step + cell_x * cell_step)[None, :]
                for start in range(pass_start, pass_end, TILE_IN):
                    channel = start + tl.arange(0, TILE_IN)
                    weight_row = weight + (tap * out_channels + row)[:, None] * row_length
                    factors = tl.load(
                        weight_row + channel[None, :],
                        mask=row_valid[:, None] & (channel < row_length)[None, :],
                        other=0.0,
                    )
                    source = channel
                    if not EVEN_CHANNELS:
                        # Of channels outside, a neighbour's values are read and not used.
                        source = tl.minimum(tl.maximum(channel, low), high - 1)
                    corner = x + (source[:, None] * channel_step + cell)
                    sample = _interpolate(corner, row_step, cell_step, weights, masks)
                    if not EVEN_CHANNELS:
                        used = (channel >= low) & (channel < high)
                        sample = tl.where(used[:, None], sample, 0.0)
                    sample = sample.to(x.dtype.element_ty)
                    total = tl.dot(factors, sample, total, input_precision=PRECISION)

    total += tl.load(bias + row, mask=row_valid, other=0.0).to(tl.float32)[:, None]
    y += image * (out_channels * pixels)
    tl.store(
        y + (row[:, None] * pixels + pixel[None, :]),
        total.to(y.dtype.element_ty),
        mask=row_valid[:, None] & pixel_valid[None, :],
    )
