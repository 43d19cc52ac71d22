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
import os
import sys
from pathlib import Path

from upsnet_ros.backends.select import AUTOMATIC, BACKENDS
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.own_process import INTERRUPTED, interrupted_by_signals
from upsnet_ros.dds_profile import profile_sizes, read_size
from upsnet_ros.doctor.checks import CHECKS, SPEED, run_checks
from upsnet_ros.doctor.finding import Finding, Level
from upsnet_ros.doctor.report import format_finding, format_summary, show_status, to_json
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.installed_files import DEFAULT_MODEL, find_installed


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


if __name__ == '__main__':
    sys.exit(main())
