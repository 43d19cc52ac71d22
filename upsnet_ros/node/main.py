#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executable `perception_node`.

Exit status: 0 after SIGINT, SIGTERM or a lifecycle shutdown; 1 when the automatic start failed, a
transition broke down and error processing too, or a hundred callbacks in a row failed; 2 for an
impossible parameter or command line.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.node.engine import PipelineLoader
from upsnet_ros.node.perception_node import PerceptionNode
from upsnet_ros.node.process import GuardedSpinning, StopSignal
from upsnet_ros.node.transitions import LAST_RESORT

# The longest a signal waits for its answer while nothing else wakes the executor.
WAKE_INTERVAL_S = 0.1
START_FAILED, BROKEN_DOWN, BAD_PARAMETER = 1, 1, 2


def start(node: PerceptionNode, stop: StopSignal) -> bool:
    """Configures and activates a node; returns whether it came to that, or was asked to end."""
    steps: tuple[Callable[[], TransitionCallbackReturn], ...] = (
        node.trigger_configure,
        node.trigger_activate,
    )
    return all(stop.received or step() == TransitionCallbackReturn.SUCCESS for step in steps)


def serve(node: PerceptionNode, stop: StopSignal) -> int:
    """Starts a node if its parameters say so and serves until a signal or a shutdown."""
    if node.parameters.autostart and not start(node, stop) and not stop.received:
        node.get_logger().fatal(
            "the node did not start; mend what is named above, or set the parameter 'autostart' "
            'to false and let a lifecycle manager start it'
        )
        return START_FAILED
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinning = GuardedSpinning(executor, failures=node.callback_failures, logger=node.get_logger())
    try:
        while rclpy.ok() and not stop.received and not node.lifecycle.is_finalized:
            spinning.spin_once(timeout_s=WAKE_INTERVAL_S)
    finally:
        executor.shutdown(timeout_sec=0)
        if not node.lifecycle.is_finalized:
            node.trigger_shutdown()
    return BROKEN_DOWN if node.lifecycle.failure.startswith(LAST_RESORT) else 0


def has_unfinished_work() -> bool:
    """Whether a thread is in a library that cannot be made to end: in a frame, or in a load."""
    return any(thread.daemon for thread in threading.enumerate())


def main(
    arguments: list[str] | None = None, *, load_pipeline: PipelineLoader | None = None
) -> int:
    """Runs the node; returns the exit status.

    Args:
        arguments: command line with ROS arguments; None for that of the process.
        load_pipeline: makes the pipeline in place of the real one, for tests without a model.
    """
    stop = StopSignal()
    try:
        # rclpy's own handlers would invalidate the context first, and with it every transition.
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # all that rcl raises, for arguments and environment
        reason = ' '.join(str(error).split())
        print(
            f'perception_node: ROS did not start: {reason}; mend the ROS arguments',
            file=sys.stderr,
        )
        return BAD_PARAMETER
    try:
        node = PerceptionNode(load_pipeline=load_pipeline, is_stopping=lambda: stop.received)
    except ParameterError as error:
        rclpy.logging.get_logger('perception_node').fatal(str(error))
        rclpy.try_shutdown()
        return BAD_PARAMETER
    try:
        status = serve(node, stop)
    except Exception as error:
        node.get_logger().fatal(
            'the node cannot go on:\n' + ''.join(traceback.format_exception(error))
        )
        status = BROKEN_DOWN
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if has_unfinished_work():
        # The libraries would be torn down under the thread that is still in one of them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == '__main__':
    sys.exit(main())
