# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the kernel in Triton's interpreter beside torchvision, and prints the differences.

``TRITON_INTERPRET=1 python -m tests.training.deform_conv_cases``: the variable decides when Triton
is first imported, hence a process of its own; ``test_deform_conv_kernel.py`` reads what it prints.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import triton.language as tl
import triton.runtime.interpreter
from torch import Tensor
from torchvision.ops import deform_conv2d
from triton.runtime.interpreter import TensorHandle

from benchmarks.gpu_parts.layer import guarded
from training.deform_conv_kernels.kernel_call import call_kernel, convolution_of
from training.deform_conv_kernels.tiles import TILES, Tile

SMALL = Tile('float32', 16, 32, 16, 32, 4, 1, even_channels=False, channels_last=False)
EVEN = replace(SMALL, out_channels=32, even_channels=True)
LAST = replace(EVEN, channels_last=True)
HALF, HALF_EVEN, HALF_LAST = (replace(t, precision='float16') for t in (SMALL, EVEN, LAST))
RANDOM_CASES = 10


@dataclass(frozen=True)
class Case:
    """One convolution of random values.

    Attributes:
        name: Identifies the case.
        shape: Images, input channels, height, width.
        out_channels: Output channels.
        kernel, stride, padding, dilation: Height and width.
        groups, offset_groups: Numbers of groups.
        tile: How the kernel cuts it.
        offsets: ``random``, ``zero``, ``half``, ``whole``, ``far``, ``infinite``, ``border``.
        bias: Whether there is one.
        kind: Type of the tensors.
        offset_kind: Type of the offsets handed over.
    """

    name: str
    shape: tuple[int, int, int, int] = (1, 5, 6, 7)
    out_channels: int = 6
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    offset_groups: int = 1
    tile: Tile = SMALL
    offsets: str = 'random'
    bias: bool = True
    kind: torch.dtype = torch.float32
    offset_kind: torch.dtype = torch.float32


NAMED_CASES = (
    Case('one pixel', shape=(1, 3, 1, 1)),
    Case('one row', shape=(1, 3, 1, 9)),
    Case('one column', shape=(1, 3, 9, 1)),
    Case('one pixel, channels last', shape=(1, 32, 1, 1), tile=LAST),
    Case('one column, channels last', shape=(1, 32, 7, 1), tile=LAST),
    Case('one channel', shape=(1, 1, 5, 5), out_channels=1),
    Case('odd size', shape=(1, 7, 9, 11), out_channels=17),
    Case('no image', shape=(0, 4, 5, 5)),
    Case('three images', shape=(3, 4, 5, 5)),
    Case('stride 2', stride=(2, 2), shape=(1, 4, 9, 8)),
    Case('dilation 2', dilation=(2, 2), padding=(2, 2), shape=(1, 4, 9, 8)),
    Case('unequal settings', kernel=(2, 3), stride=(2, 1), padding=(0, 2), dilation=(3, 1)),
    Case('kernel 1x1', kernel=(1, 1), padding=(0, 0)),
    Case('both groups', shape=(1, 12, 5, 5), out_channels=6, groups=2, offset_groups=3),
    Case('more groups of channels', shape=(1, 12, 4, 5), groups=6, offset_groups=2),
    Case('many passes', shape=(1, 75, 4, 4), out_channels=33),
    Case('both groups, last', (1, 96, 4, 5), 6, groups=3, offset_groups=6, tile=LAST),
    Case('whole offsets', offsets='whole'),
    Case('half offsets', offsets='half'),
    Case('no offsets', offsets='zero'),
    Case('offsets far outside', offsets='far'),
    Case('offsets infinitely far', offsets='infinite'),
    Case('offsets infinitely far, channels last', (1, 32, 6, 7), offsets='infinite', tile=LAST),
    Case('offsets onto the border', offsets='border'),
    Case('no bias', bias=False),
    Case('double offsets', offset_kind=torch.float64),
    Case('half precision', (1, 48, 6, 7), 20, kind=torch.float16, tile=HALF),
    Case('half precision, even', (1, 64, 6, 7), 40, kind=torch.float16, tile=HALF_EVEN),
    Case('half precision, last', (1, 64, 6, 7), 40, kind=torch.float16, tile=HALF_LAST),
    Case('bfloat16', (1, 48, 6, 7), 20, kind=torch.bfloat16, tile=HALF),
    Case(
        'half offsets in half precision',
        (1, 64, 6, 7),
        kind=torch.float16,
        tile=HALF_LAST,
        offset_kind=torch.float16,
    ),
)


def shipped_cases() -> tuple[Case, ...]:
    """One for each tile that is compiled: more pixels, channels in and out than one tile holds."""
    return tuple(
        Case(
            f'tile {tile.name}',
            shape=(1, tile.channel_pass + tile.in_channels, 3, tile.pixels // 3 + 2),
            out_channels=tile.out_channels + 1,
            kernel=(1, 2),
            padding=(0, 0),
            tile=tile,
            kind=torch.float16 if tile.precision == 'float16' else torch.float32,
        )
        for tile in TILES
    )


def random_cases() -> tuple[Case, ...]:
    """Cases of random sizes and settings, the same every time."""
    draw = random.Random(5)

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw.randint(low, high), draw.randint(low, high)

    cases = []
    while len(cases) < RANDOM_CASES:
        tile = draw.choice((SMALL, EVEN, LAST))
        groups, offset_groups = draw.choice((1, 1, 2, 3)), draw.choice((1, 1, 2, 4))
        unit = 16 if tile.even_channels else 1
        channels = unit * groups * offset_groups * draw.randint(1, 2)
        case = Case(
            f'random {len(cases)}',
            shape=(draw.randint(1, 2), channels, *pair(1, 6)),
            out_channels=groups * draw.randint(1, 20),
            kernel=draw.choice(((1, 1), (3, 3), (3, 3), pair(1, 4))),
            stride=pair(1, 3),
            padding=pair(0, 2),
            dilation=pair(1, 2),
            groups=groups,
            offset_groups=offset_groups,
            tile=tile,
            offsets=draw.choice(('random', 'random', 'far', 'half')),
            bias=draw.random() < 0.7,
        )
        if min(out_size(case)) > 0:
            cases.append(case)
    return tuple(cases)


def out_size(case: Case) -> tuple[int, int]:
    """Output height and width."""
    sizes = []
    for axis in (0, 1):
        reach = case.dilation[axis] * (case.kernel[axis] - 1) + 1
        free = case.shape[2 + axis] + 2 * case.padding[axis] - reach
        sizes.append(free // case.stride[axis] + 1)
    return sizes[0], sizes[1]


def make_offsets(case: Case, generator: torch.Generator) -> Tensor:
    """Offsets of the case's sort, float32."""
    taps = case.kernel[0] * case.kernel[1]
    shape = (case.shape[0], 2 * taps * case.offset_groups, *out_size(case))
    drawn = torch.randn(shape, generator=generator) * 2
    if case.offsets == 'zero':
        return torch.zeros(shape)
    if case.offsets == 'whole':
        return drawn.round()
    if case.offsets == 'half':
        return drawn.round() + 0.5
    if case.offsets == 'far':
        return drawn * 10.0 ** torch.randint(0, 12, shape, generator=generator)
    if case.offsets == 'infinite':
        return torch.where(drawn > 0.5, torch.inf, torch.where(drawn < -1, -torch.inf, drawn))
    if case.offsets == 'border':
        near = torch.tensor([-1.0, -0.999999, 0.0, 0.999999, 1.0])
        return near[torch.randint(0, len(near), shape, generator=generator)]
    return drawn


def make_tensors(case: Case) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Features, offsets, weight and bias, the same every time."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(case.shape, generator=generator).to(case.kind)
    if case.tile.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    weight_shape = (case.out_channels, case.shape[1] // case.groups, *case.kernel)
    weight = torch.randn(weight_shape, generator=generator).to(case.kind)
    bias = torch.randn(case.out_channels, generator=generator).to(case.kind)
    offset = make_offsets(case, generator).to(case.offset_kind)
    return guarded(x), offset, weight, bias if case.bias else None


def run_case(case: Case) -> dict[str, float | list[int]]:
    """Largest difference from torchvision's float32 result, that result's largest value, shape."""
    x, offset, weight, bias = make_tensors(case)
    settings = {'stride': case.stride, 'padding': case.padding, 'dilation': case.dilation}
    groups = {'groups': case.groups, 'offset_groups': case.offset_groups}
    ours = call_kernel(
        *(x, offset, weight, bias),
        convolution_of(x, offset, weight, **settings, **groups),
        case.tile,
    )
    result: dict[str, float | list[int]] = {'shape': list(ours.shape)}
    if case.shape[0] == 0:  # torchvision refuses an empty batch
        return result | {'difference': 0.0, 'largest': 0.0}
    theirs = deform_conv2d(
        *(x.float().contiguous(), offset.float(), weight.float()),
        bias=None if bias is None else bias.float(),
        **settings,
    )
    difference = (ours.float() - theirs).abs().max().item()
    return result | {'difference': difference, 'largest': theirs.abs().max().item()}


def run_not_a_number(tile: Tile) -> dict[str, list[int]]:
    """Where y is no number after one offset was none, and where an offset reaches such a value."""
    case = Case('', shape=(2, 32, 5, 6), out_channels=3, tile=tile)
    x, offset, weight, bias = make_tensors(case)
    settings = {'stride': (1, 1), 'padding': (1, 1), 'dilation': (1, 1)}
    convolution = convolution_of(x, offset, weight, groups=1, offset_groups=1, **settings)
    offset[1, 7, 2, 3] = torch.nan
    y = call_kernel(x, offset, weight, bias, convolution, tile)
    at_offset = y.isnan().any(1).nonzero().tolist()
    offset = torch.full_like(offset, 1000.0)  # everything samples outside, whatever is inside
    x.fill_(torch.nan)
    y = call_kernel(x, offset, weight, bias, convolution, tile)
    return {'at offset': at_offset, 'outside': y.isnan().any(1).nonzero().tolist()}


def teach_bfloat16_products() -> None:
    """Triton's interpreter keeps bfloat16 as 16-bit integers, and multiplies those."""
    builder = triton.runtime.interpreter.InterpreterBuilder
    original = builder.create_dot

    def widened(factor: Any) -> Any:
        if factor.dtype.scalar != tl.bfloat16:
            return factor
        values = (factor.data.astype(np.uint32) << 16).view(np.float32)
        return TensorHandle(values, tl.float32)

    def create_dot(self: Any, a: Any, b: Any, *others: Any) -> Any:
        return original(self, widened(a), widened(b), *others)

    builder.create_dot = create_dot


def all_cases() -> Iterator[Case]:
    """Every case; names are unique."""
    yield from (*NAMED_CASES, *random_cases(), *shipped_cases())


def main() -> None:
    """Print a JSON object: of every case its result."""
    teach_bfloat16_products()
    results: dict[str, object] = {case.name: run_case(case) for case in all_cases()}
    results['not a number'] = run_not_a_number(SMALL)
    results['not a number, channels last'] = run_not_a_number(LAST)
    print(json.dumps(results))


if __name__ == '__main__':
    main()
