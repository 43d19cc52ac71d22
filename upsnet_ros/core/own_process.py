# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""This process: how a signal ends it, what memory it keeps, within which numbering it has its id.

A command begins with

    if __name__ == '__main__':  # before the imports below, which take seconds
        from upsnet_ros.core.own_process import end_quietly

        end_quietly(INTERRUPTED)

so that a signal finds it quiet from its first line on, and goes on in `main` with handlers of its
own, such as `interrupted_by_signals`. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOPPING = (signal.SIGINT, signal.SIGTERM)
# Exit status of a command that a signal broke off; what a shell gives to one ended by SIGINT.
INTERRUPTED = 130
# Numbers of malloc.h, and what they are set to [bytes]: the largest piece that is not mapped and
# unmapped by itself, which may not be more, and how much may lie free at the end of the heap.
_M_MMAP_THRESHOLD, _LARGEST_KEPT = -3, 32 << 20
_M_TRIM_THRESHOLD, _MOST_FREE = -1, 64 << 20
_PID_NAMESPACE = Path('/proc/self/ns/pid')


def end_quietly(status: int) -> None:
    """Have SIGINT and SIGTERM end this process at once and without a word.

    No exception is raised: libraries that are being imported take one for a failure of their own.
    Nothing is cleaned up either, so this is for the time before there is anything to clean up.

    Args:
        status: the exit status.
    """
    for number in STOPPING:
        signal.signal(number, lambda number, frame: os._exit(status))


class Interrupted(KeyboardInterrupt):
    """A signal ends the work of this process.

    Python ends a process by SIGINT, whatever its status was to be, once a KeyboardInterrupt of no
    other type has passed through an `exec` of some library.
    """


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have SIGINT and SIGTERM raise Interrupted inside; afterwards the handlers are as before.

    While that is on its way, further signals are ignored: they must not break off the ending. A
    library that is being imported may make another error of it, or nothing: the next signal then
    raises it again, and the block ends with it at the latest.

    Raises:
        Interrupted: there was a signal.
    """
    received: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        received.append(number)
        if not _is_on_its_way(sys.exc_info()[1]):
            raise Interrupted

    former = {number: signal.getsignal(number) for number in STOPPING}
    try:
        for number in STOPPING:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if received:
            raise Interrupted from None


def _is_on_its_way(error: BaseException | None) -> bool:
    """Whether an error that is being handled is an interrupt, or came up while one was."""
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None


def keep_memory() -> None:
    """Have the C library keep what was freed, for the next picture, in place of returning it.

    It would return the memory of a camera's image, and of the messages made of it, after each
    frame and fetch it anew for the next one, page by page: 3,000 pages at 2048x1024, a third of
    the processor time that a frame takes beside the network. Only GNU's library is told.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_FREE)


def give_back_memory() -> None:
    """Frees what only refers to itself, then returns what is free to the system.

    Callbacks and what they belong to refer to each other. Python looks for such rings seldom, and
    by number: a few of them may hold many images. The C library keeps what was freed between
    pieces still in use; GNU's can be told to return it.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)


def pid_namespace(link: Path = _PID_NAMESPACE) -> str | None:
    """Name of the PID namespace, as `pid:[4026531836]`; None where the system does not tell."""
    try:
        return os.readlink(link)
    except OSError:
        return None
