#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Says whether a running perception_node is well, for health checks of containers and scripts.

    ros2 run upsnet_ros health [--node /perception_node] [--timeout 5]

The node publishes its state on a steady clock, so one message answers all: that the process lives,
that its executor turns, its lifecycle state, and whether its engine reports an error. Exit status:
0 well, 1 not, 2 for a wrong command line. A camera that is silent does not make the node ill; a
restart would not bring it back.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor

from upsnet_ros.dds_profile import VARIABLE_BEFORE_THREE, VARIABLE_SINCE_THREE

QUEUE = 10
ENGINE = 'engine'
ACTIVE = 'active'


def find_engine(message: DiagnosticArray, node: str) -> DiagnosticStatus | None:
    """The status of a node's engine in a diagnostic message; None where it is another node's."""
    wanted = f'{node.lstrip("/")}: {ENGINE}'
    return next((status for status in message.status if status.name == wanted), None)


def judge(status: DiagnosticStatus, *, may_be_inactive: bool = False) -> str:
    """Why a node is not well; empty when it is.

    Args:
        status: of its engine.
        may_be_inactive: whether a node that is not active is well too.
    """
    if status.level >= DiagnosticStatus.ERROR:
        return f'engine: {status.message}'
    state = next((pair.value for pair in status.values if pair.key == 'lifecycle_state'), 'none')
    if state != ACTIVE and not may_be_inactive:
        return f"lifecycle state is '{state}', expected '{ACTIVE}'"
    return ''


def wait_for_engine(node: str, *, timeout_s: float) -> DiagnosticStatus | None:
    """The next status of a node's engine; None when none comes in time."""
    found: list[DiagnosticStatus] = []

    def keep(message: DiagnosticArray) -> None:
        status = find_engine(message, node)
        if status is not None:
            found.append(status)

    listener = rclpy.create_node('perception_health')
    listener.create_subscription(DiagnosticArray, '/diagnostics', keep, QUEUE)
    executor = SingleThreadedExecutor()
    executor.add_node(listener)
    end = time.monotonic() + timeout_s
    while not found and (left := end - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)
    executor.shutdown()
    listener.destroy_node()
    return found[0] if found else None


def main(arguments: list[str] | None = None) -> int:
    """Prints a line and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='health', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--node', default='/perception_node', help='with its namespace')
    add('--timeout', type=float, default=5.0, help='seconds to wait for its state (default: 5)')
    add('--may-be-inactive', action='store_true', help='where a lifecycle manager activates it')
    options = parser.parse_args(arguments)
    # It receives small messages only, and needs no segment for images.
    for variable in (VARIABLE_SINCE_THREE, VARIABLE_BEFORE_THREE):
        os.environ.pop(variable, None)
    rclpy.init(args=[])
    try:
        status = wait_for_engine(options.node, timeout_s=options.timeout)
    finally:
        rclpy.try_shutdown()
    if status is None:
        reason = f'no state of {options.node} on /diagnostics for {options.timeout:g} s'
    else:
        reason = judge(status, may_be_inactive=options.may_be_inactive)
    print(f'{options.node}: {reason or "well"}')
    return int(bool(reason))


if __name__ == '__main__':
    sys.exit(main())
