# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes beside one node: `python -m benchmarks.node_parts.transport_processes ROLE ...`.

Cameras and reader frame both nodes alike; `bare` is as little as rclpy takes, `ours` the node with
a pipeline that answers at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from contextlib import suppress
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from benchmarks.node_parts.ready_pipeline import ReadyPipeline
from benchmarks.node_parts.transport_scenario import SCENARIOS, Scenario
from upsnet_ros.node.main import main as perception_node

QUIET_S = 3.0  # without a label: the last one has come
START_S = 60.0


def run_cameras(scenario: Scenario, frames: int) -> None:
    """Publish images at the rate, all cameras in turn, each with the time as stamp.

    A line on standard output says when the first one is due.
    """
    rclpy.init()
    node = rclpy.create_node('cameras')
    publishers = [
        node.create_publisher(Image, f'{name}/image_raw', QoSProfile(depth=1))
        for name in scenario.camera_names
    ]
    message = Image(height=scenario.height, width=scenario.width, encoding='bgr8')
    message.step = 3 * scenario.width
    message.data = array('B', bytes(message.step * scenario.height))
    deadline = time.monotonic() + START_S
    while any(publisher.get_subscription_count() == 0 for publisher in publishers):
        if time.monotonic() > deadline:
            raise SystemExit('no node subscribed to the cameras')
        time.sleep(0.1)
    time.sleep(1.0)
    print('begin', flush=True)
    begin = time.monotonic()
    gap = 1.0 / (scenario.rate * scenario.cameras)
    for number in range(frames * scenario.cameras):
        time.sleep(max(begin + number * gap - time.monotonic(), 0.0))
        message.header.stamp = node.get_clock().now().to_msg()
        publishers[number % scenario.cameras].publish(message)
    time.sleep(1.0)
    rclpy.try_shutdown()


def run_bare(scenario: Scenario) -> None:
    """The node with nothing in it."""
    rclpy.init()
    node = rclpy.create_node('bare')
    labels = array('B', bytes(2 * scenario.width * scenario.height))
    qos = QoSProfile(depth=1)
    for name in scenario.camera_names:
        publisher = node.create_publisher(Image, f'{name}/panoptic/image', qos)

        def answer(image: Image, publisher: Any = publisher) -> None:
            publisher.publish(
                Image(
                    header=image.header,
                    height=image.height,
                    width=image.width,
                    encoding='16UC1',
                    step=2 * image.width,
                    data=labels,
                )
            )

        node.create_subscription(Image, f'{name}/image_raw', answer, qos)
    with suppress(ExternalShutdownException):  # how rclpy ends at SIGTERM
        rclpy.spin(node)


def run_ours(scenario: Scenario) -> int:
    """The perception node over the ready pipeline; returns its exit status."""
    names = ', '.join(f"'{name}'" for name in scenario.camera_names)
    arguments = ['--ros-args', '--log-level', 'warn', '-p', f'camera_names:=[{names}]']
    arguments += ['-p', 'publish_semantic:=false']
    return perception_node(arguments, load_pipeline=lambda *_, **__: ReadyPipeline())


def run_reader(scenario: Scenario, output: Path) -> None:
    """Note the age of every label image, until none has come for a while."""
    rclpy.init()
    node = rclpy.create_node('reader')
    ages: list[float] = []
    last = [time.monotonic() + START_S]

    def note(image: Image) -> None:
        stamp = image.header.stamp
        ages.append(
            node.get_clock().now().nanoseconds * 1e-6 - stamp.sec * 1e3 - stamp.nanosec * 1e-6
        )
        last[0] = time.monotonic()

    for name in scenario.camera_names:
        node.create_subscription(Image, f'{name}/panoptic/image', note, QoSProfile(depth=10))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while time.monotonic() - last[0] < QUIET_S:
        executor.spin_once(timeout_sec=0.2)
    output.write_text(json.dumps(ages))
    rclpy.try_shutdown()


def main() -> int:
    """Be one of the processes; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('role', choices=('cameras', 'bare', 'ours', 'reader'))
    parser.add_argument('scenario', choices=SCENARIOS)
    parser.add_argument('--frames', type=int, default=0, help='of each camera')
    parser.add_argument('--output', type=Path, help='JSON file of the ages [ms]')
    options = parser.parse_args()
    scenario = SCENARIOS[options.scenario]
    if options.role == 'ours':
        return run_ours(scenario)
    if options.role == 'bare':
        run_bare(scenario)
    elif options.role == 'cameras':
        run_cameras(scenario, options.frames)
    else:
        run_reader(scenario, options.output)
    return 0


if __name__ == '__main__':
    sys.exit(main())
