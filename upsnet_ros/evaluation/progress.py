# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bars on the terminal; where there is none, nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[..., None]]:
    """A bar, and what moves it: called with frames done, frames in all (or None), other figures.

    It begins with the first call: what comes before is no part of the pace that it shows.
    """
    with ExitStack() as stack:
        bars: list[tqdm] = []

        def move(done: int, total: int | None, **told: int) -> None:
            if not bars:
                bars.append(stack.enter_context(tqdm(unit='frame', desc=name, disable=None)))
            bars[0].total = total
            bars[0].set_postfix(told, refresh=False)
            bars[0].update(done - bars[0].n)

        yield move
