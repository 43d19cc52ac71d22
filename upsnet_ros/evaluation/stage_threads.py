# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stages of work that run beside each other, each in a thread, with bounded memory between them.

OpenCV, the codecs and the network let go of the interpreter lock, so threads are enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_POLL_SECONDS = 0.05


class _Failed:
    """An exception on its way to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


def staged(
    function: Callable[[Item], Result], items: Iterable[Item], *, name: str, ahead: int = 2
) -> Iterator[Result]:
    """Like `map`, in one thread that is at most `ahead` results before its consumer.

    An exception of the function or of the items is raised where its result would have come. When
    the iteration is given up, so is the work of the thread, and that of the stages before it.

    Args:
        function: called in the thread, one item after another.
        items: taken in the same thread.
        name: of the thread.
        ahead: results that may wait.
    """
    results: Queue[object] = Queue(ahead)
    given_up = threading.Event()

    def put(result: object) -> None:
        while not given_up.is_set():
            try:
                return results.put(result, timeout=_POLL_SECONDS)
            except Full:
                continue

    def work() -> None:
        source = iter(items)
        try:
            for item in source:
                put(function(item))
                if given_up.is_set():
                    break
            put(_END)
        except BaseException as error:
            put(_Failed(error))
        finally:
            close = getattr(source, 'close', None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        while (result := _take(results, thread)) is not _END:
            if isinstance(result, _Failed):
                raise result.error
            yield result
    finally:
        given_up.set()
        thread.join()


def _take(results: Queue[object], thread: threading.Thread) -> object:
    """The next result. Waits in short turns, so that an interrupt is heeded."""
    while True:
        try:
            return results.get(timeout=_POLL_SECONDS)
        except Empty:
            if not thread.is_alive() and results.empty():
                return _END
