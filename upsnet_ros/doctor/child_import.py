# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Importing a library in a process of its own: the only proof that it can be imported.

A library that crashes, or that another version of NumPy keeps from loading, ends only that one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

LONGEST_SECONDS = 60.0
UNKNOWN = 'unknown'
_CODE = (
    'import importlib, sys\n'
    '*modules, last = [importlib.import_module(name) for name in sys.argv[1:]]\n'
    f'print("version", getattr((modules or [last])[0], "__version__", {UNKNOWN!r}))\n'
)
_MARK = 'version '


@dataclass(frozen=True)
class ImportAnswer:
    """What came of an import.

    Attributes:
        version: of the library, `unknown` if it does not say; empty where the import failed.
        is_missing: whether the library is not installed at all.
        reason: why the import failed.
    """

    version: str = ''
    is_missing: bool = False
    reason: str = ''


def import_elsewhere(*modules: str) -> ImportAnswer:
    """Import modules in another process; the first one's version is asked for."""
    answer = run_python(_CODE, *modules)
    if answer.returncode == 0:
        lines = [line for line in answer.stdout.splitlines() if line.startswith(_MARK)]
        return ImportAnswer(version=lines[-1].removeprefix(_MARK) if lines else UNKNOWN)
    reason = reason_of(answer)
    package = modules[0].split('.')[0]
    is_missing = any(f"No module named '{name}'" in reason for name in (*modules, package))
    return ImportAnswer(is_missing=is_missing, reason=reason)


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with the import path of this process; one that hangs ends with status -9."""
    command = [sys.executable, '-c', code, *arguments]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            env=environment,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        reason = f'no answer within {LONGEST_SECONDS:g} s'
        return subprocess.CompletedProcess(command, -signal.SIGKILL, '', reason)


def reason_of(answer: subprocess.CompletedProcess[str]) -> str:
    """Why a process failed: the last line it wrote, and the signal if one ended it."""
    lines = answer.stderr.strip().splitlines()
    last = lines[-1] if lines else ''
    if answer.returncode >= 0:
        return last or f'exit status {answer.returncode}'
    try:
        name = signal.Signals(-answer.returncode).name
    except ValueError:
        name = f'signal {-answer.returncode}'
    return f'ended by {name}' + (f' ({last})' if last else '')
