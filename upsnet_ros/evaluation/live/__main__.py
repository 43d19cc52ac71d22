#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a running node on a rosbag2: what the car would have seen, and what it costs.

python -m upsnet_ros.evaluation.live BAG --model model.onnx --output out/live
ros2 run upsnet_ros live_replay_evaluation BAG --model model.onnx --output out/live
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import os
import shlex
import sys
from pathlib import Path

from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.command import argument_parser, common_options, present, run_command
from upsnet_ros.evaluation.figures import BY_KEY
from upsnet_ros.evaluation.live.commands import AUTO, PLAYERS, LiveOptions, choose_player
from upsnet_ros.evaluation.live.live_run import evaluate_live
from upsnet_ros.installed_files import default_model_path

# What an option of the node is where it is not given.
UNSAID = (None, False, 0, 'auto')
OF_THE_NODE = ('backend', 'device', 'precision', 'threads', 'process_all', 'params_file')
EXAMPLES = """\
examples:
  live_replay_evaluation drive --model model.onnx --output out/live
  live_replay_evaluation drive --output out/slow --rate 0.5 --require "drops==0"
  live_replay_evaluation drive --output out/new --against out/live
"""


def read_options(words: list[str], *, command: str) -> LiveOptions:
    """The evaluation that a command line asks for.

    Args:
        words: the command line without the program.
        command: what the report says that it was.

    Raises:
        EvaluationError: a number is impossible, or options contradict each other.
        ReplayError: rosbag2 is asked for and not installed.
        ModelError: no model is named, and the package's own is missing.
    """
    given = _parser().parse_args(words)
    wanted = {
        'backend': given.backend,
        'device': given.device,
        'precision': given.precision,
        'num_threads': given.threads,
        'process_all': given.process_all,
    }
    named = [f'--{n.replace("_", "-")}' for n in OF_THE_NODE if getattr(given, n) not in UNSAID]
    if given.attach and named:
        raise EvaluationError(
            f'{", ".join(named)} cannot be given to a node that runs already; leave it out, or '
            '--attach'
        )
    return LiveOptions(
        **common_options(given),
        model=given.model or default_model_path(),
        part=BagPart(given.start, given.duration),
        rate=given.rate,
        player=choose_player(given.player, os.environ),
        attach=given.attach,
        parameters={name: value for name, value in wanted.items() if value not in UNSAID},
        params_file=given.params_file,
        command=given.command_line or command,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argument_parser(
        'live_replay_evaluation',
        'Play a rosbag2 into the node over DDS and evaluate what it answers in time.',
        examples=EXAMPLES,
        figures=tuple(BY_KEY),
    )
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
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(['python', '-m', 'upsnet_ros.evaluation.live', *words])

    def evaluate() -> list[str]:
        options = read_options(words, command=command)
        return present(evaluate_live(options), options)

    # A run that is ended takes the node, the player and the recorder with it.
    return run_command(evaluate)


if __name__ == '__main__':
    sys.exit(main())
