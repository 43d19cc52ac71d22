# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What failures of the model lead to.

| what happens                                      | outcome                                 |
|---------------------------------------------------|-----------------------------------------|
| inference raises                                  | the frame is lost and counted           |
| it raises so many times in a row                  | the model is loaded anew, once          |
| it raises as often again, no frame between        | the node is deactivated with the reason |
| the worker's thread dies                          | counts as inference that raises         |
| the worker's thread hangs                         | the model is loaded anew, once          |
| it hangs again, no frame between                  | the node is deactivated with the reason |
| the model cannot be loaded anew                   | the node is deactivated with the reason |

A frame that gets its labels makes all of that forgotten, but for the counters.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from upsnet_ros.core.errors import UpsnetError


@dataclass(frozen=True)
class FailureState:
    """What is known of failures at one moment.

    Attributes:
        total: failures since the node was configured.
        in_a_row: those since the last success or reload.
        reason: of the last failure; empty after a success.
        wants_reload: the model has to be loaded anew before the next frame.
        is_reload_used: it has to be or was, since the last success.
        stop_reason: why the node has to be deactivated; empty when it has not.
    """

    total: int = 0
    in_a_row: int = 0
    reason: str = ''
    wants_reload: bool = False
    is_reload_used: bool = False
    stop_reason: str = ''


class Recovery:
    """Counts failures and decides; safe between threads.

    Attributes:
        max_failures: so many in a row are too many, 0 for never; may change at any time.
    """

    def __init__(self, *, max_failures: int) -> None:
        self.max_failures = max_failures
        self._lock = threading.Lock()
        self._state = FailureState()
        # Grows whenever a thread that may be loading is no longer the one that counts.
        self._epoch = 0

    @property
    def state(self) -> FailureState:
        """The failures so far, and what they lead to."""
        return self._state

    def begin(self) -> None:
        """A new activation: a model that was given up before is loaded anew first."""
        with self._lock:
            self._epoch += 1
            again = bool(self._state.stop_reason) or self._state.wants_reload
            self._state = FailureState(self._state.total, wants_reload=again, is_reload_used=again)

    def record_success(self) -> None:
        """A frame got its labels."""
        if self._state.reason or self._state.is_reload_used:
            with self._lock:
                self._state = FailureState(self._state.total)

    def record_failure(self, reason: str) -> None:
        """A frame got no labels, since the model or the worker failed."""
        with self._lock:
            before = self._state
            in_a_row = before.in_a_row + 1
            self._state = replace(before, total=before.total + 1, in_a_row=in_a_row, reason=reason)
            if self.max_failures and in_a_row >= self.max_failures:
                self._escalate(f'{in_a_row} failures in a row, the last: {reason}')

    def record_hang(self, reason: str) -> None:
        """The worker's thread makes no progress."""
        with self._lock:
            self._epoch += 1
            self._state = replace(self._state, total=self._state.total + 1, reason=reason)
            self._escalate(reason)

    def _escalate(self, reason: str) -> None:
        """Asks for a new model the first time, and for the end of it all the second."""
        if self._state.is_reload_used:
            self._state = replace(
                self._state,
                stop_reason=f'{reason}; the model had been loaded anew before',
                wants_reload=False,
            )
        else:
            self._state = replace(self._state, in_a_row=0, wants_reload=True, is_reload_used=True)

    def reload_if_wanted(self, reload: Callable[[], None]) -> None:
        """Loads the model anew if that is wanted; in the worker's thread, before a frame.

        Where the thread was given up or a new activation began meanwhile, its end says nothing of
        the model that is in use then.

        Args:
            reload: loads it; what it raises ends in a reason to stop.
        """
        with self._lock:
            state, epoch = self._state, self._epoch
        if not state.wants_reload or state.stop_reason:
            return
        stop_reason = ''
        try:
            reload()
        except Exception as error:
            cause = str(error) if isinstance(error, UpsnetError) else repr(error)
            stop_reason = f'the model cannot be loaded anew: {cause}'
        with self._lock:
            if epoch == self._epoch:
                self._state = replace(self._state, wants_reload=False, stop_reason=stop_reason)
