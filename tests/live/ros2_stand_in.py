#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stands for `ros2 bag play`: plays with the stamps of the bag, and the bag's time on /clock.

It refuses options that rosbag2's own player does not have. Where that one would wait for
`--delay`, this one waits until node and recorder are there, so that nothing depends on how busy
the computer is.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from upsnet_ros.bags.reader import BagReader

# Node and recorder.
READERS = 2
TYPES = {f'sensor_msgs/msg/{kind.__name__}': kind for kind in (Image, CompressedImage, CameraInfo)}


def parse_arguments() -> argparse.Namespace:
    """The options of rosbag2 that a live replay gives."""
    parser = argparse.ArgumentParser(prog='ros2')
    parser.add_argument('command', choices=['bag'])
    parser.add_argument('verb', choices=['play'])
    parser.add_argument('bag', type=Path)
    parser.add_argument('--clock', type=float, required=True)
    parser.add_argument('--rate', type=float, default=1.0)
    parser.add_argument('--delay', type=float, default=0.0)
    parser.add_argument('--start-offset', type=float, default=0.0)
    parser.add_argument('--playback-duration', type=float)
    parser.add_argument('--disable-keyboard-controls', action='store_true', required=True)
    parser.add_argument('--wait-for-all-acked', type=int, required=True)
    parser.add_argument('--topics', nargs='+', required=True)
    return parser.parse_args()


def play(options: argparse.Namespace, bag: BagReader, node: Node) -> None:
    """Publish the part of the bag that is asked for, each message at its time."""
    start = bag.start_ns + round(options.start_offset * 1e9)
    duration = options.playback_duration
    stop = None if duration is None else start + round(duration * 1e9)
    publishers: dict[str, Publisher] = {
        topic: node.create_publisher(TYPES[bag.topics[topic]], topic, 100)
        for topic in options.topics
    }
    clock = node.create_publisher(Clock, '/clock', 10)
    images = [p for topic, p in publishers.items() if 'image_raw' in topic]
    while not all(p.get_subscription_count() >= READERS for p in images):
        time.sleep(0.05)
    begin = time.monotonic()
    for message in bag.messages(options.topics, start_ns=start, stop_ns=stop):
        due = begin + (message.recorded_ns - start) / 1e9 / options.rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, 1 / options.clock))
            told = Clock()
            now = start + round((time.monotonic() - begin) * 1e9 * options.rate)
            told.clock.sec, told.clock.nanosec = divmod(now, 10**9)
            clock.publish(told)
        publishers[message.topic].publish(bytes(message.data))
    for publisher in publishers.values():
        publisher.wait_for_all_acked(Duration(seconds=options.wait_for_all_acked / 1000))


def main() -> None:
    """Play and end."""
    options = parse_arguments()
    rclpy.init()
    node = rclpy.create_node('rosbag2_player')
    with BagReader(options.bag) as bag:
        play(options, bag, node)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    sys.exit(main())
