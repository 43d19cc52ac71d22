# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much memory this process holds, as Linux tells it."""

from __future__ import annotations

from pathlib import Path

STATUS = Path('/proc/self/status')


def resident_bytes(status: Path = STATUS) -> int | None:
    """Bytes of this process in memory now; None where the system does not tell."""
    return _field('VmRSS', status)


def peak_resident_bytes(status: Path = STATUS) -> int | None:
    """The most bytes that it ever held; None where the system does not tell."""
    return _field('VmHWM', status)


def _field(name: str, status: Path) -> int | None:
    """A size of the status file, which gives it in kB."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(':')
        if key == name:
            return int(value.split()[0]) * 1024
    return None
