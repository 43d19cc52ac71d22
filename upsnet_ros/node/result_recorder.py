# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records what the node publishes into a rosbag2, byte for byte, with the time of arrival.

The subscriptions are raw: a callback only notes the time and hands the serialised bytes to a
writing thread, so a burst of 2 MB label images is not held up by decoding or by the disk. The bag
is an ordinary rosbag2 (MCAP, zstd): it can be evaluated with this project, shown in Foxglove or
replayed beside the drive. Its message times are the system time of arrival [ns].

With `--images` the arrival of camera images is noted as well, without writing them: where they
keep the stamps of a recording, their age can only be told from when they came.

Progress is told as one JSON object per line on standard output, `event` being one of: `ready`,
`class_info` (`topic`), `label` and `image` (`topic`, `stamp_ns`, `received_ns`), `diagnostics`
(`received_ns`, `statuses`: the node's own, by name their `hardware_id` and `values`), `done`
(`messages`, `clock_step_ms`: how far the system clock was moved against the steady one while
recording), `error` (`message`). Recording ends, with status 0, when standard input is closed or by
SIGINT or SIGTERM; before it has begun these end with status 130.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription

from upsnet_ros.bags.definitions import header_stamp_ns
from upsnet_ros.bags.label_writer import ResultBag
from upsnet_ros.core.errors import EvaluationError, UpsnetError
from upsnet_ros.node.process import StopSignal, input_is_over, ros_program, tell_event
from upsnet_ros.node.qos import LATCHED_QOS
from upsnet_ros.node.topics import COMPRESSED, DIAGNOSTICS, OUTPUTS, RAW, TABLE, Topic

NODE = 'perception_node'
# What an evaluation needs of the node's outputs, and which event tells of a message; '' none.
EVENTS = {
    '<camera>/panoptic/image': 'label',
    '<camera>/panoptic/instances': '',
    '<camera>/panoptic/class_info': 'class_info',
    '~/debug/<camera>/timing': '',
}
# Labels of ten seconds at 10 Hz may wait in the middleware before one would be lost here.
QUEUE_DEPTH = 100
RELIABLE_QOS = QoSProfile(depth=QUEUE_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT_QOS = QoSProfile(depth=QUEUE_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class RecordedTopic:
    """One topic to record: its full name, its row in the node's table, the event it makes."""

    name: str
    row: Topic
    event: str
    is_latched: bool = False

    @property
    def message_type(self) -> str:
        """The type as bags name it."""
        return self.row.kind.replace('/', '/msg/')


def recorded_topics(cameras: list[str], *, node: str = NODE) -> Iterator[RecordedTopic]:
    """The results of cameras, the times that the node took, and its report on itself."""
    for camera in cameras:
        for row in OUTPUTS:
            if row.name in EVENTS:
                own = row.of(camera.strip('/')).replace('~', node.strip('/'))
                yield RecordedTopic(f'/{own}', row, EVENTS[row.name], row.made_of == TABLE)
    yield RecordedTopic(DIAGNOSTICS.name, DIAGNOSTICS, 'diagnostics')


@dataclass(frozen=True)
class Arrival:
    """One message as it came: serialised bytes and the system time [ns]."""

    topic: RecordedTopic
    received_ns: int
    data: bytes


class BagWriting:
    """A thread that appends arrivals to a bag and reports each of them.

    Args:
        output: the bag, which must not exist.
        topics: what is recorded.
        node: name of the node whose reports on itself are told.

    Raises:
        EvaluationError: the bag exists already.
    """

    def __init__(self, output: Path, topics: list[RecordedTopic], *, node: str = NODE) -> None:
        self._node = node
        self._bag = ResultBag(output)
        for topic in topics:
            self._bag.add_topic(topic.name, topic.message_type, is_latched=topic.is_latched)
        self.arrivals: SimpleQueue[Arrival | None] = SimpleQueue()
        self._thread = ThreadPoolExecutor(1, 'bag_writer')
        self._messages = self._thread.submit(self._write_all)

    def _write_all(self) -> int:
        messages = 0
        with closing(self._bag):
            while (arrival := self.arrivals.get()) is not None:
                self._bag.write(arrival.topic.name, arrival.received_ns, arrival.data)
                messages += 1
                tell(arrival, node=self._node)
        return messages

    @property
    def is_broken(self) -> bool:
        """Whether nothing more is written; `close` tells why."""
        return self._messages.done()

    def close(self) -> int:
        """Write what is waiting, close the bag and return the number of its messages.

        Raises:
            EvaluationError: they could not be written.
        """
        self.arrivals.put(None)
        self._thread.shutdown()
        try:
            return self._messages.result()
        except OSError as error:
            raise EvaluationError(
                f'the recording could not be written: {error}; make room, or write elsewhere'
            ) from error


def tell(arrival: Arrival, *, node: str) -> None:
    """The event of a message, where it has one."""
    event, topic = arrival.topic.event, arrival.topic.name
    if event == 'label':
        tell_stamp(event, topic, arrival.data, arrival.received_ns)
    elif event == 'class_info':
        tell_event(event=event, topic=topic)
    elif event == 'diagnostics':
        message = deserialize_message(arrival.data, DiagnosticArray)
        # Everything on the vehicle reports on this topic.
        own = f'{node.strip("/")}: '
        statuses = {
            status.name: {
                'hardware_id': status.hardware_id,
                'values': {entry.key: entry.value for entry in status.values},
            }
            for status in message.status
            if status.name.startswith(own)
        }
        if statuses:
            tell_event(event=event, received_ns=arrival.received_ns, statuses=statuses)


def tell_stamp(event: str, topic: str, data: bytes, received_ns: int) -> None:
    """The arrival of a message that begins with a header."""
    tell_event(event=event, topic=topic, stamp_ns=header_stamp_ns(data), received_ns=received_ns)


def arrival_ns(info: dict[str, Any]) -> int:
    """When the middleware received a message; when it is taken, where it does not say.

    On a busy computer an image may still wait here when the label that answers it comes.
    """
    received: int = info['received_timestamp']
    return received or time.time_ns()


def subscribe(node: Node, topic: RecordedTopic, writing: BagWriting) -> None:
    """Record one topic."""

    def note(data: bytes, info: dict[str, Any]) -> None:
        writing.arrivals.put(Arrival(topic, arrival_ns(info), data))

    callback: Any = note  # before Kilted, rclpy's types know of one argument only
    qos = LATCHED_QOS if topic.is_latched else RELIABLE_QOS
    node.create_subscription(topic.row.message_class(), topic.name, callback, qos, raw=True)


def watch(node: Node, topic: str) -> None:
    """Tell when the images of a topic come, raw ones or, by the name, compressed ones."""
    row = COMPRESSED if topic.endswith('/compressed') else RAW

    def note(data: bytes, info: dict[str, Any]) -> None:
        tell_stamp('image', topic, data, arrival_ns(info))

    def read(qos: QoSProfile, events: SubscriptionEventCallbacks) -> Subscription:
        callback: Any = note
        return node.create_subscription(
            row.message_class(), topic, callback, qos, raw=True, event_callbacks=events
        )

    # `ros2 bag play` offers what was recorded. The reliable reader misses nothing of a reliable
    # player and hears nothing of another one; then a best-effort reader takes its place.
    def relax() -> None:
        node.destroy_subscription(reliable)
        node.destroy_guard_condition(relax_soon)
        read(BEST_EFFORT_QOS, SubscriptionEventCallbacks())

    # An event's callback must not destroy the subscription that it belongs to.
    relax_soon = node.create_guard_condition(relax)
    events = SubscriptionEventCallbacks(incompatible_qos=lambda event: relax_soon.trigger())
    reliable = read(RELIABLE_QOS, events)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line of this process."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--cameras', nargs='+', required=True, help='camera names')
    parser.add_argument('--images', nargs='*', default=[], help='image topics to watch')
    parser.add_argument('--node', default=NODE, help='name of the node (%(default)s)')
    parser.add_argument('--output', type=Path, required=True, help='bag to write, must not exist')
    return parser.parse_args(arguments)


def record(node: Node, options: argparse.Namespace, stop: StopSignal) -> None:
    """Record until standard input is closed, or a signal comes.

    Raises:
        EvaluationError: the bag exists already, or cannot be written.
    """
    topics = list(recorded_topics(options.cameras, node=options.node))
    writing = BagWriting(options.output, topics, node=options.node)
    executor = SingleThreadedExecutor()
    clock_distance = time.time_ns() - time.monotonic_ns()
    try:
        for topic in topics:
            subscribe(node, topic, writing)
        for image_topic in options.images:
            watch(node, image_topic)
        executor.add_node(node)
        tell_event(event='ready')
        while not (stop.received or writing.is_broken or input_is_over()):
            executor.spin_once(timeout_sec=0.1)
    finally:
        executor.shutdown()
        messages = writing.close()
    step = (time.time_ns() - time.monotonic_ns() - clock_distance) / 1e6
    tell_event(event='done', messages=messages, clock_step_ms=round(step, 3))


def main(arguments: list[str] | None = None) -> int:
    """Record and return the exit status."""
    options = parse_arguments(arguments)
    with ros_program('result_recorder') as (node, stop):
        try:
            record(node, options, stop)
        except UpsnetError as error:
            tell_event(event='error', message=str(error))
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
