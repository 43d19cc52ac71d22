# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM as a wish to end, looked at where a process can end cleanly."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

# A signal so soon after the first one is the same once more.
ECHO_S = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Remembers SIGINT and SIGTERM, so that a process ends between two steps of its work."""

    def __init__(self) -> None:
        self.received = False
        self._received_at = 0.0
        self._former = {number: signal.signal(number, self._remember) for number in STOPPING}

    def close(self) -> None:
        """Give the signals back to those who had them before."""
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        """Notes the first signal; another one, not an echo of it, ends the process at once.

        A launch without a terminal hands a signal on that the process group has got already.
        """
        now = time.monotonic()
        if self.received and now - self._received_at > ECHO_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self.received:
            self.received, self._received_at = True, now
