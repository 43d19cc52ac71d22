# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops over pixels: loaded when first needed, their rows shared by threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

# Its threads start when they are first needed, and wait without using a core.
_HELPERS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix='rows')
# Several bands for each thread, so that one that is held up leaves its share to the others; not
# below so many rows, because beginning a band costs about as much as two rows.
_BANDS_PER_THREAD = 4
_SMALLEST_BAND = 16


def pixel_loops() -> ModuleType:
    """Return `upsnet_ros.core.pixel_labels`; the first call compiles it, or loads what is kept.

    That takes half a second, without anything kept ten; many commands label nothing.
    """
    from upsnet_ros.core import pixel_labels

    return pixel_labels


def share_rows(work: Callable[[int, int], None], height: int, num_threads: int) -> None:
    """Work on all rows of an image, band by band, and return when all are done.

    The calling thread takes bands as well. It never waits for a helper that has not begun, so
    any number of threads may call this at once, whatever the helpers are busy with.

    Args:
        work: called with the first row and the row behind the last, in several threads at once.
        height: number of rows.
        num_threads: threads that work at once, at least 1.
    """
    if num_threads == 1:
        work(0, height)
        return
    rows = max(-(-height // (_BANDS_PER_THREAD * num_threads)), _SMALLEST_BAND)
    bands = deque(range(0, height, rows))

    def take_bands() -> None:
        while True:
            try:
                first = bands.popleft()
            except IndexError:
                return
            work(first, min(first + rows, height))

    helpers = [_HELPERS.submit(take_bands) for _ in range(min(num_threads, len(bands)) - 1)]
    try:
        take_bands()
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
