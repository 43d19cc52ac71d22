# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Within which numbering of processes this one has its id."""

from __future__ import annotations

import os
from pathlib import Path

LINK = Path('/proc/self/ns/pid')


def pid_namespace(link: Path = LINK) -> str | None:
    """Name of the PID namespace, as `pid:[4026531836]`; None where the system does not tell."""
    try:
        return os.readlink(link)
    except OSError:
        return None
