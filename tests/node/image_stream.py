# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that sends or receives large images over DDS, best effort, so that losses show.

    python -m tests.node.image_stream send|receive TOPIC

The receiver prints `ready` once it is connected and then the number of each image. The sender
prints `connected`; for each line COUNT PERIOD_S on its standard input it sends so many images and
prints `sent`. After the last line it repeats a small image, and the first of them that arrives
ends the receiver: all that had not arrived before is lost.
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.node.node_harness import image_message

# Deep, so that only the transport can lose something.
BEST_EFFORT = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
HEIGHT, WIDTH = 1024, 2048
END = (1, 1)


def send(node: Node, topic: str) -> None:
    """Sends images of 6.3 MB, numbered by their stamps."""
    publisher = node.create_publisher(Image, topic, BEST_EFFORT)
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    print('connected', flush=True)
    message = image_message(np.full((HEIGHT, WIDTH, 3), 77, np.uint8), stamp=0)
    for line in sys.stdin:
        count, period_s = line.split()
        for _ in range(int(count)):
            publisher.publish(message)
            message.header.stamp.sec += 1
            time.sleep(float(period_s))
        print('sent', flush=True)
    while publisher.get_subscription_count():
        publisher.publish(image_message(np.zeros((*END, 3), np.uint8)))
        time.sleep(0.05)


def receive(node: Node, topic: str) -> None:
    """Prints the number of each image that arrives whole, until a small one does."""
    is_over = threading.Event()

    def on_image(message: Image) -> None:
        if (message.height, message.width) == END:
            is_over.set()
            return
        assert len(message.data) == HEIGHT * WIDTH * 3 and message.data[-1] == 77
        print(message.header.stamp.sec, flush=True)

    subscription = node.create_subscription(Image, topic, on_image, BEST_EFFORT)
    while not subscription.get_publisher_count():
        time.sleep(0.01)
    print('ready', flush=True)
    while not is_over.is_set():
        rclpy.spin_once(node)


def main() -> None:
    """Reads the command line."""
    role, topic = sys.argv[1:]
    rclpy.init()
    node = rclpy.create_node(f'image_{role}')
    if role == 'send':
        send(node, topic)
    else:
        receive(node, topic)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
