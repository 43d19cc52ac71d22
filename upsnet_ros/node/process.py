# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""This process: how it ends, whether its middleware lives, its callbacks, memory and words."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import FrameType

import rclpy
from rclpy.callback_groups import CallbackGroup
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, UnsupportedEventTypeError
from rclpy.executors import Executor
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import get_rmw_implementation_identifier
from std_msgs.msg import Empty

from upsnet_ros.core.json_lines import json_line
from upsnet_ros.core.own_process import STOPPING


class ExitStatus(IntEnum):
    """How the process of the node ends.

    Attributes:
        text: when that is so, for people.
    """

    text: str

    def __new__(cls, value: int, text: str) -> ExitStatus:
        """A number with its text."""
        status = int.__new__(cls, value)
        status._value_, status.text = value, text
        return status

    ASKED_TO_END = 0, 'SIGINT, SIGTERM or a lifecycle shutdown'
    BROKEN_DOWN = (
        1,
        'the start failed (no model, no activation), a transition broke down and error processing '
        'too, or a hundred callbacks in a row failed',
    )
    BAD_PARAMETER = 2, 'a parameter or the command line is impossible, and stays so'
    MODEL_FAILED = 3, '`max_consecutive_failures` of the model in a row, or its GPU is lost'
    WORKER_DIED = 4, "the worker's thread died, which is a defect"
    NO_PROGRESS = 5, 'no progress for `watchdog_timeout`: a library or the middleware hangs'


@dataclass(frozen=True)
class Fault:
    """Why the process cannot go on and has to be started anew.

    Nothing is repaired underneath a running thread: a new process takes as long as loading the
    model anew inside of this one, and it also has a sound CUDA context.

    Attributes:
        status: exit status of the process.
        reason: for the log and the diagnostics.
        ends_at_once: whether a clean end would hang, and no other thread of Python's could break
            it off: rclpy lets none run while it waits for the middleware.
    """

    status: ExitStatus
    reason: str
    ends_at_once: bool = False


PULSE_TOPIC = '~/_pulse'
PULSE_S = 0.5


class MiddlewarePulse:
    """Notices when the middleware's own thread stands still, and with it all that the node sends.

    A publisher that offered a message each half second, and is silent, is told so each half second
    by the thread that also announces the node and repeats what was lost. Nothing travels for it.
    That thread of Fast DDS 3.2 may wait for ever after another program has left (eProsima/Fast-DDS
    issue 6502): the node goes on, but everyone else forgets it.

    Attributes:
        silent_s: for how long the executor has turned since the last sign of life; None before the
            first: where none ever comes, none can stay away.

    Args:
        node: publishes; its executor has to hand the events on.
    """

    def __init__(self, node: Node) -> None:
        self.silent_s: float | None = None
        try:
            publisher = node.create_publisher(
                Empty,
                PULSE_TOPIC,
                QoSProfile(
                    depth=1,
                    reliability=ReliabilityPolicy.BEST_EFFORT,
                    deadline=Duration(seconds=PULSE_S),
                ),
                event_callbacks=PublisherEventCallbacks(
                    deadline=self._beat, use_default_callbacks=False
                ),
            )
        except UnsupportedEventTypeError:
            node.get_logger().info(
                f'{get_rmw_implementation_identifier()} tells of no missed deadline: the node '
                'cannot notice when it stands still'
            )
        else:
            publisher.publish(Empty())

    @property
    def text(self) -> str:
        """For the diagnostics."""
        return 'not watched' if self.silent_s is None else f'{self.silent_s:.1f}'

    def _beat(self, event: object) -> None:
        self.silent_s = 0.0

    def fault(self, *, turned_s: float, limit_s: float) -> Fault | None:
        """Why the process has to be started anew; None while it need not.

        Args:
            turned_s: for how long the executor has turned since the last call. What it could not
                hand on while it was held up says nothing.
            limit_s: how late a sign of life may be; 0 for as late as it likes.
        """
        if self.silent_s is None:
            return None
        self.silent_s += turned_s
        if not 0 < limit_s < self.silent_s - PULSE_S:
            return None
        return Fault(
            ExitStatus.NO_PROGRESS,
            f'the middleware ({get_rmw_implementation_identifier()}) has given no sign of life '
            f'for {self.silent_s:.1f} s, limit {limit_s:g} s',
            ends_at_once=True,
        )


# A signal so soon after the first one is the same once more.
ECHO_S = 1.0


class StopSignal:
    """Remembers SIGINT and SIGTERM, so that a process ends between two steps of its work.

    Attributes:
        received: whether a signal came.

    Args:
        grace_s: longest time from a signal to the end of the process, with exit status 0, whatever
            it is in the middle of: a library cannot be interrupted. None for as long as it takes.
    """

    def __init__(self, *, grace_s: float | None = None) -> None:
        self.received = False
        self._grace_s = grace_s
        self._received_at = 0.0
        self._deadline: threading.Timer | None = None
        self._former = {number: signal.signal(number, self._remember) for number in STOPPING}

    def end_within(self, seconds: float, status: int) -> None:
        """Ends the process after some seconds, unless it has ended by itself until then."""
        if self._deadline is None:
            self._deadline = threading.Timer(seconds, end_process, (status,))
            self._deadline.daemon = True
            self._deadline.start()

    def close(self) -> None:
        """Gives the signals back to those who had them before."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        if self._deadline is not None:
            self._deadline.cancel()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        """Notes the first signal; another one, not an echo of it, ends the process at once.

        A launch without a terminal hands a signal on that the process group has got already.
        """
        now = time.monotonic()
        if self.received and now - self._received_at > ECHO_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self.received:
            self.received, self._received_at = True, now
            if self._grace_s is not None:
                self.end_within(self._grace_s, ExitStatus.ASKED_TO_END)


@contextmanager
def ros_program(name: str) -> Iterator[tuple[Node, StopSignal]]:
    """A node of that name, and whether a signal asked its program to end."""
    stop = StopSignal()
    # rclpy's own handlers would end the context in the middle of a step.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node(name)
        try:
            yield node, stop
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
        stop.close()


def end_process(status: int) -> None:
    """Ends the process without tearing down libraries that a thread may still be in."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, RuntimeError, ValueError):
            continue  # closed, never open, or in use at this very moment
    os._exit(status)


LOG_INTERVAL_S = 5.0
# So many in a row, with not one success between, are no fault of a callback: nothing works.
MOST_IN_A_ROW = 100
LONGEST_TEXT = 200


class NodeLog(logging.Handler):
    """Hands on to a node's log what the parts of the package that know no ROS log, while entered.

    Args:
        logger: the node's logger.
    """

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def __enter__(self) -> None:
        """Begins; the node's log decides which levels are shown."""
        package = logging.getLogger('upsnet_ros')
        package.setLevel(logging.DEBUG)
        package.addHandler(self)

    def __exit__(self, *error: object) -> None:
        """Ends."""
        logging.getLogger('upsnet_ros').removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Logs a record at its level."""
        text = record.getMessage()
        # rclpy holds a line of code to the level that it had first.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


class GuardedCallbacks:
    """Runs the callbacks of an executor one by one: one that raises costs that call alone.

    rclpy lets an exception of a timer, a subscription, a service or an event out of the executor,
    which would end the process in the middle of a frame.

    Attributes:
        failures: how many raised since the start of the process.
        last_failure: type and text of the last one in one line; empty before the first.

    Args:
        logger: the node's logger.
    """

    def __init__(self, logger: RcutilsLogger) -> None:
        self.failures = 0
        self.last_failure = ''
        self._in_a_row = 0
        self._logger = logger

    def spin_once(self, executor: Executor, *, timeout_s: float) -> None:
        """Waits for a callback and runs it.

        Raises:
            Exception: what the callbacks raise, when not one of the last hundred succeeded.
        """
        try:
            executor.spin_once(timeout_sec=timeout_s)
        except Exception as error:
            self._in_a_row += 1
            self.failures += 1
            text = f'{type(error).__name__}: {error}'
            self.last_failure = ' '.join(text.split())[:LONGEST_TEXT]
            trace = ''.join(traceback.format_exception(error))
            self._logger.error(
                f'a callback failed ({self.failures} so far), the node goes on: '
                f'{self.last_failure}\n{trace}',
                throttle_duration_sec=LOG_INTERVAL_S,
            )
            if self._in_a_row >= MOST_IN_A_ROW:
                raise
        else:
            self._in_a_row = 0


def forget_destroyed(group: CallbackGroup) -> None:
    """Has a callback group forget what was destroyed; rclpy never does."""
    group.entities.difference_update([entity for entity in group.entities if entity() is None])


STATUS = Path('/proc/self/status')


def resident_bytes(status: Path = STATUS) -> int | None:
    """Bytes of this process in memory now; None where the system does not tell."""
    return _field('VmRSS', status)


def peak_resident_bytes(status: Path = STATUS) -> int | None:
    """The most bytes that it ever held; None where the system does not tell."""
    return _field('VmHWM', status)


def _field(name: str, status: Path) -> int | None:
    """A size of the status file, which gives it in kB."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(':')
        if key == name:
            return int(value.split()[0]) * 1024
    return None


def tell_event(**event: object) -> None:
    """Tells the process that started this one what happens: a JSON object in a line."""
    sys.stdout.write(json_line(event))
    sys.stdout.flush()


def input_is_over(*, wait_s: float = 0.0) -> bool:
    """Whether standard input was closed, within some seconds; what comes by it says nothing."""
    if sys.stdin is None:
        return True
    file = sys.stdin.fileno()
    # A process in the background of a terminal that reads from it is stopped.
    is_ours = not os.isatty(file) or os.tcgetpgrp(file) == os.getpgrp()
    ready, _, _ = select.select([file] if is_ours else [], [], [], wait_s)
    return bool(ready) and not os.read(file, 4096)
