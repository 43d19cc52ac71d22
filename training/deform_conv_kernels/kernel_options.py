# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tile in Triton's terms: the same for the operator and for compiling ahead of time."""

from training.deform_conv_kernels.tiles import Tile


def kernel_constants(tile: Tile) -> dict[str, int | bool | str]:
    """Compile-time parameters of the kernel by name."""
    return {
        'TILE_OUT': tile.out_channels,
        'TILE_PIXELS': tile.pixels,
        'TILE_IN': tile.in_channels,
        'PASS': tile.channel_pass,
        'PRECISION': 'tf32' if tile.precision == 'tf32' else 'ieee',
        'EVEN_CHANNELS': tile.even_channels,
        'CHANNELS_LAST': tile.channels_last,
    }


def compile_options(tile: Tile) -> dict[str, int | bool]:
    """Options of Triton's compiler; fused multiply-add is set, since its default will change."""
    return {'num_warps': tile.warps, 'num_stages': tile.stages, 'enable_fp_fusion': True}
