# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a signal ends a command that is at work."""

import logging
from collections.abc import Callable

from upsnet_ros.core.own_process import INTERRUPTED, interrupted_by_signals

LOGGER = logging.getLogger(__name__)


def interruptible(main: Callable[[], int], told: str = 'interrupted') -> int:
    """Run a command to its end, or until SIGINT or SIGTERM.

    Args:
        main: The command; returns its exit code.
        told: What to say when a signal broke it off.

    Returns:
        The exit code.
    """
    try:
        with interrupted_by_signals():
            return main()
    except KeyboardInterrupt:
        LOGGER.info(told)
        return INTERRUPTED
