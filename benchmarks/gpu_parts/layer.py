# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One deformable convolution to be measured: its tensors, and the launch of our kernel on them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.gpu_parts.precision import KINDS
from training.deform_conv_kernels.kernel import deform_conv2d_kernel
from training.deform_conv_kernels.kernel_call import convolution_of, pack_weight
from training.deform_conv_kernels.kernel_options import compile_options, kernel_constants
from training.deform_conv_kernels.launch import Convolution, check_sizes, plan_launch
from training.deform_conv_kernels.tiles import Tile

GUARD = 4096  # values before and after a guarded tensor
OFFSET_SPREAD = 2.0  # standard deviation of random offsets in cells


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of a layer with a 3x3 kernel.

    Attributes:
        batch: Images.
        in_channels, out_channels: Of the map before and after.
        size: Height and width of the map in cells.
        stride, padding, dilation: The same along height and width.
    """

    in_channels: int
    out_channels: int
    size: tuple[int, int]
    batch: int = 1
    stride: int = 1
    padding: int = 1
    dilation: int = 1

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the result."""
        reach = 2 * self.dilation + 1
        height, width = ((n + 2 * self.padding - reach) // self.stride + 1 for n in self.size)
        return height, width

    @property
    def flop(self) -> int:
        """Products and sums of the matrix product, sampling not counted."""
        height, width = self.out_size
        return 2 * 9 * self.in_channels * self.out_channels * self.batch * height * width

    @property
    def name(self) -> str:
        """Such as ``256->128 256x512``."""
        return f'{self.in_channels}->{self.out_channels} {self.size[0]}x{self.size[1]}'


@dataclass(frozen=True)
class Layer:
    """Tensors of one layer.

    Attributes:
        shape: Its sizes.
        x: ``[N, C, H, W]``, contiguous, between values that are no numbers.
        offset: float32 ``[N, 18, H', W']`` in cells.
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]``.
    """

    shape: Shape
    x: Tensor
    offset: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def settings(self) -> dict[str, tuple[int, int]]:
        """Stride, padding and dilation, as operators take them."""
        s = self.shape
        values = {'stride': s.stride, 'padding': s.padding, 'dilation': s.dilation}
        return {name: (value, value) for name, value in values.items()}

    @property
    def convolution(self) -> Convolution:
        """Sizes as the launch of our kernel is planned from them."""
        one = {'groups': 1, 'offset_groups': 1}
        return convolution_of(self.x, self.offset, self.weight, **self.settings, **one)


def make_layer(shape: Shape, precision: str, device: str, *, seed: int = 0) -> Layer:
    """A layer of random values, the same every time on one device."""
    generator = torch.Generator(device).manual_seed(seed)
    kind = KINDS[precision]

    def draw(*sizes: int, spread: float = 1.0) -> Tensor:
        return spread * torch.randn(*sizes, device=device, generator=generator)

    s = shape
    even = (9 * s.in_channels) ** -0.5  # results are as large as features
    return Layer(
        shape=shape,
        x=guarded(draw(s.batch, s.in_channels, *s.size).to(kind)),
        offset=draw(s.batch, 18, *s.out_size, spread=OFFSET_SPREAD),
        weight=draw(s.out_channels, s.in_channels, 3, 3, spread=even).to(kind),
        bias=draw(s.out_channels).to(kind),
    )


def guarded(values: Tensor) -> Tensor:
    """A copy between values that are no numbers, which a read outside would bring in."""
    around = values.new_full((values.numel() + 2 * GUARD,), torch.nan)
    inside = around[GUARD : GUARD + values.numel()]
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        batch, channels, height, width = values.shape
        inside.copy_(values.permute(0, 2, 3, 1).reshape(-1))
        return inside.view(batch, height, width, channels).permute(0, 3, 1, 2)
    inside.copy_(values.reshape(-1))
    return inside.view(values.shape)


def guard_is_whole(values: Tensor) -> bool:
    """Whether nothing was written before or after a guarded tensor."""
    around = values.as_strided((values.numel() + 2 * GUARD,), (1,), 0)
    return bool(around[:GUARD].isnan().all() and around[-GUARD:].isnan().all())


@dataclass(frozen=True)
class KernelArguments:
    """Tensors in the layouts that a tile's kernel reads.

    Attributes:
        convolution: Their sizes.
        tile: What they are laid out for.
        inputs: x, weight, offset and bias.
        y: ``[N, O, H', W']`` to be written, no numbers at first, guarded.
    """

    convolution: Convolution
    tile: Tile
    inputs: tuple[Tensor, Tensor, Tensor, Tensor]
    y: Tensor


def kernel_arguments(layer: Layer, tile: Tile) -> KernelArguments:
    """Lay out a layer's tensors for a tile.

    Raises:
        ParameterError: If the tile does not compute such a layer.
    """
    convolution = layer.convolution
    check_sizes(convolution, tile)
    memory = torch.channels_last if tile.channels_last else torch.contiguous_format
    x = guarded(layer.x.contiguous(memory_format=memory))
    s = layer.shape
    y = layer.x.new_full((s.batch, s.out_channels, *s.out_size), torch.nan)
    inputs = (x, pack_weight(layer.weight), layer.offset, layer.bias)
    return KernelArguments(convolution, tile, inputs, guarded(y))


def launch_with_triton(arguments: KernelArguments) -> None:
    """Queue the kernel that Triton compiles for this GPU, on the current stream."""
    tile = arguments.tile
    launch = plan_launch(arguments.convolution, tile)
    deform_conv2d_kernel[launch.grid](
        *(*arguments.inputs, *launch.scalars, arguments.y),
        **kernel_constants(tile),
        **compile_options(tile),
    )
