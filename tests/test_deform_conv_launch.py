# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the deformable convolution's kernel is launched; needs neither torch nor Triton."""

import dataclasses

import pytest

from training.deform_conv_kernels.launch import (
    SCALARS,
    Convolution,
    check_sizes,
    plan_launch,
)
from training.deform_conv_kernels.tiles import TILES, Tile, busy_tile, tiles_for
from upsnet_ros.core.errors import ParameterError

TILES_BY_NAME = {tile.name: tile for tile in TILES}
ANY_TILE = TILES_BY_NAME['float32_any_64x64x16_w8']
# The semantic head's second layer at stride 4 of a Cityscapes image.
HEAD = Convolution(
    *(1, 128, 256, 512, 128, 256, 512, 128),
    kernel=(3, 3),
    stride=(1, 1),
    padding=(1, 1),
    dilation=(1, 1),
)


def test_launch_of_the_semantic_head() -> None:
    """By hand: 131072 pixels in tiles of 64, 128 channels in one tile; 256 threads."""
    launch = plan_launch(HEAD, TILES_BY_NAME['float16_nhwc_128x64x32_w8'])
    assert launch.grid == (2048, 1, 1)
    assert launch.block == (256, 1, 1)
    assert launch.scalars == (128, 256, 512, 128, 256, 512, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8)
    assert len(launch.scalars) == len(SCALARS)


def test_launch_counts_every_group_and_image() -> None:
    """By hand: 15 pixels: 1 tile; 70 of 140 channels: 2 tiles; 2 groups; 3 images."""
    convolution = Convolution(
        *(3, 34, 3, 5, 140, 3, 5, 32),
        kernel=(3, 2),
        stride=(1, 1),
        padding=(1, 0),
        dilation=(1, 2),
        groups=2,
        offset_groups=17,
    )
    launch = plan_launch(convolution, ANY_TILE)
    assert launch.grid[0] == 1 * 2 * 2 * 3
    assert launch.scalars == (34, 3, 5, 140, 3, 5, 3, 2, 1, 1, 1, 0, 1, 2, 2, 17, 2)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'weight_row': 100}, 'rows of 100 values in the weight, expected 128'),
        ({'out_height': 255}, 'output of 255x512.*gives 256x512'),
        ({'groups': 3}, '128 input channels'),
        ({'batch': -1}, 'negative'),
        ({'height': 2**15, 'out_height': 2**15}, 'values of an input image'),
        ({'out_channels': 2**14}, 'values of an output image'),
        ({'batch': 2**21}, 'programs'),
    ],
)
def test_sizes_that_the_kernel_cannot_number_are_refused(change: dict, message: str) -> None:
    check_sizes(HEAD, ANY_TILE)
    with pytest.raises(ParameterError, match=message):
        check_sizes(dataclasses.replace(HEAD, **change), ANY_TILE)


def test_tile_for_even_channels_takes_no_others() -> None:
    even = TILES_BY_NAME['float32_nhwc_64x64x16_w8']
    assert even.fits(128, 1, 1) and even.fits(128, 4, 8)
    assert not even.fits(128, 16, 1) and not even.fits(128, 1, 16) and not even.fits(120, 1, 1)
    assert ANY_TILE.fits(120, 8, 60)


def test_tiles_of_one_precision_are_listed_large_ones_first() -> None:
    for precision in ('float16', 'float32', 'tf32'):
        assert tiles_for(precision, channels_last=False)[-1].even_channels is False
        assert all(tile.channels_last for tile in tiles_for(precision, channels_last=True))
    with pytest.raises(ParameterError, match="'int8': expected one of float16, float32, tf32"):
        tiles_for('int8', channels_last=False)


def test_small_maps_take_the_tile_with_most_programs() -> None:
    tiles = tiles_for('float16', channels_last=True)

    def chosen(pixels: int, channels: int) -> Tile:
        return busy_tile(tiles, pixels=pixels, batch=1, group_out=channels, groups=1)

    assert chosen(10**6, 1024).out_channels == 256
    assert chosen(10**6, 128).pixels == 128
    assert (chosen(1, 128).out_channels, chosen(1, 128).pixels) == (64, 32)
    assert chosen(10**6, 3) == tiles[-1]
