# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tells the process that started this one what happens: one JSON object per line."""

from __future__ import annotations

import json
import sys
from threading import Lock

_LOCK = Lock()


def emit(**event: object) -> None:
    """Write one event to standard output; lines of several threads stay whole."""
    line = json.dumps(event) + '\n'
    with _LOCK:
        sys.stdout.write(line)
        sys.stdout.flush()
