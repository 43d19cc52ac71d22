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
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.evaluation.command import run_command
from upsnet_ros.evaluation.compared_pictures import write_compared_pictures
from upsnet_ros.evaluation.comparison import (
    COMPARISON_FILE,
    FRAMES_SHOWN,
    compare_reports,
    write_comparison,
)
from upsnet_ros.evaluation.comparison_sections import (
    COMPARISON_PAGE,
    comparison_text,
    write_comparison_page,
)
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions


@dataclass(frozen=True)
class CompareOptions:
    """What to compare.

    Attributes:
        report: folder of the report that is judged.
        against: folder of the one it is compared with.
        output: folder for the comparison.
        bootstrap: how sure a change is is found out.
        frames: up to so many frames that got better are shown, and as many that got worse.
        pictures: whether these frames are labelled again to show them side by side.
    """

    report: Path
    against: Path
    output: Path
    bootstrap: BootstrapOptions
    frames: int = FRAMES_SHOWN
    pictures: bool = True


def read_options(words: list[str] | None) -> CompareOptions:
    """The comparison that a command line asks for.

    Raises:
        ParameterError: a number is impossible.
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
        help='do not label these frames again to show them side by side')  # fmt: skip
    given = parser.parse_args(words)
    return CompareOptions(
        report=given.report,
        against=given.against,
        output=given.output,
        bootstrap=BootstrapOptions(
            given.resamples, given.seed, given.confidence, given.block_frames
        ),
        frames=max(0, given.frames),
        pictures=not given.no_pictures,
    )


def compare(options: CompareOptions) -> list[str]:
    """Compare, write and print; nothing is required that could be missed.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    comparison = compare_reports(
        options.report,
        options.against,
        options=options.bootstrap,
        frames_shown=options.frames,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    write_comparison(comparison, options.output)
    missing = write_compared_pictures(comparison, options.output) if options.pictures else []
    write_comparison_page(comparison, options.output)
    print(comparison_text(comparison))
    for reason in missing:
        print(f'Note: {reason}')
    print(f'\n{options.output / COMPARISON_FILE}\n{options.output / COMPARISON_PAGE}')
    return []


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command(lambda: compare(read_options(arguments)), name='comparison')


if __name__ == '__main__':
    sys.exit(main())
