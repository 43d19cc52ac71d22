# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels of a frame on the device, and their launches over memory that somebody else has."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime
from upsnet_ros.backends.cuda_work import KernelCall
from upsnet_ros.backends.frame_launches import FramePlan, Launch
from upsnet_ros.backends.kernel_store import array_values, read_kernels

_LOGGER = logging.getLogger(__name__)


class LoadedKernels:
    """All kernels on the device."""

    def __init__(self, cuda: CudaRuntime) -> None:
        """Load them.

        Raises:
            KernelStoreError: a file of them is missing or altered.
            CudaError: the driver does not take them; nothing stays loaded then.
        """
        self._cuda = cuda
        self._compiled = read_kernels()
        self._functions: dict[str, Any] = {}
        self._modules: list[Any] = []
        try:
            for name, kernel in self._compiled.items():
                module, self._functions[name] = cuda.load_kernel(kernel.text, name)
                self._modules.append(module)
        except CudaError:
            self.free()
            raise

    def free(self) -> None:
        """Free them; none may be in work. Failures are only logged."""
        while self._modules:
            try:
                self._cuda.unload_kernel(self._modules.pop())
            except CudaError as error:  # a device that is lost has freed it already
                _LOGGER.warning('a kernel was not freed: %s', error)

    def calls(
        self, plan: FramePlan, launches: Sequence[Launch], address: Callable[[str], int]
    ) -> list[KernelCall]:
        """Return launches with their grids and all parameters.

        Args:
            plan: that they belong to.
            launches: in order.
            address: where on the device an array of the plan lies.
        """
        return [self._call(plan, launch, address) for launch in launches]

    def _call(self, plan: FramePlan, launch: Launch, address: Callable[[str], int]) -> KernelCall:
        kernel = self._compiled[launch.kernel]
        values = [
            value
            for name, kind in kernel.parameters.items()
            for value in _values(plan, launch.arguments.get(name, name), kind, address)
        ]
        function, grid = self._functions[launch.kernel], launch.grid(kernel.block)
        return KernelCall(self._cuda, function, grid, kernel.block, values)


def _values(
    plan: FramePlan, source: str | int | float, kind: str, address: Callable[[str], int]
) -> tuple[int | float, ...]:
    """Return what a launch passes for a parameter: a number, a value or an array of the plan."""
    if not isinstance(source, str):
        return (source,)
    if source in plan.values:
        return (plan.values[source],)
    array = plan.arrays[source]
    shape = (math.prod(array.shape),) if kind.endswith('[1]') else array.shape
    return array_values(address(source), shape, np.dtype(array.dtype).itemsize)
