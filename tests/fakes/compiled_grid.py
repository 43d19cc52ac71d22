# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the GPU's kernels on the processor, compiled, so that images of full size can be compared.

The source of a kernel is compiled as it is, with a `cuda` of its own: a block has one thread, for
which waiting for the others is nothing, and the threads of a launch run one after the other. What
only many threads at once can get wrong is left to numba's simulator, at small sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType, ModuleType

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic, overload

from training.panoptic_kernels.kernels import KERNELS
from upsnet_ros.backends.frame_launches import FramePlan, Launch

# The thread at work: x, y, z, and how many there are along x.
_PLACE = np.zeros(4, np.int64)
_ADDRESS = int(_PLACE.ctypes.data)
_WAITING = ('claim_masks',)


@intrinsic
def _place(typing_context, index):
    """Return a number of the thread at work, which no compiler may take for a constant."""

    def generate(context, builder, signature, arguments):
        from llvmlite import ir

        number = ir.IntType(64)
        base = ir.Constant(number, _ADDRESS)
        offset = builder.mul(arguments[0], ir.Constant(number, 8))
        pointer = builder.inttoptr(builder.add(base, offset), number.as_pointer())
        load = builder.load(pointer)
        return load

    return types.int64(types.int64), generate


def _grid(axes):
    """`cuda.grid`: a name for compiled code, whose body is the overload below."""


@overload(_grid, prefer_literal=True)
def _compile_grid(axes):
    if axes.literal_value == 1:
        return lambda axes: _place(0)
    if axes.literal_value == 2:
        return lambda axes: (_place(0), _place(1))
    return lambda axes: (_place(0), _place(1), _place(2))


@numba.njit
def _grid_size(axes):
    return _place(3)


@numba.njit
def _add(array, index, value):
    array[index] += value


@numba.njit
def _count_bits(word):
    rest, bits = np.int64(word), 0
    while rest:
        rest &= rest - 1
        bits += 1
    return bits


def _shared(size, kind):
    """`cuda.shared.array`: a name for compiled code, whose body is the overload below."""


@overload(_shared)
def _compile_shared(size, kind):
    return lambda size, kind: np.empty(size, np.int32)


@numba.njit
def _wait():
    pass


def _module(name: str, **members: object) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(members)
    return module


_CUDA = _module(
    'cuda',
    grid=_grid,
    gridsize=_grid_size,
    popc=_count_bits,
    syncthreads=_wait,
    atomic=_module('atomic', add=_add),
    shared=_module('shared', array=_shared),
    threadIdx=_module('threadIdx', x=0),
    blockDim=_module('blockDim', x=1),
)


@cache
def _compiled(name: str) -> Callable[..., None]:
    source = KERNELS[name].function
    function = FunctionType(source.__code__, {**source.__globals__, 'cuda': _CUDA}, name)
    compiled = numba.njit(error_model='numpy')(function)

    @numba.njit(error_model='numpy')
    def run(place, threads, *arguments):
        for z in range(threads[2]):
            for y in range(threads[1]):
                for x in range(threads[0]):
                    place[0], place[1], place[2] = x, y, z
                    compiled(*arguments)

    return run


def run_kernel(
    name: str,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    arguments: Sequence[np.ndarray | int | float],
) -> None:
    """Run every thread of a launch; of a kernel whose threads wait for each other one a block."""
    if name in _WAITING:
        block = (1, 1, 1)
    threads = tuple(blocks * size for blocks, size in zip(grid, block, strict=True))
    _PLACE[3] = threads[0]
    _compiled(name)(_PLACE, threads, *arguments)


def argument_of(
    plan: FramePlan, launch: Launch, name: str, kind: str, arrays: Mapping[str, np.ndarray]
) -> np.ndarray | int | float:
    """Return what a launch passes for a parameter, held to its type."""
    value = launch.arguments.get(name, name)
    if isinstance(value, str):
        value = arrays[value] if value in arrays else plan.values[value]
    if '[' not in kind:
        assert kind == ('float64' if isinstance(value, float) else 'int64'), name
        return value
    dtype, axes = kind[:-1].split('[')
    assert value.dtype == dtype, f'{launch.kernel}: {name} is {value.dtype}, declared {dtype}'
    if int(axes) == 1:
        value = value.reshape(-1)
    assert value.ndim == int(axes), f'{launch.kernel}: {name}'
    return value


def run_launches(
    plan: FramePlan, launches: tuple[Launch, ...], arrays: Mapping[str, np.ndarray]
) -> None:
    """Run launches over arrays of this process."""
    for launch in launches:
        kernel = KERNELS[launch.kernel]
        arguments = [
            argument_of(plan, launch, name, kind, arrays)
            for name, kind in kernel.parameters.items()
        ]
        run_kernel(launch.kernel, launch.grid(kernel.block), kernel.block, arguments)


def allocate(plan: FramePlan, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the arrays of a plan, full of what was there before; the constants as they are."""
    arrays = {}
    for name, array in plan.arrays.items():
        size = int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize
        noise = rng.integers(0, 256, size, np.uint8)
        arrays[name] = noise.view(array.dtype).reshape(array.shape).copy()
    for name, content in plan.constants.items():
        arrays[name][...] = content
    return arrays
