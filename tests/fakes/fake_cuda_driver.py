# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A CUDA driver on the processor: it reads a launch's arguments from memory and computes them.

It stands where ``libcuda.so.1`` does, so it is called as a C library is: with ctypes objects.
"""

import ctypes
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchvision

from training.deform_conv_kernels.launch import PARAMETERS
from training.deform_conv_kernels.ptx_store import read_store

INVALID_PTX, INVALID_VALUE, NOT_FOUND = 218, 1, 500
NAMES = {
    INVALID_PTX: b'CUDA_ERROR_INVALID_PTX',
    INVALID_VALUE: b'CUDA_ERROR_INVALID_VALUE',
    NOT_FOUND: b'CUDA_ERROR_NOT_FOUND',
}
Sizes = tuple[int, int, int]


@dataclass(frozen=True)
class SeenLaunch:
    """What one launch said."""

    text: str
    grid: Sizes
    block: Sizes
    shared: int
    stream: int
    arguments: dict[str, int]


class FakeCudaDriver:
    """The functions of the library that a launch needs.

    Args:
        error: Added to every value of an output.
    """

    def __init__(self, *, error: float = 0.0) -> None:
        self.error = error
        self.launches: list[SeenLaunch] = []
        self.loaded: dict[int, str] = {}
        self.next_handle = 1000

    def cuInit(self, flags: ctypes.c_uint) -> int:
        assert flags.value == 0
        return 0

    def cuGetErrorName(self, code: ctypes.c_int, name: Any) -> int:
        name._obj.value = NAMES.get(code.value)
        return 0 if code.value in NAMES else INVALID_VALUE

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 13020
        return 0

    def cuModuleLoadDataEx(self, module, image, count, options, values) -> int:
        assert list(options) == [5, 6] and count.value == 2
        text = image.value.decode()  # up to the zero
        if '.entry' not in text:
            message = b'ptxas fatal : syntax error\0'
            assert values[1] >= len(message)
            ctypes.memmove(values[0], message, len(message))
            return INVALID_PTX
        module._obj.value = self.next_handle
        self.next_handle += 1
        self.loaded[module._obj.value] = text
        return 0

    def cuModuleGetFunction(self, function, module: ctypes.c_void_p, name) -> int:
        if f'.entry {name.value.decode()}(' not in self.loaded[module.value]:
            return NOT_FOUND
        function._obj.value = module.value + 5000
        return 0

    def cuModuleUnload(self, module: ctypes.c_void_p) -> int:
        del self.loaded[module.value]
        return 0

    def cuLaunchKernel(self, function: ctypes.c_void_p, *arguments: Any) -> int:
        *sizes, stream, addresses, extra = arguments
        assert extra is None and len(sizes) == 7
        text = self.loaded[function.value - 5000]
        x, y, z, *block, shared = (size.value for size in sizes)
        if (wanted := re.search(r'\.reqntid (\d+)', text)) and block != [int(wanted[1]), 1, 1]:
            return INVALID_VALUE
        seen = SeenLaunch(
            *(text, (x, y, z), tuple(block), shared, stream.value or 0),
            arguments=read_arguments(text, addresses),
        )
        self.launches.append(seen)
        compute(seen, self.error)
        return 0


def read_arguments(text: str, addresses: ctypes.Array) -> dict[str, int]:
    """The values behind the addresses, each of the type that the text declares."""
    kinds = re.findall(r'\.param \.(u\d+)', text[: text.index('\n)\n')])
    assert len(kinds) == len(addresses) == len(PARAMETERS)
    types = {'u64': ctypes.c_uint64, 'u32': ctypes.c_uint32}
    values = [
        types[kind].from_address(address) for kind, address in zip(kinds, addresses, strict=True)
    ]
    return {name: value.value for name, value in zip(PARAMETERS, values, strict=True)}


def compute(launch: SeenLaunch, error: float) -> None:
    """Write what the launch asks for, by torchvision on the memory that the arguments name."""
    (kernel,) = [one for one in read_store().kernels if one.text == launch.text]
    tile, a = kernel.tile, launch.arguments
    assert launch.shared == kernel.shared and a['groups'] == a['offset_groups'] == 1
    channels, out, row = a['in_channels'], a['out_channels'], 16 * a['weight_row_units']
    pixels = a['out_height'] * a['out_width']
    programs = math.ceil(pixels / tile.pixels) * math.ceil(out / tile.out_channels)
    assert launch.grid[1:] == (1, 1) and launch.grid[0] % programs == 0
    batch = launch.grid[0] // programs  # said by nothing else
    kind = np.float16 if tile.precision == 'float16' else np.float32
    kernel_size = (a['kernel_height'], a['kernel_width'])
    map_size, out_size = (a['height'], a['width']), (a['out_height'], a['out_width'])
    if tile.channels_last:
        x = values_at(a['x'], kind, batch, *map_size, channels).permute(0, 3, 1, 2)
    else:
        x = values_at(a['x'], kind, batch, channels, *map_size)
    weight = values_at(a['weight'], kind, *kernel_size, out, row)[..., :channels]
    taps = kernel_size[0] * kernel_size[1]
    y = torchvision.ops.deform_conv2d(
        x.float().contiguous(),
        values_at(a['offset'], np.float32, batch, 2 * taps, *out_size),
        weight.permute(2, 3, 0, 1).float().contiguous(),
        values_at(a['bias'], kind, out).float(),
        stride=(a['stride_height'], a['stride_width']),
        padding=(a['pad_top'], a['pad_left']),
        dilation=(a['dilation_height'], a['dilation_width']),
    )
    values_at(a['y'], kind, batch, out, *out_size).copy_(y + error)


def values_at(address: int, kind: type, *shape: int) -> torch.Tensor:
    """Memory as a tensor, without a copy."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    memory = (ctypes.c_byte * size).from_address(address)
    return torch.from_numpy(np.frombuffer(memory, dtype=kind).reshape(shape))
