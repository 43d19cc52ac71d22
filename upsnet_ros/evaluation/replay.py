#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a model on a rosbag2 without ROS: how good, how fast, how steady.

python -m upsnet_ros.evaluation.replay BAG --model model.onnx --output out/drive
ros2 run upsnet_ros replay_evaluation BAG --model model.onnx --output out/drive
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import shlex
import sys

from upsnet_ros.evaluation.offline import evaluate, read_options
from upsnet_ros.evaluation.run import run_command


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    goes_on = 'The same command goes on from here.'
    anew = 'A bag of labels is whole or worthless: remove it and begin anew.'
    has_bag = any(word.startswith('--write-bag') for word in words)
    command = shlex.join(['python', '-m', 'upsnet_ros.evaluation.replay', *words])
    return run_command(
        lambda: evaluate(read_options(words, command=command)),
        stopped=anew if has_bag else goes_on,
    )


if __name__ == '__main__':
    sys.exit(main())
