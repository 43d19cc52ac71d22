# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Python in a process of its own: for what it imports, compiles, starts or leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_python(
    code: str, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program from the root of the checkout; the test fails where it fails.

    Args:
        code: The program.
        arguments: Its command line.
        environment: Variables beside those of this process.
    """
    answer = subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    return answer
