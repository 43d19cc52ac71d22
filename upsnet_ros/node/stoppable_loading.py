# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a model while the thread that waits for it stays awake.

A library that loads a model cannot be interrupted: building an engine anew takes minutes. It works
in a thread of its own, so that meanwhile the node says what it does, and ends when it is asked to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from upsnet_ros.core.errors import UpsnetError

POLL_S = 0.05
T = TypeVar('T')


class LoadingStopped(UpsnetError):
    """The process was asked to end before its model was loaded."""


class StoppableLoading:
    """Loads, and gives the load up when it is no longer wanted.

    Args:
        is_stopping: whether the process was asked to end; looked at all the time.
        meanwhile: called again and again while a load is waited for.
    """

    def __init__(self, *, is_stopping: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        self._is_stopping = is_stopping
        self._meanwhile = meanwhile
        self._thread: threading.Thread | None = None
        self._began_at = 0.0

    @property
    def unfinished(self) -> threading.Thread | None:
        """The thread that loads, also one that was given up; None where none runs."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    @property
    def loading_for_s(self) -> float:
        """Seconds since the load began; 0 while nothing is loaded."""
        return time.monotonic() - self._began_at if self.unfinished else 0.0

    def run(self, load: Callable[[], T]) -> T:
        """Returns what a load gives, or raises what it raises.

        Raises:
            LoadingStopped: the process was asked to end; the load goes on, and nobody heeds it.
        """
        assert self.unfinished is None, 'only the end of the process leaves a load behind'
        outcome: _Outcome[T] = _Outcome(load)
        self._thread = threading.Thread(target=outcome.find, name='model_loader', daemon=True)
        self._began_at = time.monotonic()
        self._thread.start()
        while self.unfinished is not None:
            self._thread.join(POLL_S)
            if self._is_stopping():
                raise LoadingStopped('the node was asked to end while its model was being loaded')
            self._meanwhile()
        return outcome.get()


class _Outcome(Generic[T]):
    """What a function gave or raised, carried from one thread to another."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._value: T | None = None
        self._error: BaseException | None = None

    def find(self) -> None:
        """Calls the function."""
        try:
            self._value = self._function()
        except BaseException as error:  # it belongs to the thread that waits
            self._error = error

    def get(self) -> T:
        """Returns or raises what the function did."""
        if self._error is not None:
            raise self._error
        return self._value
