# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The boundary around each lifecycle transition.

rclpy turns an exception in a transition into ERROR without a word of what it was. Here every one
is logged with its reason, and ends in the return value that leaves the node in a defined state.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.lifecycle import TransitionCallbackReturn

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.node.process import give_back_memory

LAST_RESORT = 'error processing'
STATE_AFTER = {
    'configure': 'inactive',
    'activate': 'active',
    'deactivate': 'inactive',
    'cleanup': 'unconfigured',
    'shutdown': 'finalized',
    LAST_RESORT: 'unconfigured',
}
LEAVE_MEMORY = ('deactivate', 'cleanup')


class Lifecycle:
    """Runs transitions and remembers how the last one ended.

    Attributes:
        state: name of the state that the node is in.
        failure: why the last transition failed, or why the node had to stop; empty otherwise.

    Args:
        logger: the node's logger.
    """

    def __init__(self, logger: RcutilsLogger) -> None:
        self.state = 'unconfigured'
        self.failure = ''
        self._logger = logger

    @property
    def is_finalized(self) -> bool:
        """True after a shutdown, or when nothing else helped; the node can only be destroyed."""
        return self.state == 'finalized'

    def run(
        self,
        name: str,
        action: Callable[[], None],
        *,
        undo: Callable[[], None] = lambda: None,
        failed: TransitionCallbackReturn = TransitionCallbackReturn.FAILURE,
    ) -> TransitionCallbackReturn:
        """Runs the work of a transition.

        Args:
            name: of the transition.
            action: the work.
            undo: undoes what the work began.
            failed: what to return when the work raised.

        Returns:
            SUCCESS, or `failed` after the reason was logged and the work undone.
        """
        try:
            action()
        except Exception as error:
            is_explained = isinstance(error, UpsnetError) and str(error).strip()
            reason = str(error) if is_explained else _unexpected(error)
            self._logger.error(f'{name} failed: {reason}')
            first_line = next(line for line in reason.splitlines() if line.strip())
            self.failure = f'{name} failed: {first_line}'
            undo()
            if name == LAST_RESORT:
                self.state = 'finalized'
            return failed
        self.state = STATE_AFTER[name]
        if name != LAST_RESORT:
            self.failure = ''
        self._logger.info(f'{name}: {self.state}')
        if name in LEAVE_MEMORY:
            give_back_memory()
        return TransitionCallbackReturn.SUCCESS


def _unexpected(error: Exception) -> str:
    """Type and text of an error nobody foresaw, with the trace that a report of it needs."""
    trace = ''.join(traceback.format_exception(error))
    return f'{type(error).__name__}: {error}\n{trace}'
