# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tile sizes of the kernel: which are compiled, and which of them fits a convolution.

Chosen by what ``ptxas`` says of them (no register spills, shared memory within what every GPU
grants without asking) and by the instructions of the innermost loop; ``python -m
training.deform_conv_kernels.compile --table`` prints the former. TensorRT times them and takes
the fastest; the PyTorch operator takes the first that keeps a large GPU busy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from upsnet_ros.core.errors import ParameterError

ROW_UNIT = 16  # rows of the weight are a multiple of this long: its loads are 16 bytes wide
WARP = 32  # threads
BUSY_PROGRAMS = 128  # about one for each multiprocessor of the largest GPUs


@dataclass(frozen=True)
class Tile:
    """One way to cut a convolution into programs; a TensorRT tactic.

    Attributes:
        precision: ``float16``; ``float32``; or ``tf32``: float32 tensors, products of 10-bit
            mantissas on matrix units.
        out_channels: Output channels of a program; a power of two, as the next two.
        pixels: Output pixels of a program.
        in_channels: Input channels of one matrix product.
        channel_pass: Input channels that all taps go over before the next follow.
        warps: Warps of 32 threads of a program.
        stages: Products whose operands are on their way at once.
        even_channels: Only for input channels of a group, and of an offset group, that are
            multiples of ``in_channels``; False: for any number.
        channels_last: Whether x is stored ``[N, H, W, C]`` instead of ``[N, C, H, W]``.
    """

    precision: str
    out_channels: int
    pixels: int
    in_channels: int
    channel_pass: int
    warps: int
    stages: int
    even_channels: bool
    channels_last: bool

    @property
    def name(self) -> str:
        """Unique among the tiles; the stem of its file."""
        layout = 'nhwc' if self.channels_last else 'nchw' if self.even_channels else 'any'
        sizes = f'{self.out_channels}x{self.pixels}x{self.in_channels}'
        return f'{self.precision}_{layout}_{sizes}_w{self.warps}'

    @property
    def threads(self) -> int:
        """Threads of a program."""
        return WARP * self.warps

    def fits(self, in_channels: int, groups: int, offset_groups: int) -> bool:
        """Whether the tile computes a convolution of so many channels and groups."""
        shares = (in_channels // groups, in_channels // offset_groups)
        return not self.even_channels or all(share % self.in_channels == 0 for share in shares)


# Output channels, pixels, input channels, channels of a pass, warps, stages, whether channels must
# be multiples, whether they come last; large tiles first.
TILES = (
    Tile('float16', 256, 64, 32, 128, 8, 2, True, True),
    Tile('float16', 128, 128, 32, 64, 8, 2, True, True),
    Tile('float16', 128, 64, 32, 128, 8, 2, True, True),
    Tile('float16', 128, 32, 32, 128, 8, 3, True, True),
    Tile('float16', 64, 32, 32, 128, 4, 3, True, True),
    Tile('float16', 128, 128, 16, 64, 8, 2, True, False),
    Tile('float16', 128, 64, 16, 64, 8, 1, True, False),
    Tile('float16', 64, 64, 16, 64, 4, 2, True, False),
    Tile('float16', 64, 64, 16, 64, 4, 2, False, False),
    Tile('float32', 128, 64, 16, 64, 8, 1, True, True),
    Tile('float32', 64, 64, 16, 64, 8, 2, True, True),
    Tile('float32', 64, 64, 16, 64, 8, 1, True, False),
    Tile('float32', 64, 64, 16, 64, 8, 1, False, False),
    Tile('tf32', 128, 64, 16, 64, 8, 2, True, True),
    Tile('tf32', 64, 64, 16, 64, 8, 3, True, True),
    Tile('tf32', 128, 64, 16, 64, 8, 1, True, False),
    Tile('tf32', 64, 64, 16, 64, 8, 2, False, False),
)


def tiles_for(precision: str, *, channels_last: bool) -> tuple[Tile, ...]:
    """Tiles of one precision that read x in the given layout, large ones first.

    Raises:
        ParameterError: If there is no such precision.
    """
    found = tuple(
        tile
        for tile in TILES
        if tile.precision == precision and tile.channels_last == channels_last
    )
    if not found:
        known = ', '.join(sorted({tile.precision for tile in TILES}))
        raise ParameterError(f'precision {precision!r}: expected one of {known}')
    return found


def busy_tile(
    tiles: Sequence[Tile], *, pixels: int, batch: int, group_out: int, groups: int
) -> Tile:
    """The first tile that makes enough programs for a large GPU, or else the one that makes most.

    A tile with more output channels than there are would compute what nobody needs, so such
    are taken last.

    Args:
        tiles: At least one, each of which fits the convolution.
        pixels: Output pixels of an image.
        batch: Images.
        group_out: Output channels of a group.
        groups: Groups.
    """

    def programs(tile: Tile) -> int:
        return batch * groups * -(-pixels // tile.pixels) * -(-group_out // tile.out_channels)

    sized = [tile for tile in tiles if tile.out_channels <= group_out] or list(tiles[-1:])
    busy = [tile for tile in sized if programs(tile) >= BUSY_PROGRAMS]
    return busy[0] if busy else max(sized, key=programs)
