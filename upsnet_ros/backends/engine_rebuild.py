# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Building an engine anew on the computer that is to run it, as it was built before."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from upsnet_ros.backends.engine_record import EngineRecord
from upsnet_ros.core.errors import ModelError
from upsnet_ros.manifest import source_beside

_LOGGER = logging.getLogger(__name__)
_SOURCE_TREE = Path(__file__).parents[2]
_LINES_SHOWN = 20
BUILDER = 'training.build_engine'


def rebuild_command(engine_path: Path) -> list[str]:
    """The command line that builds an engine with the precision and operator of its record.

    Raises:
        ModelError: the record is missing or malformed.
    """
    record = EngineRecord.load(engine_path)
    return [
        *(sys.executable, '-m', BUILDER),
        *('--model', str(source_beside(engine_path, '.onnx')), '--output', str(engine_path)),
        *('--precision', record.precision, '--deform-conv', record.deform_conv),
        *('--cameras', str(record.cameras)),
    ]


def rebuild_engine(
    engine_path: Path,
    *,
    command: Callable[[Path], Sequence[str]] = rebuild_command,
) -> None:
    """Build an engine anew in a process of its own; it takes minutes, and its lines are logged.

    The old engine stays where it is until the new one has proved itself.

    Args:
        engine_path: the engine, with its record, its ONNX file and its manifest beside it.
        command: makes the command line.

    Raises:
        ModelError: the builder is not installed here, or it failed; the message holds the end of
            what it said.
    """
    if not _builder_is_there():
        raise ModelError(
            f"the engine '{engine_path}' cannot be built anew, because {BUILDER} is not installed "
            "beside the node; put the project's source folder on PYTHONPATH, or build the engine "
            'by hand'
        )
    _LOGGER.warning("building the engine '%s' for this computer; this takes minutes", engine_path)
    last: deque[str] = deque(maxlen=_LINES_SHOWN)
    process = subprocess.Popen(
        list(command(engine_path)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([*_search_path()])},
    )
    try:
        # Only whole lines: a progress bar returns to the beginning of its own.
        for line in io.TextIOWrapper(process.stdout, errors='replace', newline='\n'):
            text = line.rsplit('\r', 1)[-1].strip()  # of a progress bar, its last state
            if text:
                last.append(text)
                _LOGGER.info('build_engine: %s', text)
        status = process.wait()
    finally:  # also when this process is told to end
        process.kill()
        process.wait()
        process.stdout.close()
    if status:
        said = '\n'.join(last) or '(it said nothing)'
        raise ModelError(f"the engine '{engine_path}' could not be built anew:\n{said}")


def _search_path() -> list[str]:
    return [str(_SOURCE_TREE), *filter(None, sys.path)]


def _builder_is_there() -> bool:
    """Whether the builder can be imported by a child process; nothing is imported here."""
    name = BUILDER.split('.')[0]
    return (_SOURCE_TREE / name / 'build_engine.py').is_file() or find_spec(name) is not None
