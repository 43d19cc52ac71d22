# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The perception node as a process of its own: started, watched, measured, stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.parent_death import die_with_parent

LOG_LINES_SHOWN = 25
# How long a node may take to leave by itself before it is told more firmly.
INTERRUPT_SECONDS = 10.0
TERMINATE_SECONDS = 3.0


def node_command(
    model_path: Path,
    cameras: Sequence[str],
    parameters: Mapping[str, bool | int | str] | None = None,
    params_file: Path | None = None,
) -> list[str]:
    """The command line that runs the node on a model for these cameras.

    Args:
        model_path: The model.onnx or .engine.
        cameras: Their names.
        parameters: Further parameters.
        params_file: File of parameters; all others go before it.
    """
    names = ', '.join(f"'{name}'" for name in cameras)
    values = {'model_path': f"'{model_path}'", 'camera_names': f'[{names}]'}
    values |= {name: _yaml(value) for name, value in (parameters or {}).items()}
    command = [sys.executable, '-m', 'upsnet_ros.node.main', '--ros-args']
    if params_file is not None:
        command += ['--params-file', str(params_file)]
    for name, value in values.items():
        command += ['-p', f'{name}:={value}']
    return command


def _yaml(value: bool | int | str) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def peak_memory_bytes(pid: int) -> int | None:
    """Largest resident memory a process has had so far; None once it is gone.

    Linux counts it exactly (VmHWM); elsewhere the present size is the best there is, so ask often.
    """
    try:
        for line in Path(f'/proc/{pid}/status').read_text().splitlines():
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
        return int(psutil.Process(pid).memory_info().rss)
    except (OSError, psutil.NoSuchProcess):
        return None


def last_lines(path: Path, *, count: int = LOG_LINES_SHOWN) -> str:
    """The end of a log file, or a note that it is empty."""
    with path.open(errors='replace') as file:
        lines = deque(file, maxlen=count)
    return ''.join(lines).rstrip() or '(the log is empty)'


class NodeProcess:
    """Runs a command with its output in a log file. Use it as a context manager.

    It is asked to end when the context is left; on Linux it is killed when this process is.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self.command = tuple(command)
        self.log = log
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._peak = 0

    def __enter__(self) -> NodeProcess:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open('wb') as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                preexec_fn=die_with_parent(),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        if self._process is None:
            raise ReplayError('the node was not started. Enter the context of NodeProcess first.')
        return self._process

    def check(self) -> None:
        """Note the memory the node has taken, and that it is still there.

        Raises:
            ReplayError: the node has ended; the message holds the last lines of its log.
        """
        self._peak = max(self._peak, peak_memory_bytes(self.process.pid) or 0)
        status = self.process.poll()
        if status is not None:
            raise ReplayError(self.failure(f'the node ended by itself with status {status}'))

    def failure(self, what: str) -> str:
        """A message of what went wrong, with the last lines the node wrote."""
        return (
            f'{what}.\nCommand: {" ".join(self.command)}\nLast lines of {self.log}:\n'
            f'{last_lines(self.log)}'
        )

    @property
    def peak_bytes(self) -> int | None:
        """Largest resident memory seen by `check`, or None before the first."""
        return self._peak or None

    def stop(self) -> int | None:
        """End the process: asked first, then told, then forced. Returns its exit status."""
        if self._process is None:
            return None
        steps = ((signal.SIGINT, INTERRUPT_SECONDS), (signal.SIGTERM, TERMINATE_SECONDS))
        for number, patience in steps:
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        if self._process.poll() is None:
            self._process.kill()
        return self._process.wait()
