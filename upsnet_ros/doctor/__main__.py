#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at everything that keeps the node from running well on this computer, and says what to do.

    ros2 run upsnet_ros doctor [--model model.engine]
    python -m upsnet_ros.doctor [--model model.engine]

Each line is ok, warning or error. Exit status: 0 without an error; 1 with one; 2 for a wrong
command line; 130 after SIGINT or SIGTERM.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from upsnet_ros.backends.backend import AUTOMATIC
from upsnet_ros.backends.select import BACKENDS
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.own_process import INTERRUPTED, interrupted_by_signals
from upsnet_ros.dds_profile import profile_sizes, read_size
from upsnet_ros.doctor.checks import CHECKS, SPEED, run_checks
from upsnet_ros.doctor.finding import Finding, Level, Subject
from upsnet_ros.installed_files import DEFAULT_MODEL, find_installed

FORMAT_VERSION = 1
_COLOURS = {Level.OK: '32', Level.WARNING: '33', Level.ERROR: '31'}
_LEVEL_WIDTH = max(len(level.value) for level in Level)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the doctor."""
    parser = argparse.ArgumentParser(
        prog='doctor', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--model', type=Path, help='ONNX file or engine (default: the model of the package)')
    add('--backend', choices=BACKENDS, default=AUTOMATIC, help='as the parameter of the node')
    add('--images', type=Path, metavar='DIR', help='images of the camera (default: three streets)')
    add('--frames', type=_count, default=3, help='how many of them (default: 3)')
    add('--cameras', type=_count, default=1, help='cameras of the vehicle (default: 1)')
    add('--camera-size', type=_size, default='2048x1024', help='of each (default: 2048x1024)')
    add('--json', action='store_true', help='for programs: one object, at the end')
    add('--no-speed', action='store_true', help='measure no times')
    options = parser.parse_args(arguments)
    try:
        profile_sizes(cameras=options.cameras, size=options.camera_size)
    except ParameterError as error:
        parser.error(str(error))
    return options


def _count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}', expected a whole number, at least 1")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    """Width and height [pixels]."""
    try:
        return read_size(text)
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = parse_arguments(arguments)
    subject = Subject(
        model_path=options.model or find_installed(DEFAULT_MODEL) or Path(DEFAULT_MODEL),
        backend=options.backend,
        images=options.images,
        frames=options.frames,
        cameras=options.cameras,
        camera_size=options.camera_size,
    )
    checks = [check for check in CHECKS if not (options.no_speed and check.name == SPEED)]
    is_coloured = sys.stdout.isatty() and not os.environ.get('NO_COLOR')
    answers: list[tuple[str, Finding]] = []
    try:
        with interrupted_by_signals():
            for check, finding in run_checks(
                subject, checks, announce=lambda name: show_status(f'{name} ...')
            ):
                show_status('')
                answers.append((check.name, finding))
                if not options.json:
                    print(format_finding(finding, is_coloured=is_coloured), flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        show_status('')
    findings = [finding for _, finding in answers]
    print(to_json(subject, answers) if options.json else f'\n{format_summary(findings)}')
    return int(any(finding.level is Level.ERROR for finding in findings))


def format_finding(finding: Finding, *, is_coloured: bool) -> str:
    """One line: how bad, what, what was found, what was expected, what to do."""
    level = f'{finding.level.value:<{_LEVEL_WIDTH}}'
    if is_coloured:
        level = f'\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m'
    text = f'{level}  {finding.what}: {_one_line(finding.found)}'
    if finding.expected:
        text += f'; expected {_one_line(finding.expected)}'
    if finding.remedy:
        text += f'; to do: {_one_line(finding.remedy)}'
    return text


def format_summary(findings: Iterable[Finding]) -> str:
    """How many lines there are of each kind."""
    counts = count_levels(findings)
    return (
        f'{counts[Level.OK.value]} ok, {_plural(counts[Level.WARNING.value], "warning")}, '
        f'{_plural(counts[Level.ERROR.value], "error")}'
    )


def _plural(count: int, word: str) -> str:
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def count_levels(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings by level, all levels named."""
    counts = Counter(finding.level.value for finding in findings)
    return {level.value: counts[level.value] for level in Level}


def to_json(subject: Subject, answers: Iterable[tuple[str, Finding]]) -> str:
    """All findings for programs.

    Args:
        subject: what was examined.
        answers: name of the check and finding.
    """
    answers = list(answers)
    counts = count_levels(finding for _, finding in answers)
    report = {
        'format_version': FORMAT_VERSION,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'model': str(subject.model_path),
        'backend': subject.backend,
        'counts': counts,
        'findings': [_to_dict(check, finding) for check, finding in answers],
    }
    return json.dumps(report, indent=2, allow_nan=False, default=str)


def _to_dict(check: str, finding: Finding) -> dict[str, Any]:
    return {
        'check': check,
        'what': finding.what,
        'level': finding.level.value,
        'found': finding.found,
        'expected': finding.expected,
        'remedy': finding.remedy,
        'values': {name: _plain(value) for name, value in finding.values.items()},
    }


def _plain(value: Any) -> Any:
    """A value that JSON has; it has neither NaN nor infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _one_line(text: str) -> str:
    """A text without line breaks; what were lines stay apart."""
    return ' | '.join(line.strip() for line in text.splitlines() if line.strip())


def show_status(text: str) -> None:
    """Show a line while something takes long, in place of the one before; empty to wipe it.

    Nothing is shown where nobody watches.
    """
    if sys.stderr.isatty():
        sys.stderr.write('\r\x1b[K' + text)
        sys.stderr.flush()


if __name__ == '__main__':
    sys.exit(main())
