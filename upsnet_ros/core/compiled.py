# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops over pixels: loaded when first needed, their rows shared by threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import ModuleType

from upsnet_ros.core.errors import ModelError

# Its threads start when they are first needed, and wait without using a core.
_HELPERS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix='rows')
# About a millisecond and a half of work. For less no helper is asked: it might not get a core.
_PIXELS_PER_THREAD = 1 << 18
# A thread that is held up leaves its share to the others.
_BANDS_PER_THREAD = 4


def pixel_loops() -> ModuleType:
    """Return `upsnet_ros.core.pixel_labels`; the first call compiles it, or loads what is kept.

    That takes half a second, without anything kept ten; many commands label nothing.

    Raises:
        ModelError: numba is missing, or does not go with the NumPy that is there.
    """
    try:
        from upsnet_ros.core import pixel_labels
    except ImportError as error:
        raise ModelError(
            f'loops over pixels cannot be compiled ({error}); install the Python package numba'
        ) from error
    return pixel_labels


def share_rows(
    work: Callable[[int, int], None], size: tuple[int, int], *, num_threads: int
) -> None:
    """Work on all rows of an image, band by band, and return when all are done.

    The calling thread takes bands as well. It never waits for a helper that has not begun, so
    any number of threads may call this at once, whatever the helpers are busy with.

    Args:
        work: called with the first row and the row behind the last, in several threads at once.
        size: (height, width) of the image.
        num_threads: threads that may work at once; fewer do where the image is small.
    """
    height, width = size
    num_threads = min(num_threads, height * width // _PIXELS_PER_THREAD)
    if num_threads < 2:
        work(0, height)
        return
    rows = -(-height // (_BANDS_PER_THREAD * num_threads))
    bands = deque(range(0, height, rows))

    def take_bands() -> None:
        while True:
            try:
                first = bands.popleft()
            except IndexError:
                return
            work(first, min(first + rows, height))

    helpers: list[Future[None]] = []
    with suppress(RuntimeError):  # at its end the interpreter begins nothing: work goes on alone
        helpers.extend(_HELPERS.submit(take_bands) for _ in range(num_threads - 1))
    try:
        take_bands()
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
