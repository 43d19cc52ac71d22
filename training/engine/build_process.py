# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a build in a child process, draws its progress, and says what became of it."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from training.engine.compile_process import CompileJob
from training.engine.engine_compiler import EngineBuildError

ROOT = Path(__file__).parents[2]
LOG_TAIL = 1500  # characters


def build_engine(job: CompileJob, *, progress: bool = True) -> dict[str, Any]:
    """Build an engine.

    Args:
        job: What to build.
        progress: Whether to draw a bar; a build takes minutes.

    Returns:
        Library, version, size in bytes, number of layers and warnings.

    Raises:
        EngineBuildError: If there is no engine afterwards, with the library's reason or, when
            the process died, its signal and the end of what it wrote.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile('w+') as log:
        path = Path(folder) / 'job.json'
        path.write_text(job.to_json())
        command = [sys.executable, '-m', 'training.engine.compile_process', str(path)]
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert child.stdout is not None  # as asked for
        try:
            answer = _follow(child.stdout, progress=progress)
            code = child.wait()
        finally:  # an interrupt of this process must not leave the other behind
            child.kill()
            child.wait()
        if 'built' in answer and code == 0:
            return answer['built']
        log.seek(0)
        tail = log.read()[-LOG_TAIL:].strip()
    raise EngineBuildError(answer.get('error') or _death(code, tail))


def _follow(lines: IO[str], *, progress: bool) -> dict[str, Any]:
    """Draw steps until the process is done; its last word."""
    answer: dict[str, Any] = {}
    phase = 'starting'
    with tqdm(desc=phase, dynamic_ncols=True, disable=not progress, leave=False) as bar:
        for values in _objects(lines):
            if 'phase' not in values:
                answer = values
                continue
            if values['phase'] != phase:
                phase = values['phase']
                bar.set_description(phase, refresh=False)
                bar.reset(values['total'])
            bar.update(values['done'] - bar.n)
    return answer


def _objects(lines: IO[str]) -> Iterator[dict[str, Any]]:
    """The lines that are ours; a library may write others."""
    for line in lines:
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(values, dict):
            yield values


def _death(code: int, tail: str) -> str:
    if code < 0:
        how = f'was killed by {signal.Signals(-code).name}'
        advice = 'free memory (a build needs several gigabytes) or lower --workspace'
    else:
        how, advice = f'ended with code {code}', 'read its last words'
    return f'the process that builds the engine {how}; {advice}: {tail or "it wrote nothing"}'
