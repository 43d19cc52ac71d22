# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The time of play on /clock, for nodes with the parameter use_sim_time."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from rclpy.clock import Clock as NodeClock
from rclpy.clock import ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.play_schedule import PlaySchedule
from upsnet_ros.node.restamping import NANOSECONDS

HIGHEST_HZ = 1000.0
DEPTH = 10


class BagClock:
    """Publishes the position of play at a steady rate; it stands before play and in pauses.

    Raises:
        BagPlayError: the rate is impossible.
    """

    def __init__(self, node: Node, schedule: PlaySchedule, *, hz: float) -> None:
        if not 0 < hz <= HIGHEST_HZ:
            raise BagPlayError(
                f'the rate of /clock must lie above 0 and up to {HIGHEST_HZ:g} Hz, received {hz}.'
            )
        self._schedule = schedule
        self._publisher = node.create_publisher(Clock, '/clock', DEPTH)
        # Steady, so that it runs on where somebody sets the system's time.
        node.create_timer(1 / hz, self._publish, clock=NodeClock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        seconds, nanoseconds = divmod(self._schedule.position_ns, NANOSECONDS)
        self._publisher.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))
