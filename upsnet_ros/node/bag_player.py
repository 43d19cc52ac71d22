# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays camera topics of a rosbag2 into ROS at the pace at which they were recorded.

Messages leave as the bytes that lie in the bag; only the eight bytes of the header's stamp are
written anew. The stamp becomes the moment of sending, as a camera driver would set it: then
`now - stamp` is a true age anywhere in the system (in the node's diagnostics too), and no consumer
takes the data for years old. Messages that share a stamp in the bag share the new one, so exact
time synchronisers keep working. Which new stamp belongs to which recorded one is told in the
`frame` events below.

Progress is told as one JSON object per line on standard output, `event` being one of:
`waiting` (until every image topic has a subscriber), `start` (`frames`), `frame` (`topic`,
`bag_stamp_ns`, `stamp_ns`, `late_ms`), `done` (`sent`), `error` (`message`). After `done` the
player stays, so that reliable readers can still ask for what they missed, until its standard
input is closed; with `--leave` until they have received everything, or five seconds.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from upsnet_ros.core.errors import UpsnetError

# Every type here begins with std_msgs/Header, so the stamp lies at a fixed place in its CDR bytes.
PLAYABLE_TYPES = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
    'sensor_msgs/msg/CameraInfo': CameraInfo,
}
IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
STAMP_OFFSET = 4  # after the four bytes of the CDR encapsulation header
NANOSECONDS = 1_000_000_000
# A reader thread stays at most this many messages ahead: two seconds of a camera at 30 Hz.
READ_AHEAD = 64
# A writer knows of its reader a little before the reader knows of its writer. What is sent in
# between is lost to a best-effort reader, and nothing on this side tells when it is over.
SETTLE_SECONDS = 0.3
ACKNOWLEDGE_SECONDS = 5.0
STAMPS_KEPT = 256


class BagPlayError(UpsnetError):
    """A bag that cannot be played, or that nobody listens to."""


@dataclass(frozen=True)
class RecordedMessage:
    """One message as it lies in the bag; `data` are its CDR bytes."""

    topic: str
    message_type: str
    recorded_ns: int
    data: bytes


def emit(**event: object) -> None:
    """Tell the process that started this one what happened."""
    print(json.dumps(event), flush=True)


def stamp_format(data: bytes) -> str:
    """The struct format of the stamp: CDR's second byte is odd for little endian."""
    return '<iI' if data[1] & 1 else '>iI'


def read_stamp_ns(data: bytes) -> int:
    """The header's stamp [ns] of a message that begins with std_msgs/Header."""
    seconds, nanoseconds = struct.unpack_from(stamp_format(data), data, STAMP_OFFSET)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def with_stamp_ns(data: bytes, stamp_ns: int) -> bytes:
    """The same message with another header stamp [ns]; the argument is not changed."""
    stamp = struct.pack(stamp_format(data), *divmod(stamp_ns, NANOSECONDS))
    return b''.join((data[:STAMP_OFFSET], stamp, data[STAMP_OFFSET + len(stamp) :]))


class Restamper:
    """Gives each recorded stamp one new stamp: the time at which it is first asked for."""

    def __init__(self) -> None:
        self._new_stamp_of: dict[int, int] = {}
        self._last_ns = 0

    def __call__(self, bag_stamp_ns: int, *, now_ns: int) -> int:
        """New stamps rise strictly, so that each of them names one recorded stamp."""
        if bag_stamp_ns not in self._new_stamp_of:
            self._last_ns = max(now_ns, self._last_ns + 1)
            self._new_stamp_of[bag_stamp_ns] = self._last_ns
            if len(self._new_stamp_of) > STAMPS_KEPT:
                self._new_stamp_of.pop(next(iter(self._new_stamp_of)))
        return self._new_stamp_of[bag_stamp_ns]


class BagMessages:
    """The chosen topics of a bag in the order of recording, read ahead in a thread."""

    def __init__(self, bag: Path, *, topics: list[str], start_offset: float = 0.0) -> None:
        try:
            self._reader = AnyReader([bag], default_typestore=get_typestore(Stores.ROS2_JAZZY))
            self._reader.open()
        except (AnyReaderError, OSError) as error:
            raise BagPlayError(f'{bag} cannot be read as a rosbag2: {error}') from error
        self._connections = [c for c in self._reader.connections if c.topic in topics]
        self.type_of = {c.topic: c.msgtype for c in self._connections}
        self._check(bag, topics)
        self._start_ns = self._reader.start_time + round(start_offset * NANOSECONDS)
        self._queue: Queue[RecordedMessage | Exception | None] = Queue(maxsize=READ_AHEAD)

    def _check(self, bag: Path, topics: list[str]) -> None:
        missing = sorted(set(topics) - set(self.type_of))
        if missing:
            present = ', '.join(sorted({c.topic for c in self._reader.connections})) or 'none'
            raise BagPlayError(
                f'{bag} has no topic {", ".join(missing)}; its topics are: {present}. '
                'Name the topics of one camera.'
            )
        for topic, message_type in self.type_of.items():
            if message_type not in PLAYABLE_TYPES:
                raise BagPlayError(
                    f'{topic} is a {message_type}; this player plays {", ".join(PLAYABLE_TYPES)}.'
                )

    @property
    def image_topics(self) -> list[str]:
        """The chosen topics that carry pictures."""
        return [topic for topic, name in self.type_of.items() if name in IMAGE_TYPES]

    def count(self, topics: list[str]) -> int:
        """How many messages of these topics the whole bag holds."""
        return sum(c.msgcount for c in self._connections if c.topic in topics)

    def __iter__(self) -> Iterator[RecordedMessage]:
        Thread(target=self._read_ahead, name='bag_reader', daemon=True).start()
        while (message := self._queue.get()) is not None:
            if isinstance(message, Exception):
                raise BagPlayError(f'the bag broke off while playing: {message}') from message
            yield message

    def _read_ahead(self) -> None:
        try:
            for connection, recorded_ns, data in self._reader.messages(
                self._connections, start=self._start_ns
            ):
                self._queue.put(
                    RecordedMessage(connection.topic, connection.msgtype, recorded_ns, bytes(data))
                )
        except Exception as error:  # any fault of a damaged file must reach the playing thread
            self._queue.put(error)
        self._queue.put(None)


class BagPlayer:
    """Publishes messages at their recorded distances in time, divided by `rate`."""

    def __init__(self, node: Node, messages: BagMessages, *, rate: float = 1.0) -> None:
        if rate <= 0:
            raise BagPlayError(f'rate must be above 0, received {rate}. 1 is the recorded pace.')
        self._messages = messages
        self._rate = rate
        self._restamp = Restamper()
        # Reliable meets every subscriber; what a best-effort one loses is then its own choice.
        qos = QoSProfile(
            depth=5, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE
        )
        self._publishers: dict[str, Publisher] = {
            topic: node.create_publisher(PLAYABLE_TYPES[name], topic, qos)
            for topic, name in messages.type_of.items()
        }

    def wait_for_subscribers(self, timeout: float) -> None:
        """Return when every image topic has a subscriber.

        Raises:
            BagPlayError: nobody subscribed within `timeout` [s].
        """
        deadline = time.monotonic() + timeout
        waiting = self._messages.image_topics
        while waiting := [t for t in waiting if not self._publishers[t].get_subscription_count()]:
            if time.monotonic() > deadline:
                raise BagPlayError(
                    f'nobody subscribed to {", ".join(waiting)} within {timeout:g} s. Is the node '
                    'active, and does it listen to these camera names and this transport?'
                )
            time.sleep(0.02)
        time.sleep(SETTLE_SECONDS)

    def wait_until_received(self) -> None:
        """Return when every reliable reader has everything, or after `ACKNOWLEDGE_SECONDS`."""
        deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
        for publisher in self._publishers.values():
            left = max(0.0, deadline - time.monotonic())
            publisher.wait_for_all_acked(Duration(seconds=left))

    def play(self) -> int:
        """Play everything once and return how many images were sent."""
        images = set(self._messages.image_topics)
        sent, first_recorded, started = 0, None, 0.0
        for message in self._messages:
            if first_recorded is None:
                first_recorded, started = message.recorded_ns, time.monotonic()
            due = started + (message.recorded_ns - first_recorded) / NANOSECONDS / self._rate
            while (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            bag_stamp = read_stamp_ns(message.data)
            stamp = self._restamp(bag_stamp, now_ns=time.time_ns())
            late = time.monotonic() - due
            self._publishers[message.topic].publish(with_stamp_ns(message.data, stamp))
            if message.topic in images:
                sent += 1
                emit(
                    event='frame',
                    topic=message.topic,
                    bag_stamp_ns=bag_stamp,
                    stamp_ns=stamp,
                    late_ms=round(late * 1e3, 3),
                )
        return sent


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line of this process."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--bag', type=Path, required=True, help='folder of the rosbag2')
    parser.add_argument('--topics', nargs='+', required=True, help='topics to play')
    parser.add_argument('--rate', type=float, default=1.0, help='pace, 1 is as recorded')
    parser.add_argument('--start-offset', type=float, default=0.0, help='skip so many seconds')
    parser.add_argument(
        '--match-timeout', type=float, default=30.0, help='seconds to wait for subscribers'
    )
    parser.add_argument('--leave', action='store_true', help='end when all has been received')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Play a bag and return the exit status."""
    options = parse_arguments(arguments)
    rclpy.init()
    node = rclpy.create_node('bag_player')
    try:
        messages = BagMessages(
            options.bag, topics=options.topics, start_offset=options.start_offset
        )
        player = BagPlayer(node, messages, rate=options.rate)
        emit(event='waiting')
        player.wait_for_subscribers(options.match_timeout)
        emit(event='start', frames=messages.count(messages.image_topics))
        emit(event='done', sent=player.play())
        if options.leave:
            player.wait_until_received()
        else:
            sys.stdin.read()
    except KeyboardInterrupt:
        return 0
    except BagPlayError as error:
        emit(event='error', message=str(error))
        if options.leave:  # nobody reads the events then
            print(f'bag_player: {error}', file=sys.stderr)
        return 1
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
