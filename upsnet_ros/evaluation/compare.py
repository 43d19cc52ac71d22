# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compares the reports of two evaluated replays of the same bag.

python -m upsnet_ros.evaluation.compare out/new --against out/old --output out/new_or_old

Exit status: 0 where the comparison was written; 1 where not; 130 after SIGINT or SIGTERM.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import sys
from pathlib import Path

from upsnet_ros.evaluation.command import compare_folders, run_command
from upsnet_ros.evaluation.comparison import COMPARISON_FILE, FRAMES_SHOWN
from upsnet_ros.evaluation.comparison_sections import write_comparison_page
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions


def compare(words: list[str] | None) -> list[str]:
    """Do what a command line asks for; nothing is required that could be missed.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    defaults = BootstrapOptions()
    parser = argparse.ArgumentParser(
        prog='python -m upsnet_ros.evaluation.compare',
        description='Compare two evaluated replays of the same bag, frame by frame.',
    )
    add = parser.add_argument
    add('report', type=Path, help='folder of the report that is judged')
    add('--against', type=Path, required=True, help='folder of the report to compare it with')
    add('--output', type=Path, required=True, help='folder for the comparison')
    add('--resamples', type=int, default=defaults.resamples, metavar='N',
        help=f'draws of the bootstrap (default: {defaults.resamples})')  # fmt: skip
    add('--seed', type=int, default=defaults.seed, metavar='N',
        help=f'of the draws (default: {defaults.seed})')  # fmt: skip
    add('--confidence', type=float, default=defaults.confidence, metavar='SHARE',
        help=f'of the intervals (default: {defaults.confidence})')  # fmt: skip
    add('--block-frames', type=int, default=defaults.block_frames, metavar='N',
        help='frames that are drawn together; a second of them makes intervals more honest '
        f'(default: {defaults.block_frames})')  # fmt: skip
    add('--frames', type=int, default=FRAMES_SHOWN, metavar='N',
        help=f'frames that got better and worse to show (default: {FRAMES_SHOWN})')  # fmt: skip
    add('--no-pictures', action='store_true',
        help='label no frame again: show what pictures of them the reports have')  # fmt: skip
    given = parser.parse_args(words)
    bootstrap = BootstrapOptions(given.resamples, given.seed, given.confidence, given.block_frames)
    comparison = compare_folders(
        given.report,
        given.against,
        given.output,
        bootstrap=bootstrap,
        frames_shown=max(0, given.frames),
        again=not given.no_pictures,
    )
    page = write_comparison_page(comparison, given.output)
    print(f'\n{given.output / COMPARISON_FILE}\n{page}')
    return []


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command(lambda: compare(arguments), name='comparison')


if __name__ == '__main__':
    sys.exit(main())
