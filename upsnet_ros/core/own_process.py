# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""This process: how a signal ends it, and within which numbering it has its id.

A command begins with

    if __name__ == '__main__':  # before the imports below, which take seconds
        from upsnet_ros.core.own_process import end_quietly

        end_quietly(INTERRUPTED)

so that a signal finds it quiet from its first line on, and goes on in `main` with handlers of its
own, such as `interrupted_by_signals`. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOPPING = (signal.SIGINT, signal.SIGTERM)
# Exit status of a command that a signal broke off; what a shell gives to one ended by SIGINT.
INTERRUPTED = 130
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


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt inside; afterwards all is as before.

    Further signals are ignored from the first one on: they must not break off the ending.
    """

    def interrupt(number: int, frame: object) -> None:
        for each in STOPPING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, interrupt) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def pid_namespace(link: Path = _PID_NAMESPACE) -> str | None:
    """Name of the PID namespace, as `pid:[4026531836]`; None where the system does not tell."""
    try:
        return os.readlink(link)
    except OSError:
        return None
