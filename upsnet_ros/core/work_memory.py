# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory for intermediate maps that is kept from image to image."""

from __future__ import annotations

import math

import numpy as np


class WorkMemory:
    """Hands out arrays by name, in the same memory each time.

    Maps of an image are large enough that the system hands out fresh pages for each, and filling
    those in costs more than the work done on them. One thread may use one work memory.
    """

    def __init__(self) -> None:
        """Start with no memory."""
        self._memory: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """Return an uninitialised array, valid until the same name is asked for again.

        Args:
            name: tells arrays apart that are needed at the same time.
            shape: shape of the array; the memory of a name grows to the largest.
            dtype: element type.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or memory.size < size:
            memory = self._memory[name] = np.empty(size, dtype=np.uint8)
        return memory[:size].view(dtype).reshape(shape)
