# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM as a wish to end, from the first lines of a program on.

A program makes a `StopSignal` before it imports the libraries that take a second or more, so that
a signal at any moment of its start ends it quietly, with the status that it documents:

    def main() -> int:
        stop = StopSignal()
        from upsnet_ros.node.serving import run

        stop.hold()
        return run(stop)
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

# A signal so soon after the first one is the same once more.
ECHO_S = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Hears SIGINT and SIGTERM; made and closed by the main thread.

    At first a signal ends the process at once: nothing is there yet that would have to be undone.
    After `hold` it is remembered, to be looked at between two steps of work.

    Attributes:
        received: whether a signal came after `hold`.

    Args:
        status: exit status of the process where a signal ends it.
        grace_s: longest time from a signal to the end of the process, whatever it is in the
            middle of: a library cannot be interrupted. None for as long as it takes.
    """

    def __init__(self, *, status: int = 0, grace_s: float | None = None) -> None:
        self.received = False
        self._status = status
        self._grace_s = grace_s
        self._is_held = False
        self._received_at = 0.0
        self._deadline: threading.Timer | None = None
        self._former = {number: signal.signal(number, self._hear) for number in STOPPING}

    def hold(self) -> None:
        """Has signals remembered from now on: the process has something to end cleanly."""
        self._is_held = True

    def end_within(self, seconds: float, status: int) -> None:
        """Ends the process after some seconds, unless it has ended by itself until then."""
        if self._deadline is None:
            self._deadline = threading.Timer(seconds, end_process, (status,))
            self._deadline.daemon = True
            self._deadline.start()

    def close(self) -> None:
        """Gives the signals back to those who had them before."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        if self._deadline is not None:
            self._deadline.cancel()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """Notes the first signal; another one, not an echo of it, ends the process at once.

        A launch without a terminal hands a signal on that the process group has got already.
        """
        now = time.monotonic()
        if not self._is_held:
            end_process(self._status)
        elif self.received and now - self._received_at > ECHO_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self.received:
            self.received, self._received_at = True, now
            if self._grace_s is not None:
                self.end_within(self._grace_s, self._status)


def end_process(status: int) -> None:
    """Ends the process without tearing down libraries that a thread may still be in."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, RuntimeError, ValueError):
            continue  # closed, never open, or in use at this very moment
    os._exit(status)
