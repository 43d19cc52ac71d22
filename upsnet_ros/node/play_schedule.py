# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The time of play: it runs through the time of the bag at a pace, and stands while paused."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Condition

from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.play_events import emit
from upsnet_ros.node.restamping import NANOSECONDS

# How often a wait looks whether the player shall end.
LOOK_SECONDS = 0.1


class PlaySchedule:
    """Says when something of the bag is due; may be paused and resumed from any thread.

    Args:
        start_ns: Where in the bag play begins: the time of recording of its first message.
        rate: Pace; 1 is as recorded.
        is_stopped: Whether the player shall end.

    Raises:
        BagPlayError: the pace is not above 0.
    """

    def __init__(
        self,
        start_ns: int,
        *,
        rate: float = 1.0,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise BagPlayError(f'rate must be above 0, received {rate}. 1 is the recorded pace.')
        self.is_stopped = is_stopped
        self._rate = rate
        self._condition = Condition()
        self._has_begun = False
        self._is_paused = False
        # The position at the steady time `_running_since_ns`, which is None while time stands.
        self._position_ns = start_ns
        self._running_since_ns: int | None = None

    @property
    def position_ns(self) -> int:
        """The time of the bag [ns] that play has reached."""
        with self._condition:
            return self._position_now()

    def _position_now(self) -> int:
        if self._running_since_ns is None:
            return self._position_ns
        passed = time.monotonic_ns() - self._running_since_ns
        return self._position_ns + round(passed * self._rate)

    def _run_or_stand(self) -> None:
        """Let time run on from where it is, or stand there."""
        self._position_ns = self._position_now()
        runs = self._has_begun and not self._is_paused
        self._running_since_ns = time.monotonic_ns() if runs else None
        self._condition.notify_all()

    def begin(self) -> None:
        """Time runs from now on, unless it is paused."""
        with self._condition:
            self._has_begun = True
            self._run_or_stand()

    def move(self, distance_ns: int) -> None:
        """Set the position forward, or back for a new round."""
        with self._condition:
            self._position_ns += distance_ns
            self._condition.notify_all()

    def set_paused(self, is_paused: bool) -> bool:
        """Pause or resume, and tell so; returns whether that changed anything.

        Once this has returned, nothing is sent until time runs again.
        """
        with self._condition:
            if is_paused == self._is_paused:
                return False
            self._is_paused = is_paused
            self._run_or_stand()
            emit(event='paused' if is_paused else 'resumed', bag_ns=self._position_ns)
            return True

    def toggle(self) -> None:
        """Pause if time runs, else resume."""
        with self._condition:
            self.set_paused(not self._is_paused)

    def send_at(self, due_ns: int, send: Callable[[float], None]) -> bool:
        """Wait until play has reached a time of the bag [ns], then send.

        Args:
            due_ns: The time at which the message was recorded.
            send: Called with the seconds by which it is late. No pause begins meanwhile.

        Returns:
            Whether it was sent; False when the player shall end.
        """
        with self._condition:
            while not self.is_stopped():
                wait = LOOK_SECONDS
                if self._running_since_ns is not None:
                    ahead = (due_ns - self._position_now()) / NANOSECONDS / self._rate
                    if ahead <= 0:
                        send(-ahead)
                        return True
                    wait = min(wait, ahead)
                self._condition.wait(wait)
        return False
