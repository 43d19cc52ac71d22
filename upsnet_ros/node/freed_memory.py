# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a deactivated or unconfigured node does not need any more, given back.

Without this a process that is deactivated and brought back time and again grows by the images,
results and labels that nothing reaches any more.
"""

from __future__ import annotations

import ctypes
import gc

from rclpy.callback_groups import CallbackGroup


def give_back_memory() -> None:
    """Frees what only refers to itself, then returns what is free to the system.

    Callbacks and what they belong to refer to each other. Python looks for such rings seldom, and
    by number: a few of them may hold many images. The C library keeps what was freed between
    pieces still in use; GNU's can be told to return it.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)


def forget_destroyed(group: CallbackGroup) -> None:
    """Has a callback group forget what was destroyed; rclpy never does."""
    group.entities.difference_update([entity for entity in group.entities if entity() is None])
