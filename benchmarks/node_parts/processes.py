# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes of a benchmark: where they run and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from upsnet_ros.dds_domain import own_domain

ROOT = Path(__file__).resolve().parents[2]
END_S = 5.0


def environment() -> dict[str, str]:
    """Variables for the processes of a benchmark: the shipped profile, a domain of their own."""
    found = os.environ.get('PYTHONPATH', '').split(os.pathsep)
    return os.environ | {
        'FASTDDS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds.xml'),
        'ROS_DOMAIN_ID': str(own_domain()),
        'PYTHONPATH': os.pathsep.join([str(ROOT), *filter(None, found)]),
    }


@contextmanager
def python_process(
    arguments: Sequence[str], *, pipe_output: bool = False
) -> Iterator[subprocess.Popen]:
    """A Python process, which is ended at the latest with the block.

    Args:
        arguments: of the interpreter.
        pipe_output: read its standard output as text rather than let it be seen.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if pipe_output else None,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
