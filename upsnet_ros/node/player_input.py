# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Standard input of the bag player: the space key of a terminal, and its end."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType

# How often the reading thread looks whether it shall end.
LOOK_SECONDS = 0.1
END_OF_TRANSMISSION = b'\x04'  # Ctrl-D, which a terminal without line editing hands on as it is


def is_of_another(descriptor: int) -> bool:
    """Whether this is a terminal whose keys are for another process: reading would stop us."""
    return os.isatty(descriptor) and os.tcgetpgrp(descriptor) != os.getpgrp()


class PlayerInput:
    """Reads standard input in a thread. Use it as a context manager.

    Args:
        on_space: Called for each space that is typed at a terminal.
    """

    def __init__(self, *, on_space: Callable[[], object]) -> None:
        self._on_space = on_space
        self._is_closed = Event()
        self._has_left = False
        self._former: list[object] | None = None
        self._descriptor = -1 if sys.stdin is None else sys.stdin.fileno()
        self._thread = Thread(target=self._read, name='player_input', daemon=True)

    def __enter__(self) -> PlayerInput:
        if self._descriptor < 0:
            self._is_closed.set()
            return self
        if is_of_another(self._descriptor):
            return self
        if os.isatty(self._descriptor):
            self._former = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._has_left = True
        if self._thread.is_alive():
            self._thread.join()
        if self._former is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._former)

    def _read(self) -> None:
        while not self._has_left:
            if not select.select([self._descriptor], [], [], LOOK_SECONDS)[0]:
                continue
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:  # the terminal was closed
                break
            if not data or (self._former is not None and END_OF_TRANSMISSION in data):
                break
            if self._former is not None:
                for _ in range(data.count(b' ')):
                    self._on_space()
        self._is_closed.set()

    def wait_for_end(self, is_stopped: Callable[[], bool]) -> None:
        """Return when standard input is closed, or the player shall end."""
        while not (self._is_closed.wait(LOOK_SECONDS) or is_stopped()):
            pass
