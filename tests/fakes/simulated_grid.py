# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the GPU's kernels in numba's simulator: blocks of threads that take turns at any point.

To be imported where `NUMBA_ENABLE_CUDASIM` is 1 from the start. It takes a tenth of a millisecond
a thread, so images must be small.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import config, cuda

from tests.fakes.compiled_grid import argument_of
from training.panoptic_kernels import kernels
from upsnet_ros.backends.frame_launches import FramePlan, Launch

assert config.ENABLE_CUDASIM, 'set NUMBA_ENABLE_CUDASIM=1 before numba is imported'


def _plain() -> dict[str, Any]:
    """Return the names of the kernels' file, its compiled functions as the Python they are.

    They are handed arrays of the simulator, which nothing compiled takes.
    """
    names = dict(vars(kernels))
    for name, value in vars(kernels).items():
        if getattr(value, '__module__', None) == kernels.__name__ and hasattr(value, 'py_func'):
            names[name] = FunctionType(value.py_func.__code__, names, name)
    return names


@cache
def _simulated(name: str) -> Any:
    source = kernels.KERNELS[name].function
    return cuda.jit(FunctionType(source.__code__, _plain(), name))


# Enough for several warps and several blocks; more threads only take longer.
_MOST_THREADS, _MOST_BLOCKS = 96, 3


def run_launches(
    plan: FramePlan, launches: tuple[Launch, ...], arrays: Mapping[str, np.ndarray]
) -> None:
    """Run launches over arrays of this process, in blocks no larger than there is work for."""
    for launch in launches:
        kernel = kernels.KERNELS[launch.kernel]
        block = tuple(map(min, kernel.block, launch.threads))
        if launch.blocks:
            block = (_MOST_THREADS, 1, 1)
        grid = launch.grid(block)
        if launch.kernel == 'check_output':  # its threads share what there is
            grid, block = (_MOST_BLOCKS, 1, 1), (_MOST_THREADS, 1, 1)
        arguments = [
            argument_of(plan, launch, name, kind, arrays)
            for name, kind in kernel.parameters.items()
        ]
        _simulated(launch.kernel)[grid, block](*arguments)
