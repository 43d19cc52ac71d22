# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that end together with the one that started them, even when that one is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # from Linux's <linux/prctl.h>
# Loaded here: between fork and exec nothing may be loaded any more.
_LIBRARY = ctypes.CDLL(None) if sys.platform == 'linux' else None


def die_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` by which Linux kills the child when this process ends; None elsewhere.

    The kernel does it when the starting thread ends, so start such processes from the main thread.
    """
    library = _LIBRARY
    if library is None:
        return None
    parent = os.getpid()

    def prepare() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)

    return prepare
