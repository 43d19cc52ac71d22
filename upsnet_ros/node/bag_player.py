# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays camera topics of a rosbag2 into ROS at the pace at which they were recorded.

Messages leave as the bytes that lie in the bag; only the eight bytes of the header's stamp are
written anew. The stamp becomes the moment of sending, as a camera driver would set it: then
`now - stamp` is a true age anywhere in the system (in the node's diagnostics too), and no consumer
takes the data for years old. Messages that share a stamp in the bag share the new one, so exact
time synchronisers keep working. Video in messages of its own is sent in CompressedImages on
`.../compressed`, where the node reads it without the package of those messages. Which new stamp
belongs to which recorded one is told in the `frame` events below. For recorded stamps, `/clock`
and pauses there is `ros2 bag play`.

Progress is told as one JSON object per line on standard output, `event` being one of:
`waiting` (until every image topic has a subscriber), `start` (`frames`: images of all rounds, null
where there is no last round), `frame` (`topic`, `bag_stamp_ns`: the time of recording where the
bag has no stamps, `stamp_ns`, `late_ms`, `round` from 1 on), `done` (`sent`), `interrupted`
(`sent`: ended by SIGINT or SIGTERM), `error` (`message`). After `done` the player stays, so that
reliable readers can still ask for what they missed, until its standard input is closed; with
`--leave` until they have received everything, or five seconds.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import end_quietly

    end_quietly(0)

import argparse
import itertools
import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from upsnet_ros.bags.cameras import played_topic
from upsnet_ros.bags.definitions import (
    COMPRESSED,
    IMAGE_TYPES,
    VIDEO_TYPES,
    as_compressed_image,
    header_stamp_ns,
    with_stamp_ns,
)
from upsnet_ros.bags.joining import has_no_stamps
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.storage import BagMessage
from upsnet_ros.core.errors import BagError, ReplayError, UpsnetError
from upsnet_ros.node.process import StopSignal, input_is_over, ros_program, tell_event

logger = logging.getLogger(__name__)

PROGRAM = 'python -m upsnet_ros.node.bag_player'
EXAMPLES = f"""\
Play begins once every image topic has a subscriber.

examples:
  two cameras, half as fast:
    {PROGRAM} --bag drive --topics /left/image_raw /right/image_raw --rate 0.5
  ten seconds from the first minute on, again and again until Ctrl-C:
    {PROGRAM} --bag drive --topics /camera/image_raw --start-offset 60 --duration 10 --loop 0
"""
MESSAGE_CLASSES = {
    'sensor_msgs/msg/Image': Image,
    COMPRESSED: CompressedImage,
    'sensor_msgs/msg/CameraInfo': CameraInfo,
    **dict.fromkeys(VIDEO_TYPES, CompressedImage),
}
NANOSECONDS = 1_000_000_000
# A second of a camera at 10 Hz may wait for a reliable reader before the oldest is given up.
QUEUE_DEPTH = 10
# A writer knows of its reader a little before the reader knows of its writer. What is sent in
# between is lost to a best-effort reader, and nothing on this side tells when it is over.
SETTLE_SECONDS = 0.3
# How often a wait looks whether the player shall end.
LOOK_SECONDS = 0.05
ACKNOWLEDGE_SECONDS = 5.0
# From the end of a round to the next one where a single message tells of no distance.
LONE_GAP_NS = NANOSECONDS
STAMPS_KEPT = 256


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'{text} was given, expected a number above 0')
    return value


def _from_zero(text: str) -> float:
    return 0.0 if float(text) == 0 else _above_zero(text)


def _count(text: str) -> int:
    return int(_from_zero(str(int(text))))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line of this process."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=__doc__.split('\n', maxsplit=1)[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, seconds = parser.add_argument, 'SECONDS'
    add('--bag', type=Path, required=True, help='folder of the rosbag2, or one of its files')
    text = 'topics of one or more cameras: Image, CompressedImage and CameraInfo'
    add('--topics', nargs='+', required=True, metavar='TOPIC', help=text)
    text = 'leave out so much at the beginning of the bag'
    add('--start-offset', type=_from_zero, default=0.0, metavar=seconds, help=text)
    text = 'play so much of the bag; else to its end'
    add('--duration', type=_above_zero, metavar=seconds, help=text)
    text = 'play it N times; 0: until stopped. Stamps keep rising'
    add('--loop', type=_count, default=1, metavar='N', help=text)
    text = 'pace: 1 as recorded, 0.5 half as fast'
    add('--rate', type=_above_zero, default=1.0, help=text)
    text = 'quality of service that is offered; reliable meets every subscriber'
    add('--reliability', choices=['reliable', 'best_effort'], default='reliable', help=text)
    text = 'fail when an image topic has no subscriber after so long (%(default)g)'
    add('--match-timeout', type=_from_zero, default=30.0, metavar=seconds, help=text)
    text = 'end when all has been received; else when standard input is closed (Ctrl-D)'
    add('--leave', action='store_true', help=text)
    return parser.parse_args(arguments)


class BagPlayer:
    """Publishes each message of a part of a bag when it is due, round after round.

    Args:
        node: where to publish.
        bag: the opened bag.
        options: the command line.
        stop: whether it shall end before.

    Raises:
        BagError: the bag lacks a topic, has one of another type, or no image in this part.
    """

    def __init__(
        self, node: Node, bag: BagReader, options: argparse.Namespace, stop: StopSignal
    ) -> None:
        self._bag, self._options, self._stop = bag, options, stop
        self._topics = list(dict.fromkeys(options.topics))
        self._check_topics()
        self._images = [t for t in self._topics if bag.topics[t] in IMAGE_TYPES]
        self._unstamped = {topic for topic in self._topics if has_no_stamps(bag, topic)}
        self._new_stamp_of: dict[int, int] = {}
        self._last_stamp_ns = 0
        self._sent = 0
        self._frames = self._count()
        reliability = ReliabilityPolicy[options.reliability.upper()]
        qos = QoSProfile(depth=QUEUE_DEPTH, reliability=reliability)
        self._publishers = {
            topic: node.create_publisher(
                MESSAGE_CLASSES[bag.topics[topic]], played_topic(topic, bag.topics[topic]), qos
            )
            for topic in self._topics
        }

    def _check_topics(self) -> None:
        topics = self._bag.topics
        missing = sorted(set(self._options.topics) - set(topics))
        if missing:
            raise BagError(
                f'{self._bag.path} has no topic {", ".join(missing)}; its topics are: '
                f'{", ".join(sorted(topics)) or "none"}. Name the topics of one or more cameras.'
            )
        for topic in self._options.topics:
            if topics[topic] not in MESSAGE_CLASSES:
                raise BagError(
                    f'{topic} is a {topics[topic]}; this player plays '
                    f'{", ".join(MESSAGE_CLASSES)}.'
                )

    def _messages(self, topics: list[str]) -> Iterator[BagMessage]:
        """The messages of the part that is played, in the order of recording."""
        offset, duration = self._options.start_offset, self._options.duration
        start = self._bag.start_ns + round(offset * NANOSECONDS)
        stop = None if duration is None else start + round(duration * NANOSECONDS)
        return self._bag.messages(topics, start_ns=start if offset else None, stop_ns=stop)

    def _count(self) -> int:
        """The images of the part. How many lie between two times is found by reading them once."""
        if self._options.start_offset or self._options.duration is not None:
            count = sum(1 for _ in self._messages(self._images)) if self._images else 0
        else:
            count = sum(map(self._bag.count, self._images))
        if not count:
            seconds = (self._bag.end_ns - self._bag.start_ns) / NANOSECONDS
            raise BagError(
                f'{self._bag.path} has no image of {", ".join(self._options.topics)} in the part '
                f'that was asked for; it lasts {seconds:.3f} s. Choose an image topic, an earlier '
                'start offset or a longer duration.'
            )
        return count

    @property
    def frames(self) -> int | None:
        """Images of all rounds; None where there is no last round."""
        return self._frames * self._options.loop or None

    def wait_for_subscribers(self) -> None:
        """Return when every image topic has a subscriber, or the player shall end.

        Raises:
            ReplayError: nobody subscribed in time.
        """
        seconds = self._options.match_timeout
        deadline, waiting = time.monotonic() + seconds, self._images
        while waiting := [t for t in waiting if not self._publishers[t].get_subscription_count()]:
            if self._stop.received:
                return
            if time.monotonic() > deadline:
                raise ReplayError(
                    f'nobody subscribed to {", ".join(waiting)} within {seconds:g} s. Is the node '
                    'active, and does it listen to these camera names, this transport and this '
                    'reliability?'
                )
            time.sleep(LOOK_SECONDS)
        time.sleep(SETTLE_SECONDS)

    def play(self) -> int:
        """Play all rounds, or until the player shall end; returns how many images were sent."""
        started, passed_ns = time.monotonic(), 0
        for number in itertools.islice(itertools.count(1), self._options.loop or None):
            first = last = None
            counts: Counter[str] = Counter()
            for message in self._messages(self._options.topics):
                last = message.recorded_ns
                first = last if first is None else first
                counts[message.topic] += 1
                seconds = (last - first + passed_ns) / NANOSECONDS / self._options.rate
                if not self._wait_until(started + seconds):
                    return self._sent
                self._send(message, time.monotonic() - started - seconds, number)
            if first is None or last is None or self._stop.received:
                break
            # The next round begins one mean distance of messages behind the last one.
            steps = max(counts.values()) - 1
            passed_ns += last - first
            passed_ns += round((last - first) / steps) if steps and last > first else LONE_GAP_NS
            self._new_stamp_of.clear()
        return self._sent

    def _wait_until(self, moment: float) -> bool:
        """Whether the moment came; False when the player shall end."""
        while not self._stop.received:
            left = moment - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, LOOK_SECONDS))
        return False

    def _send(self, message: BagMessage, late_s: float, number: int) -> None:
        try:
            bag_stamp = header_stamp_ns(message.data)
        except BagError as error:
            logger.warning('a message of %s is not sent: %s', message.topic, error)
            return
        if message.topic in self._unstamped:
            bag_stamp = message.recorded_ns
        stamp = self._new_stamp(bag_stamp)
        kind = self._bag.topics[message.topic]
        data = message.data
        if kind in VIDEO_TYPES:
            data = as_compressed_image(self._bag.decode(message.topic, data))
        self._publishers[message.topic].publish(with_stamp_ns(data, stamp))
        if message.topic in self._images:
            self._sent += 1
            tell_event(
                event='frame',
                topic=played_topic(message.topic, kind),
                bag_stamp_ns=bag_stamp,
                stamp_ns=stamp,
                late_ms=round(late_s * 1e3, 3),
                round=number,
            )

    def _new_stamp(self, bag_stamp_ns: int) -> int:
        """One new stamp for each recorded one: the time at which it is first asked for.

        They rise strictly, so that each of them names one recorded stamp of its round.
        """
        if bag_stamp_ns not in self._new_stamp_of:
            self._last_stamp_ns = max(time.time_ns(), self._last_stamp_ns + 1)
            self._new_stamp_of[bag_stamp_ns] = self._last_stamp_ns
            if len(self._new_stamp_of) > STAMPS_KEPT:
                self._new_stamp_of.pop(next(iter(self._new_stamp_of)))
        return self._new_stamp_of[bag_stamp_ns]

    def wait_until_received(self) -> None:
        """Return when every reliable reader has everything, or after `ACKNOWLEDGE_SECONDS`."""
        deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
        for publisher in self._publishers.values():
            while not publisher.wait_for_all_acked(Duration(seconds=LOOK_SECONDS)):
                if time.monotonic() > deadline or self._stop.received:
                    return


def play(node: Node, options: argparse.Namespace, stop: StopSignal) -> None:
    """Play what the command line asks for, to the end or until a signal.

    Raises:
        BagError: it cannot be played.
        ReplayError: nobody listens.
    """
    with BagReader(options.bag) as bag:
        player = BagPlayer(node, bag, options, stop)
        tell_event(event='waiting')
        player.wait_for_subscribers()
        tell_event(event='start', frames=player.frames)
        sent = player.play()
        tell_event(event='interrupted' if stop.received else 'done', sent=sent)
        if options.leave:
            player.wait_until_received()
        else:
            while not stop.received and not input_is_over(wait_s=LOOK_SECONDS):
                pass


def main(arguments: list[str] | None = None) -> int:
    """Play a bag and return the exit status: 0 at the end or after a signal, 1 for an error."""
    options = parse_arguments(arguments)
    with ros_program('bag_player') as (node, stop):
        try:
            play(node, options, stop)
        except UpsnetError as error:
            tell_event(event='error', message=str(error))
            if options.leave:  # nobody reads the events then
                print(f'bag_player: {error}', file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
