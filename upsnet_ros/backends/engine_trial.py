# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trying an engine in a process of its own, where a crash is a report and not the end.

    python -m upsnet_ros.backends.engine_trial ENGINE

That process loads the engine, runs it once, labels an image on the GPU and ends. Exit status: 0 if
all of that worked; 1 if the engine did not run, with the reason on the standard error; 2 for a
wrong command line; 3 if the engine runs but labels are to be made by the processor.
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

from upsnet_ros.backends.backend import LabellingBackend
from upsnet_ros.core.errors import ModelError, UpsnetError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

# Loading includes compiling the plugin's PTX by the driver, which takes long on a small processor.
TRIAL_SECONDS = 180.0
_LINES_SHOWN = 20
_RUNS = 'engine_trial: the engine runs'
_NO_LABELS = 3
# Of the pixels that the GPU and the panoptic head label, so many must be equal.
_EQUAL_SHARE = 0.9999


def trial_command(engine_path: Path) -> list[str]:
    """The command line that tries an engine."""
    return [sys.executable, '-m', 'upsnet_ros.backends.engine_trial', str(engine_path)]


def run_trial(command: Sequence[str], *, timeout_s: float = TRIAL_SECONDS) -> str:
    """Run a trial to its end.

    Args:
        command: its command line, see `trial_command`.
        timeout_s: longest time it may take [s].

    Returns:
        The end of its log if the engine ran, but not the kernels that label its images; else ''.

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
        if what and _engine_ran(log):
            return f'the trial run of labels {what}. The end of its log:\n{_last_lines(log)}'
        if what:
            raise ModelError(
                f'the trial run of the engine {what}; build the engine again on this computer '
                '(python -m training.build_engine), and check the GPU with nvidia-smi. The end of '
                f'its log:\n{_last_lines(log)}'
            )
        return ''


def _engine_ran(log: IO[bytes]) -> bool:
    log.seek(0)
    return any(line.rstrip() == _RUNS.encode() for line in log)


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
        image = np.random.default_rng(0).integers(0, 256, (*backend.input_size, 3), np.uint8)
        output = backend.infer(image)
    except UpsnetError as error:
        print(f'engine_trial: {error}', file=sys.stderr)
        return 1
    print(_RUNS, flush=True)
    try:
        if backend.can_label:
            _try_labels(backend, manifest, image, output)
    except UpsnetError as error:
        print(f'engine_trial: {error}', file=sys.stderr)
        return _NO_LABELS
    finally:
        backend.close()
    return 0


def _try_labels(
    backend: LabellingBackend, manifest: ModelManifest, image: np.ndarray, output: NetworkOutput
) -> None:
    """Compare labels of the GPU with the panoptic head's, at scale 1, where both see the same.

    Raises:
        ModelError: they differ, or there are none.
    """
    head = PanopticHead(manifest.label_set, score_threshold=0.0, stuff_area_limit=0)
    geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=backend.input_size)
    found = backend.label(image, geometry, head).label_image
    share = float((found == head(output, geometry).label_image).mean())
    if share < _EQUAL_SHARE:
        raise ModelError(
            f'{share:.2%} of the labels of the GPU are those of the processor, expected at least '
            f'{_EQUAL_SHARE:.2%}'
        )


if __name__ == '__main__':
    faulthandler.enable()  # where it crashed is then in the log
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s')
    sys.exit(main(sys.argv[1:]))
