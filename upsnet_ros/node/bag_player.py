# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays camera topics of a rosbag2 into ROS at the pace at which they were recorded.

Messages leave as the bytes that lie in the bag; only the eight bytes of the header's stamp are
written anew. The stamp becomes the moment of sending, as a camera driver would set it: then
`now - stamp` is a true age anywhere in the system (in the node's diagnostics too), and no consumer
takes the data for years old. Messages that share a stamp in the bag share the new one, so exact
time synchronisers keep working. Which new stamp belongs to which recorded one is told in the
`frame` events below. With `--keep-stamps` the recorded stamps stay, and `--clock` gives nodes with
use_sim_time the time that belongs to them.

Progress is told as one JSON object per line on standard output, `event` being one of:
`waiting` (until every image topic has a subscriber), `start` (`frames`: images of all rounds, null
where there is no last round), `frame` (`topic`, `bag_stamp_ns`, `stamp_ns`, `late_ms`, `round`
from 1 on), `paused` and `resumed` (`bag_ns`, the time of recording that play has reached), `done`
(`sent`), `interrupted` (`sent`: ended by SIGINT or SIGTERM), `error` (`message`). After `done` the
player stays, so that reliable readers can still ask for what they missed, until its standard
input is closed; with `--leave` until they have received everything, or five seconds.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from upsnet_ros.node.bag_clock import BagClock
from upsnet_ros.node.bag_messages import BagMessages, BagPart
from upsnet_ros.node.bag_playing import RELIABILITY, BagPlayer
from upsnet_ros.node.pause_service import PauseService, spinning
from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.play_events import emit
from upsnet_ros.node.play_schedule import PlaySchedule
from upsnet_ros.node.player_input import PlayerInput
from upsnet_ros.node.process import StopSignal

PROGRAM = 'python -m upsnet_ros.node.bag_player'
EXAMPLES = f"""\
Play begins once every image topic has a subscriber. While it runs, the space key of the terminal
pauses and resumes it, and so does the service /bag_player/pause (std_srvs/SetBool).

examples:
  two cameras, half as fast:
    {PROGRAM} --bag drive --topics /left/image_raw /right/image_raw --rate 0.5
  ten seconds from the first minute on, again and again until Ctrl-C:
    {PROGRAM} --bag drive --topics /camera/image_raw --start-offset 60 --duration 10 --loop 0
  with the recorded stamps, for nodes with use_sim_time:
    {PROGRAM} --bag drive --topics /camera/image_raw --keep-stamps --clock 100
  wait for the word to begin, given in another terminal:
    {PROGRAM} --bag drive --topics /camera/image_raw --pause-first
    ros2 service call /bag_player/pause std_srvs/srv/SetBool '{{data: false}}'
"""


def _add_part(parser: argparse.ArgumentParser) -> None:
    part = parser.add_argument_group('what is played')
    part.add_argument('--bag', type=Path, required=True, help='folder of the rosbag2')
    part.add_argument(
        '--topics',
        nargs='+',
        required=True,
        metavar='TOPIC',
        help='topics to play, of one or more cameras: Image, CompressedImage and CameraInfo',
    )
    part.add_argument(
        '--start-offset',
        type=float,
        default=0.0,
        metavar='SECONDS',
        help='leave out so much at the beginning of the bag',
    )
    part.add_argument(
        '--duration',
        type=float,
        metavar='SECONDS',
        help='play so much of the bag; else to its end',
    )
    part.add_argument(
        '--loop',
        type=int,
        default=1,
        metavar='N',
        help='play it N times; 0: until stopped. New stamps keep rising, kept ones begin again',
    )


def _add_time(parser: argparse.ArgumentParser) -> None:
    times = parser.add_argument_group('pace and time')
    times.add_argument(
        '--rate', type=float, default=1.0, help='pace: 1 as recorded, 0.5 half as fast'
    )
    times.add_argument(
        '--pause-first',
        action='store_true',
        help='begin paused; the space key or the service /bag_player/pause lets it go',
    )
    times.add_argument(
        '--keep-stamps',
        action='store_true',
        help='leave the header stamps as recorded, like ros2 bag play; else they become the time '
        'of sending',
    )
    times.add_argument(
        '--clock',
        type=float,
        metavar='HZ',
        help='publish the time of the bag on /clock so often, for nodes with use_sim_time; needs '
        '--keep-stamps',
    )


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line of this process."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=__doc__.split('\n', maxsplit=1)[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_part(parser)
    _add_time(parser)
    others = parser.add_argument_group('subscribers')
    others.add_argument(
        '--reliability',
        choices=list(RELIABILITY),
        default='reliable',
        help='quality of service that is offered; reliable meets every subscriber',
    )
    others.add_argument(
        '--match-timeout',
        type=float,
        default=30.0,
        metavar='SECONDS',
        help='fail when an image topic has no subscriber after so long (%(default)g)',
    )
    others.add_argument(
        '--leave',
        action='store_true',
        help='end when all has been received; else when standard input is closed (Ctrl-D)',
    )
    return parser.parse_args(arguments)


def play(node: Node, options: argparse.Namespace, stop: StopSignal) -> None:
    """Play what the command line asks for, to the end or until a signal.

    Raises:
        BagPlayError: it cannot be played, or nobody listens.
    """
    if options.clock is not None and not options.keep_stamps:
        raise BagPlayError(
            '--clock was given without --keep-stamps: the messages would bear the time of sending '
            'and /clock that of the recording. Give both, or neither.'
        )
    part = BagPart(options.start_offset, options.duration, options.loop)
    with closing(BagMessages(options.bag, topics=options.topics, part=part)) as messages:
        schedule = PlaySchedule(
            messages.first_ns, rate=options.rate, is_stopped=lambda: stop.received
        )
        player = BagPlayer(
            node,
            messages,
            schedule,
            keep_stamps=options.keep_stamps,
            reliability=options.reliability,
        )
        PauseService(node, schedule)
        if options.clock is not None:
            BagClock(node, schedule, hz=options.clock)
        if options.pause_first:
            schedule.set_paused(True)
        with spinning(node), PlayerInput(on_space=schedule.toggle) as standard_input:
            emit(event='waiting')
            player.wait_for_subscribers(options.match_timeout)
            emit(event='start', frames=messages.frames)
            sent = player.play()
            emit(event='interrupted' if stop.received else 'done', sent=sent)
            if options.leave:
                player.wait_until_received()
            else:
                standard_input.wait_for_end(schedule.is_stopped)


def main(arguments: list[str] | None = None) -> int:
    """Play a bag and return the exit status: 0 at the end or after a signal, 1 for an error."""
    options = parse_arguments(arguments)
    stop = StopSignal()
    # rclpy's own handlers would end the context while messages are still sent.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('bag_player')
    try:
        play(node, options, stop)
    except BagPlayError as error:
        emit(event='error', message=str(error))
        if options.leave:  # nobody reads the events then
            print(f'bag_player: {error}', file=sys.stderr)
        return 1
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
        stop.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
