# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes the messages of a bag when they are due, and tells of each image."""

from __future__ import annotations

import time
from collections import Counter

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from upsnet_ros.node.bag_messages import BagMessages, RecordedMessage
from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.play_events import emit
from upsnet_ros.node.play_schedule import PlaySchedule
from upsnet_ros.node.restamping import NANOSECONDS, Restamper, read_stamp_ns, with_stamp_ns

MESSAGE_CLASSES = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
    'sensor_msgs/msg/CameraInfo': CameraInfo,
}
# Reliable meets every subscriber; what a best-effort one loses is then its own choice.
RELIABILITY = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}
# A second of a camera at 10 Hz may wait for a reliable reader before the oldest is given up.
QUEUE_DEPTH = 10
# A writer knows of its reader a little before the reader knows of its writer. What is sent in
# between is lost to a best-effort reader, and nothing on this side tells when it is over.
SETTLE_SECONDS = 0.3
LOOK_SECONDS = 0.02
ACKNOWLEDGE_SECONDS = 5.0
# From the end of a round to the next one where a single message tells of no distance.
LONE_GAP_NS = NANOSECONDS


class RoundTimes:
    """How far apart two rounds are: the last message and one mean distance behind it."""

    def __init__(self, first: RecordedMessage) -> None:
        self._first_ns = first.recorded_ns
        self._last_ns = first.recorded_ns
        self._count_of: Counter[str] = Counter()

    def note(self, message: RecordedMessage) -> None:
        """Take one message of the round, in the order of recording."""
        self._last_ns = message.recorded_ns
        self._count_of[message.topic] += 1

    @property
    def period_ns(self) -> int:
        """From the beginning of this round to that of the next [ns]."""
        length = self._last_ns - self._first_ns
        steps = max(self._count_of.values(), default=1) - 1
        return length + (round(length / steps) if steps and length else LONE_GAP_NS)


class BagPlayer:
    """Publishes each message when the schedule has reached the time at which it was recorded.

    Args:
        node: Where to publish.
        messages: What to publish.
        schedule: The time of play; another thread may pause it.
        keep_stamps: Leave the header stamps as recorded instead of setting them to the moment
            of sending.
        reliability: `reliable` or `best_effort`.
    """

    def __init__(
        self,
        node: Node,
        messages: BagMessages,
        schedule: PlaySchedule,
        *,
        keep_stamps: bool = False,
        reliability: str = 'reliable',
    ) -> None:
        self._messages = messages
        self._schedule = schedule
        self._keep_stamps = keep_stamps
        self._restamp = Restamper()
        self._images = set(messages.image_topics)
        self._sent = 0
        qos = QoSProfile(
            depth=QUEUE_DEPTH,
            history=HistoryPolicy.KEEP_LAST,
            reliability=RELIABILITY[reliability],
        )
        self._publishers: dict[str, Publisher] = {
            topic: node.create_publisher(MESSAGE_CLASSES[name], topic, qos)
            for topic, name in messages.type_of.items()
        }

    def wait_for_subscribers(self, timeout: float) -> None:
        """Return when every image topic has a subscriber, or the player shall end.

        Raises:
            BagPlayError: nobody subscribed within `timeout` [s].
        """
        deadline = time.monotonic() + timeout
        waiting = self._messages.image_topics
        while waiting := [t for t in waiting if not self._publishers[t].get_subscription_count()]:
            if self._schedule.is_stopped():
                return
            if time.monotonic() > deadline:
                raise BagPlayError(
                    f'nobody subscribed to {", ".join(waiting)} within {timeout:g} s. Is the node '
                    'active, and does it listen to these camera names and this transport?'
                )
            time.sleep(LOOK_SECONDS)
        time.sleep(SETTLE_SECONDS)

    def wait_until_received(self) -> None:
        """Return when every reliable reader has everything, or after `ACKNOWLEDGE_SECONDS`."""
        deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
        step = Duration(seconds=LOOK_SECONDS)
        for publisher in self._publishers.values():
            while not publisher.wait_for_all_acked(step):
                if time.monotonic() > deadline or self._schedule.is_stopped():
                    return

    def play(self) -> int:
        """Play all rounds, or until the player shall end; returns how many images were sent.

        Raises:
            BagPlayError: the bag broke off.
        """
        current, times = 0, None
        for message in self._messages:
            if message.round != current:
                if times is None:
                    self._schedule.begin()
                else:
                    self._schedule.move(-times.period_ns)
                    self._restamp.begin_round()
                current, times = message.round, RoundTimes(message)
            times.note(message)
            if not self._send_when_due(message):
                break
        return self._sent

    def _send_when_due(self, message: RecordedMessage) -> bool:
        """Send one message at its time; False when the player shall end."""

        def send(late_s: float) -> None:
            bag_stamp, data = read_stamp_ns(message.data), message.data
            stamp = bag_stamp
            if not self._keep_stamps:
                stamp = self._restamp(bag_stamp, now_ns=time.time_ns())
                data = with_stamp_ns(data, stamp)
            self._publishers[message.topic].publish(data)
            if message.topic in self._images:
                self._sent += 1
                emit(
                    event='frame',
                    topic=message.topic,
                    bag_stamp_ns=bag_stamp,
                    stamp_ns=stamp,
                    late_ms=round(late_s * 1e3, 3),
                    round=message.round,
                )

        return self._schedule.send_at(message.recorded_ns, send)
