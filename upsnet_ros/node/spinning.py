# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Spins a node so that a callback that raises costs that one call, and not the node.

rclpy lets an exception of a timer, a subscription, a service or an event out of the executor,
which would end the process in the middle of a frame.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass

from rclpy.executors import Executor
from rclpy.impl.rcutils_logger import RcutilsLogger

LOG_INTERVAL_S = 5.0
# So many in a row, with not one success between, are no fault of a callback: nothing works.
MOST_IN_A_ROW = 100
LONGEST_TEXT = 200


@dataclass
class CallbackFailures:
    """What is known of callbacks that raised.

    Attributes:
        total: since the start of the process.
        last: type and text of the last one, one line for the diagnostics; empty before the first.
    """

    total: int = 0
    last: str = ''


class GuardedSpinning:
    """Runs the callbacks of an executor one by one.

    Args:
        executor: holds the node.
        failures: counts those that raised.
        logger: the node's logger.
    """

    def __init__(
        self, executor: Executor, *, failures: CallbackFailures, logger: RcutilsLogger
    ) -> None:
        self._executor = executor
        self._failures = failures
        self._logger = logger
        self._in_a_row = 0
        self._next_log_at = 0.0

    def spin_once(self, *, timeout_s: float) -> None:
        """Waits for a callback and runs it.

        Raises:
            Exception: what the callbacks raise, when not one of the last hundred succeeded.
        """
        try:
            self._executor.spin_once(timeout_sec=timeout_s)
        except Exception as error:
            self._in_a_row += 1
            self._failures.total += 1
            text = f'{type(error).__name__}: {error}'
            self._failures.last = ' '.join(text.split())[:LONGEST_TEXT]
            self._log(error)
            if self._in_a_row >= MOST_IN_A_ROW:
                raise
        else:
            self._in_a_row = 0

    def _log(self, error: Exception) -> None:
        """Tells of an error with its trace, and of a storm of them now and then."""
        now = time.monotonic()
        if now >= self._next_log_at:
            self._next_log_at = now + LOG_INTERVAL_S
            trace = ''.join(traceback.format_exception(error))
            self._logger.error(
                f'a callback failed ({self._failures.total} so far), the node goes on: '
                f'{self._failures.last}\n{trace}'
            )
