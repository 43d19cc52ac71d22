# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that sends or receives large images over DDS, best effort, so that losses show.

    python -m tests.node.image_stream send|receive TOPIC COUNT PERIOD_S

The receiver prints `ready` once it is connected and then the number of each image; the sender
prints `connected`, waits for a line on its standard input and prints `sent` at the end. Both stay
until their standard input is closed.
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.node.node_harness import image_message

# Deep, so that only the transport can lose something.
BEST_EFFORT = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
HEIGHT, WIDTH = 1024, 2048


def send(node: Node, topic: str, count: int, period_s: float) -> None:
    """Sends images of 6.3 MB, numbered by their stamps."""
    publisher = node.create_publisher(Image, topic, BEST_EFFORT)
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    print('connected', flush=True)
    sys.stdin.readline()
    message = image_message(np.full((HEIGHT, WIDTH, 3), 77, np.uint8))
    due = time.monotonic()
    for number in range(count):
        message.header.stamp.sec = number
        publisher.publish(message)
        due += period_s
        time.sleep(max(0.0, due - time.monotonic()))
    print('sent', flush=True)
    sys.stdin.read()


def receive(node: Node, topic: str) -> None:
    """Prints the number of each image that arrives whole."""

    def on_image(message: Image) -> None:
        assert len(message.data) == HEIGHT * WIDTH * 3 and message.data[-1] == 77
        print(message.header.stamp.sec, flush=True)

    subscription = node.create_subscription(Image, topic, on_image, BEST_EFFORT)
    while not subscription.get_publisher_count():
        time.sleep(0.01)
    print('ready', flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), rclpy.try_shutdown()), daemon=True).start()
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        return


def main() -> None:
    """Reads the command line."""
    role, topic, count, period_s = sys.argv[1:]
    rclpy.init()
    node = rclpy.create_node(f'image_{role}')
    if role == 'send':
        send(node, topic, int(count), float(period_s))
    else:
        receive(node, topic)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
