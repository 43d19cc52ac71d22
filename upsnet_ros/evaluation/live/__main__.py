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

import shlex
import sys

from upsnet_ros.evaluation.command import present, run_command
from upsnet_ros.evaluation.live.live_run import evaluate_live
from upsnet_ros.evaluation.live.options import read_options


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
