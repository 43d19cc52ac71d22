# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trying an engine in a process of its own, where a crash is a report and not the end.

    python -m upsnet_ros.backends.engine_trial ENGINE

That process loads the engine, runs it once and ends. Exit status: 0 if it ran; 1 if not, with the
reason on the standard error; 2 for a wrong command line.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from upsnet_ros.core.errors import ModelError, UpsnetError
from upsnet_ros.manifest import ModelManifest

# Loading includes compiling the plugin's PTX by the driver, which takes long on a small processor.
TRIAL_SECONDS = 180.0
_LINES_SHOWN = 20


def trial_command(engine_path: Path) -> list[str]:
    """The command line that tries an engine."""
    return [sys.executable, '-m', 'upsnet_ros.backends.engine_trial', str(engine_path)]


def run_trial(command: Sequence[str], *, timeout_s: float = TRIAL_SECONDS) -> None:
    """Run a trial to its end.

    Args:
        command: its command line, see `trial_command`.
        timeout_s: longest time it may take [s].

    Raises:
        ModelError: it failed, crashed or took too long; the message holds the end of its log.
    """
    # A file, not a pipe: whatever the process leaves behind cannot hold up this one.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            what = f'gave no answer within {timeout_s:g} s and was ended'
        else:
            what = _describe_status(status)
        finally:
            process.kill()
            process.wait()
        if what:
            raise ModelError(
                f'the trial run of the engine {what}; build the engine again on this computer '
                '(python -m training.build_engine), and check the GPU with nvidia-smi. The end of '
                f'its log:\n{_last_lines(log)}'
            )


def _describe_status(status: int) -> str:
    """What an exit status says in words; empty for success."""
    if status == 0:
        return ''
    if status > 0:
        return f'failed with exit status {status}'
    try:
        return f'crashed with {signal.Signals(-status).name}'
    except ValueError:
        return f'crashed with signal {-status}'


def _last_lines(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.decode(errors='replace') for line in deque(log, maxlen=_LINES_SHOWN)]
    return ''.join(lines).rstrip() or '(the log is empty)'


def main(arguments: Sequence[str]) -> int:
    """Try the engine that the command line names; returns the exit status."""
    from upsnet_ros.backends.tensorrt_backend import TensorRtBackend  # which has trials run

    if len(arguments) != 1:
        print(
            f'engine_trial: received {len(arguments)} arguments, expected one, the path of an '
            'engine',
            file=sys.stderr,
        )
        return 2
    try:
        manifest = ModelManifest.load(arguments[0])
        backend = TensorRtBackend(arguments[0], manifest, trial_timeout_s=None)
        backend.infer(np.full((*backend.input_size, 3), 128, np.uint8))
        backend.close()
    except UpsnetError as error:
        print(f'engine_trial: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    faulthandler.enable()  # where it crashed is then in the log
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s')
    sys.exit(main(sys.argv[1:]))
