# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A part of the benchmark, and running parts so that a failing one stops none of the others."""

import json
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NEEDS_GPU = 'needs a GPU'
LONGEST_S = 300  # of one part in a process of its own

Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all parts are told.

    Attributes:
        device: ``cuda`` or ``cpu``.
        size: Height and width of the input of the small networks, in pixels.
        network_size: The same of UPSNet-50 at its full size.
        repeat: Timed calls of each kind.
    """

    device: str
    size: tuple[int, int]
    network_size: tuple[int, int]
    repeat: int

    def arguments(self) -> list[str]:
        """The command's options that say the same; the device is found anew."""
        sizes = {'--size': self.size, '--network-size': self.network_size}
        texts = [(name, f'{width}x{height}') for name, (height, width) in sizes.items()]
        return [word for pair in texts for word in pair] + ['--repeat', str(self.repeat)]


def flat_lines(result: Result) -> list[str]:
    """One line for each figure."""
    return [f'{name:26}{value:12.4g}' for name, value in result.items()]


@dataclass(frozen=True)
class Part:
    """One measurement with a name.

    Attributes:
        name: Key of its result in the report.
        run: Measures; the result goes to JSON. What it found wrong is listed under ``failures``.
        lines: The result in a few lines of text.
        needs_gpu: Whether it says nothing on a CPU.
    """

    name: str
    run: Callable[[Settings], Result]
    lines: Callable[[Result], list[str]] = flat_lines
    needs_gpu: bool = False


def run_part(part: Part, settings: Settings) -> Result:
    """Run one part in this process; what it raises becomes its result."""
    if part.needs_gpu and settings.device != 'cuda':
        return {'not_run': NEEDS_GPU}
    try:
        return part.run(settings)
    except Exception as error:  # the other parts must still be measured
        traceback.print_exc()
        return {'failures': [f'{type(error).__name__}: {error}'[:2000]]}


def run_part_alone(part: Part, settings: Settings) -> Result:
    """Run one part in a process of its own.

    An illegal address on a GPU spoils its process for good, and peak memory is that of the part.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / 'part.json'
        command = [sys.executable, '-m', 'benchmarks.gpu', '--parts', part.name]
        command += ['--in-process', '--output', str(output), *settings.arguments()]
        try:
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            return {'failures': [f'not done after {LONGEST_S} s, so it was ended']}
        if not output.exists():
            return {'failures': [f'its process ended with {done.returncode} and without a result']}
        return json.loads(output.read_text())[part.name]


def failures(results: dict[str, Result]) -> list[str]:
    """What went wrong, part by part: ``part: what``."""
    return [
        f'{name}: {text}'
        for name, result in results.items()
        for text in result.get('failures', [])
    ]


def table(parts: Sequence[Part], results: dict[str, Result]) -> list[str]:
    """The results of all parts in lines of text."""
    lines = []
    for part in parts:
        lines += [f'{part.name:14}{line}' for line in _part_lines(part, results[part.name])]
    return lines + [f'FAILED: {text}' for text in failures(results)]


def _part_lines(part: Part, result: Result) -> list[str]:
    if 'not_run' in result:
        return [result['not_run']]
    if list(result) == ['failures']:
        return ['failed']
    return part.lines({name: value for name, value in result.items() if name != 'failures'})
