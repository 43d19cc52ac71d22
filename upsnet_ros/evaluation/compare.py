# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compares the reports of two evaluated replays of the same bag.

python -m upsnet_ros.evaluation.compare out/new --against out/old --output out/new_or_old
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.evaluation.compared_labels import write_compared_pictures
from upsnet_ros.evaluation.comparison import FRAMES_SHOWN, compare_reports
from upsnet_ros.evaluation.comparison_data import (
    COMPARISON_FILE,
    Comparison,
    write_comparison,
)
from upsnet_ros.evaluation.comparison_page import PAGE_FILE, write_comparison_page
from upsnet_ros.evaluation.comparison_text import comparison_text
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
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
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> Comparison:
    """Compare, write and print.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    comparison = compare_reports(
        options.report,
        options.against,
        options=BootstrapOptions(
            resamples=options.resamples,
            seed=options.seed,
            confidence=options.confidence,
            block_frames=options.block_frames,
        ),
        frames_shown=max(0, options.frames),
    )
    options.output.mkdir(parents=True, exist_ok=True)
    write_comparison(comparison, options.output)
    missing = [] if options.no_pictures else write_compared_pictures(comparison, options.output)
    write_comparison_page(comparison, options.output)
    print(comparison_text(comparison))
    for reason in missing:
        print(f'Note: {reason}')
    print(f'\n{options.output / COMPARISON_FILE}\n{options.output / PAGE_FILE}')
    return comparison


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0 if the comparison was written."""
    options = parse_arguments(arguments)
    try:
        run(options)
    except (UpsnetError, OSError) as error:
        print(f'The comparison failed: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
