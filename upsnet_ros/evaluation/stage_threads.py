# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stages of work that run beside each other, each in a thread, with bounded memory between them.

OpenCV, the codecs and the network let go of the interpreter lock, so threads are enough.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    name: str,
    ahead: int = 2,
    workers: int = 1,
) -> Iterator[Result]:
    """Like `map`, in a thread that is at most `ahead` results before its consumer.

    An exception of the function or of the items is raised where its result would have come. When
    the iteration is given up, so is the work of the thread, and that of the stages before it.

    Args:
        function: called in the thread, one item after another; or in `workers` threads of its own.
        items: taken in the thread.
        name: of the thread.
        ahead: results that may wait.
        workers: with more than one, items are worked on at once; results keep their order, and
            twice as many items as there are workers are on their way besides.
    """
    results: Queue[object] = Queue(ahead)
    given_up = threading.Event()

    def work() -> None:
        done = map(function, items) if workers == 1 else _at_once(function, items, workers)
        try:
            for result in done:
                _put(results, result, given_up)
                if given_up.is_set():
                    break
            _put(results, _END, given_up)
        except BaseException as error:
            _put(results, _Failed(error), given_up)
        finally:
            for iterator in (done, items):  # a map has nothing to close, its items may have
                close = getattr(iterator, 'close', None)
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


def _put(results: Queue[object], result: object, given_up: threading.Event) -> None:
    """Hand on a result when there is room, or drop it when nobody wants it any more."""
    while not given_up.is_set():
        try:
            return results.put(result, timeout=_POLL_SECONDS)
        except Full:
            continue


def _at_once(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Results in order; when it is given up, what has not begun is not begun any more."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix='stage')
    pending: deque[Future[Result]] = deque()
    failed: Exception | None = None
    source = iter(items)
    try:
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:  # what came before it is worked on first
                failed = error
                break
            pending.append(pool.submit(function, item))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
        if failed is not None:
            raise failed
    finally:
        pool.shutdown(cancel_futures=True)


def _take(results: Queue[object], thread: threading.Thread) -> object:
    """The next result. Waits in short turns, so that an interrupt is heeded."""
    while True:
        try:
            return results.get(timeout=_POLL_SECONDS)
        except Empty:
            if not thread.is_alive() and results.empty():
                return _END
