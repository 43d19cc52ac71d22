#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executable `perception_node`; its exit statuses are those of `process.ExitStatus`."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a second or more
    from upsnet_ros.core.own_process import end_quietly

    end_quietly(0)

import sys
import threading
import traceback
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.own_process import keep_memory
from upsnet_ros.node.engine import PipelineLoader
from upsnet_ros.node.perception_node import LAST_RESORT, PerceptionNode
from upsnet_ros.node.process import ExitStatus, NodeLog, StopSignal, end_process

# The longest a signal waits for its answer while nothing else wakes the executor.
WAKE_INTERVAL_S = 0.1
# The end of the process at the latest, after a signal and after a fault: a library that hangs may
# hold up the clean end as well, which waits a second for the worker alone.
END_AFTER_SIGNAL_S, END_AFTER_FAULT_S = 1.9, 3.0


def main(
    arguments: list[str] | None = None, *, load_pipeline: PipelineLoader | None = None
) -> int:
    """Runs the node; returns the exit status, or ends the process with it.

    Args:
        arguments: command line with ROS arguments; None for that of the process.
        load_pipeline: makes the pipeline in place of the real one, for tests without a model.
    """
    stop = StopSignal(grace_s=END_AFTER_SIGNAL_S)
    keep_memory()
    try:
        # rclpy's own handlers would invalidate the context first, and with it every transition.
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # all that rcl raises, for arguments and environment
        reason = ' '.join(str(error).split())
        print(
            f'perception_node: ROS did not start: {reason}; mend the ROS arguments',
            file=sys.stderr,
        )
        return ExitStatus.BAD_PARAMETER
    try:
        node = PerceptionNode(
            arguments=sys.argv if arguments is None else arguments,
            load_pipeline=load_pipeline,
            is_stopping=lambda: stop.received,
        )
    except ParameterError as error:
        rclpy.logging.get_logger('perception_node').fatal(str(error))
        rclpy.try_shutdown()
        return ExitStatus.BAD_PARAMETER
    try:
        with NodeLog(node.get_logger()):
            status = serve(node, stop)
    except Exception as error:
        node.get_logger().fatal(
            'the node cannot go on:\n' + ''.join(traceback.format_exception(error))
        )
        status = ExitStatus.BROKEN_DOWN
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if has_unfinished_work():
        end_process(status)
    return status


def serve(node: PerceptionNode, stop: StopSignal) -> ExitStatus:
    """Starts a node if its parameters say so and serves until a signal, a shutdown or a fault."""
    if node.parameters.autostart and not start(node, stop) and not stop.received:
        node.get_logger().fatal(
            "the node did not start; mend what is named above, or set the parameter 'autostart' "
            'to false and let a lifecycle manager start it'
        )
        return ExitStatus.BROKEN_DOWN
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while (
            rclpy.ok()
            and not stop.received
            and node.fault is None
            and not node.lifecycle.is_finalized
        ):
            node.callbacks.spin_once(executor, timeout_s=WAKE_INTERVAL_S)
    finally:
        if node.fault is not None:
            if node.fault.ends_at_once:
                end_process(node.fault.status)
            stop.end_within(END_AFTER_FAULT_S, node.fault.status)
        executor.shutdown(timeout_sec=0)
        if not node.lifecycle.is_finalized:
            node.trigger_shutdown()
    if node.fault is not None:
        return node.fault.status
    is_broken = node.lifecycle.failure.startswith(LAST_RESORT)
    return ExitStatus.BROKEN_DOWN if is_broken else ExitStatus.ASKED_TO_END


def start(node: PerceptionNode, stop: StopSignal) -> bool:
    """Configures and activates a node; returns whether it came to that, or was asked to end."""
    steps: tuple[Callable[[], TransitionCallbackReturn], ...] = (
        node.trigger_configure,
        node.trigger_activate,
    )
    return all(stop.received or step() == TransitionCallbackReturn.SUCCESS for step in steps)


def has_unfinished_work() -> bool:
    """Whether a thread is in a library that cannot be made to end: in a frame, or in a load.

    The libraries would be torn down under it.
    """
    return any(
        thread.daemon and not isinstance(thread, threading.Timer)
        for thread in threading.enumerate()
    )


if __name__ == '__main__':
    sys.exit(main())
