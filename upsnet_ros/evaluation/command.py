# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the commands of evaluation have in common: command line, terminal, pages, exit status."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from upsnet_ros.backends.backend import AUTOMATIC
from upsnet_ros.backends.select import BACKENDS, PRECISIONS
from upsnet_ros.bags.truth import PANOPTIC, TRUTH_FORMATS
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.own_process import INTERRUPTED, interrupted_by_signals
from upsnet_ros.evaluation.compared_pictures import write_compared_pictures
from upsnet_ros.evaluation.comparison import (
    COMPARISON_FILE,
    FRAMES_SHOWN,
    Comparison,
    compare_reports,
    write_comparison,
)
from upsnet_ros.evaluation.comparison_sections import comparison_text
from upsnet_ros.evaluation.figures import Requirement, failures
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions
from upsnet_ros.evaluation.replay_report import ReplayReport
from upsnet_ros.evaluation.replay_sections import write_replay_page
from upsnet_ros.evaluation.replay_summary import summary_text
from upsnet_ros.evaluation.run import RunOptions

FAILED, REQUIREMENT_MISSED = 1, 2
HELP_WIDTH = 79


def argument_parser(
    program: str, description: str, *, examples: str, figures: Sequence[str]
) -> argparse.ArgumentParser:
    """A command line with the options that all evaluations have.

    Args:
        program: name of the command.
        description: what it does.
        examples: of its use.
        figures: what `--require` takes.
    """
    notes = (
        f'Exit status: 0 done, {FAILED} failed, {REQUIREMENT_MISSED} a requirement was missed, '
        f'{INTERRUPTED} interrupted.',
        f'Figures for --require: {", ".join(figures)}.',
    )
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog='\n'.join([examples, *(textwrap.fill(note, HELP_WIDTH) for note in notes)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('bag', type=Path, help='rosbag2: its folder, or one .mcap or .db3 file')
    add(
        '--backend',
        choices=BACKENDS,
        default=AUTOMATIC,
        help='inference library; auto: TensorRT for an engine, else OpenVINO where it is '
        'installed, else ONNX Runtime (default: auto)',
    )
    add('--device', default=AUTOMATIC, help='where the network runs: auto, cpu, gpu, npu, cuda')
    add(
        '--precision',
        choices=PRECISIONS,
        default=AUTOMATIC,
        help='of its products; auto: bf16 in OpenVINO where the processor multiplies it',
    )
    add('--threads', type=int, default=0, help='CPU threads of the network, 0: one per core')
    add('--output', type=Path, required=True, help='folder of the report')
    add('--cameras', default='', metavar='A,B', help='names or image topics (default: all)')
    add(
        '--ground-truth',
        action='append',
        default=[],
        metavar='TOPIC',
        help='label images: TOPIC, CAMERA=TOPIC, a TOPIC with {camera} in it, or none '
        '(default: CAMERA/ground_truth/panoptic/image where there is one)',
    )
    add(
        '--truth-format',
        choices=TRUTH_FORMATS,
        default=PANOPTIC,
        help='panoptic: class << 8 | instance, as the node publishes; instance_ids: instanceIds '
        'of Cityscapes (default: panoptic)',
    )
    add('--start', type=float, default=0.0, metavar='S', help='seconds to leave out at first')
    add('--duration', type=float, metavar='S', help='seconds to evaluate from there')
    add(
        '--require',
        action='append',
        default=[],
        metavar='FIGURE>=VALUE',
        help='exit with status 2 unless this holds; may be given again',
    )
    add('--against', type=Path, metavar='FOLDER', help='compare with the report in this folder')
    add(
        '--restart',
        action='store_true',
        help='throw away what an earlier run left in OUTPUT: its report, frames and pictures',
    )
    return parser


def common_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `RunOptions` that a parsed command line gives, without model, part, command.

    Raises:
        EvaluationError: a requirement cannot be read.
    """
    return {
        'bag': given.bag,
        'output': given.output,
        'cameras': tuple(name for name in given.cameras.split(',') if name),
        'truths': tuple(given.ground_truth),
        'truth_format': given.truth_format,
        'restart': given.restart,
        'require': tuple(map(Requirement.parse, given.require)),
        'against': given.against,
    }


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[..., None]]:
    """A bar, and what moves it: called with frames done, frames in all (or None), other figures.

    It begins with the first call: what was done before is no part of the pace that it shows.
    """
    with ExitStack() as stack:
        bars: list[tqdm] = []

        def move(done: int, total: int | None, **told: int) -> None:
            if not bars:
                bars.append(stack.enter_context(tqdm(unit='frame', desc=name, disable=None)))
                bars[0].initial = done
            bars[0].total = total
            bars[0].set_postfix(told, refresh=False)
            bars[0].update(done - bars[0].n)

        yield move


def present(report: ReplayReport, options: RunOptions) -> list[str]:
    """Print a report and write its pages; returns why it misses what is required, if it does.

    Raises:
        UpsnetError: the report cannot be compared with that of `against`.
    """
    folder = options.output
    print(summary_text(report, folder))
    (folder / COMPARISON_FILE).unlink(missing_ok=True)  # it was of the report before this one
    if options.against is not None:
        compare_folders(folder, options.against, folder, bootstrap=BootstrapOptions())
    print(f'  page:   {write_replay_page(folder)}')
    return failures(options.require, report.total, report.speed)


def compare_folders(
    folder: Path,
    against: Path,
    output: Path,
    *,
    bootstrap: BootstrapOptions,
    frames_shown: int = FRAMES_SHOWN,
    again: bool = True,
) -> Comparison:
    """Compare two reports, print, and write the comparison with its pictures, but no page.

    Args:
        folder: of the report that is judged.
        against: of the one it is compared with.
        output: folder for the comparison.
        bootstrap: how sure a change is is found out.
        frames_shown: up to so many frames that got better are shown, and as many that got worse.
        again: whether these frames are labelled again to show them side by side.

    Raises:
        UpsnetError: the two reports cannot be compared.
    """
    comparison = compare_reports(folder, against, options=bootstrap, frames_shown=frames_shown)
    output.mkdir(parents=True, exist_ok=True)
    write_comparison(comparison, output)
    print(f'\n{comparison_text(comparison)}')
    for reason in write_compared_pictures(comparison, output, again=again):
        print(f'Note: {reason}')
    return comparison


def run_command(
    work: Callable[[], list[str]], *, name: str = 'evaluation', stopped: str = ''
) -> int:
    """Do what a command line asks for; returns the exit status.

    Args:
        work: returns why requirements are missed.
        name: what it is called where it fails.
        stopped: what to do after an interrupt.
    """
    try:
        with interrupted_by_signals():  # so that whatever is open is closed
            missed = work()
    except (UpsnetError, OSError) as error:
        print(f'The {name} failed: {error}', file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f'Stopped. {stopped}'.rstrip(), file=sys.stderr)
        return INTERRUPTED
    for reason in missed:
        print(f'Requirement missed: {reason}', file=sys.stderr)
    return REQUIREMENT_MISSED if missed else 0
