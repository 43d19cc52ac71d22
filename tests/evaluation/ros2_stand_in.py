#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stands for `ros2 bag play`: takes its options and plays with this package's player.

It refuses options that rosbag2's own player does not have.
"""

from __future__ import annotations

import argparse
import os
import sys


def main() -> None:
    """Become the other player."""
    parser = argparse.ArgumentParser(prog='ros2')
    parser.add_argument('command', choices=['bag'])
    parser.add_argument('verb', choices=['play'])
    parser.add_argument('bag')
    parser.add_argument('--clock', type=float, required=True)
    parser.add_argument('--rate', type=float, default=1.0)
    parser.add_argument('--delay', type=float, default=0.0)
    parser.add_argument('--start-offset', type=float, default=0.0)
    parser.add_argument('--playback-duration', type=float)
    parser.add_argument('--disable-keyboard-controls', action='store_true', required=True)
    parser.add_argument('--wait-for-all-acked', type=int)
    parser.add_argument('--topics', nargs='+', required=True)
    options = parser.parse_args()
    command = [sys.executable, '-m', 'upsnet_ros.node.bag_player', '--bag', options.bag]
    command += ['--keep-stamps', '--clock', str(options.clock), '--rate', str(options.rate)]
    command += ['--start-offset', str(options.start_offset), '--leave']
    if options.playback_duration is not None:
        command += ['--duration', str(options.playback_duration)]
    os.execv(command[0], [*command, '--topics', *options.topics])


if __name__ == '__main__':
    main()
