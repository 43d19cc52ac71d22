#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a running node on a rosbag2: what the car would have seen, and what it costs.

python -m upsnet_ros.evaluation.live BAG --model model.onnx --output out/live
ros2 run upsnet_ros live_replay_evaluation BAG --model model.onnx --output out/live
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tqdm import tqdm

from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import EvaluationError, UpsnetError
from upsnet_ros.evaluation.figures import BY_KEY
from upsnet_ros.evaluation.live.live_player import AUTO, PLAYERS, choose_player
from upsnet_ros.evaluation.live.live_run import LiveOptions, Scored, evaluate_live
from upsnet_ros.evaluation.live.session import Progress
from upsnet_ros.evaluation.replay_arguments import (
    FAILED,
    INTERRUPTED,
    REQUIREMENT_MISSED,
    add_bag,
    add_gate,
    add_images,
    camera_list,
    epilog,
    read_baseline,
)
from upsnet_ros.evaluation.replay_report import ReplayReport
from upsnet_ros.evaluation.replay_summary import summary_text
from upsnet_ros.evaluation.requirements import Requirement, failures
from upsnet_ros.evaluation.run import write_pages
from upsnet_ros.installed_files import default_model_path

# What an option is where it is not given.
UNSAID = (None, False, 0, 'auto')
EXAMPLES = """\
examples:
  live_replay_evaluation drive --model model.onnx --output out/live
  live_replay_evaluation drive --output out/slow --rate 0.5 --require "drops==0"
  live_replay_evaluation drive --output out/new --against out/live

"""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='live_replay_evaluation',
        description='Play a rosbag2 into the node over DDS and evaluate what it answers in time.',
        epilog=EXAMPLES + epilog(tuple(BY_KEY)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_bag(parser)
    add_images(parser)
    add = parser.add_argument
    add('--model', type=Path, help='model.onnx or .engine (default: the demo model)')
    # The launch file's own line goes into the report, as that is what can be given again.
    add('--command-line', default='', help=argparse.SUPPRESS)
    add('--rate', type=float, default=1.0, metavar='R', help='pace, 1 is as recorded (default: 1)')
    add(
        '--player',
        choices=PLAYERS,
        default=AUTO,
        help='own: the player of this package, which renews the stamps; rosbag2: ros2 bag play, '
        'which keeps them, so that the age runs from the arrival of the image; auto: the latter '
        'where it is installed',
    )
    add('--process-all', action='store_true', help='have the node label every image, however late')
    add(
        '--params-file',
        type=Path,
        metavar='FILE',
        help='YAML with further parameters of the node, as for perception.launch.py',
    )
    add(
        '--attach',
        action='store_true',
        help='evaluate the node that runs already; its model must be that of --model',
    )
    add_gate(parser)
    return parser.parse_args(arguments)


def options_of(options: argparse.Namespace, *, model: Path, command: str) -> LiveOptions:
    """The evaluation that a command line asks for.

    Raises:
        EvaluationError: a number is impossible, or options contradict each other.
        ReplayError: rosbag2 is asked for and not installed.
    """
    parameters: dict[str, bool | int | str] = {}
    if options.backend != 'auto':
        parameters['backend'] = options.backend
    if options.threads:
        parameters['num_threads'] = options.threads
    if options.process_all:
        parameters['process_all'] = True
    of_the_node = ('backend', 'threads', 'process_all', 'params_file')
    given = [f'--{n.replace("_", "-")}' for n in of_the_node if getattr(options, n) not in UNSAID]
    if options.attach and given:
        raise EvaluationError(
            f'{", ".join(given)} cannot be given to a node that runs already; leave it out, or '
            '--attach'
        )
    if options.params_file is not None and not options.params_file.is_file():
        raise EvaluationError(f'--params-file {options.params_file}: there is no such file')
    return LiveOptions(
        bag=options.bag,
        model=model,
        output=options.output,
        cameras=camera_list(options.cameras),
        truths=tuple(options.ground_truth),
        truth_format=options.truth_format,
        part=BagPart(options.start, options.duration),
        rate=options.rate,
        player=choose_player(options.player, os.environ),
        attach=options.attach,
        parameters=parameters,
        params_file=options.params_file,
        restart=options.restart,
        command=command,
    )


@contextmanager
def progress_bars() -> Iterator[tuple[Progress, Scored]]:
    """A bar while the bag is played, then one while the labels are judged."""
    with ExitStack() as stack:
        bars: dict[str, tqdm] = {}

        def bar(name: str) -> tqdm:
            # Made with the first frame: the start of the node is no part of the pace it shows.
            if name not in bars:
                bars[name] = stack.enter_context(tqdm(unit='frame', desc=name, disable=None))
            return bars[name]

        def played(sent: int, labelled: int, total: int | None) -> None:
            bar('Playing').total = total
            bar('Playing').set_postfix(labelled=labelled, refresh=False)
            bar('Playing').update(sent - bar('Playing').n)

        def scored(done: int, total: int) -> None:
            bar('Scoring').total = total
            bar('Scoring').update(done - bar('Scoring').n)

        yield played, scored


def run(options: argparse.Namespace, *, command: str) -> tuple[ReplayReport, list[str]]:
    """Evaluate and print; returns the report and why it misses what is required of it.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    requirements = [Requirement.parse(text) for text in options.require]
    read_baseline(options.against, outputs=[options.output])
    model = options.model or default_model_path()
    asked = options_of(options, model=model, command=command)
    with progress_bars() as (played, scored):
        report = evaluate_live(asked, played=played, scored=scored)
    print(summary_text(report, options.output))
    write_pages(options.output, against=options.against)
    return report, failures(requirements, report.total, report.speed)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_arguments(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    own = shlex.join(['python', '-m', 'upsnet_ros.evaluation.live', *words])
    command = options.command_line or own
    # A run that is ended takes the node, the player and the recorder with it.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _, missed = run(options, command=command)
    except UpsnetError as error:
        print(f'The evaluation failed: {error}', file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print('Stopped.', file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    for reason in missed:
        print(f'Requirement missed: {reason}', file=sys.stderr)
    return REQUIREMENT_MISSED if missed else 0


if __name__ == '__main__':
    sys.exit(main())
