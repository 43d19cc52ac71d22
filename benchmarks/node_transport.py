# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node costs beside the network: stamp-to-label age over real DDS, beside a bare node.

The network is left out: both answer with a label image that is ready. The bare node is as little
as rclpy takes: an image in, a 16UC1 image of the same size and header out. Cameras, node and
reader are processes of their own; the two nodes run one after the other on the same cameras.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MOST_AGE_RATIO = 1.5  # of the 95th percentiles
QUIET_S = 3.0  # without a label: the last one has come
START_S = 60.0
MB = 1e6


@dataclass(frozen=True)
class Scenario:
    """Cameras of one size and rate.

    Attributes:
        width: of an image [px].
        height: of an image [px].
        rate: images per second of each camera.
        cameras: how many.
    """

    width: int
    height: int
    rate: float
    cameras: int

    @property
    def name(self) -> str:
        """For tables and files."""
        return f'{self.cameras}x{self.width}x{self.height}@{self.rate:g}Hz'

    @property
    def camera_names(self) -> list[str]:
        """Prefixes of the topics."""
        return [f'camera_{index}' for index in range(self.cameras)]


SCENARIOS = (
    Scenario(1920, 1080, 30, 1),
    Scenario(2048, 1024, 30, 1),
    Scenario(1280, 720, 20, 4),
)


class ReadyPipeline:
    """Answers with a label image that was made before."""

    max_batch = 1

    def __init__(self) -> None:
        from upsnet_ros.core.labels import cityscapes_label_set

        self.label_set = cityscapes_label_set()
        head = {'score_threshold': 0.6, 'mask_overlap_threshold': 0.3, 'stuff_area_limit': 512}
        self.manifest = SimpleNamespace(name='ready', sha256='0' * 64, panoptic_head=head)
        self.backend = SimpleNamespace(name='none', device='none', input_size=(512, 1024))
        self._ready: dict[tuple[int, int], Any] = {}

    def warm_up(self, runs: int) -> list[float]:
        """Nothing to warm."""
        return []

    def set_thresholds(self, **thresholds: float) -> None:
        """Nothing to set."""

    def process(self, image_bgr: np.ndarray) -> Any:
        """The ready answer for an image of this size."""
        from upsnet_ros.core.structures import PanopticResult

        size = image_bgr.shape[:2]
        if size not in self._ready:
            times = dict.fromkeys(('preprocess', 'inference', 'panoptic_head', 'total'), 0.0)
            result = PanopticResult(np.zeros(size, np.uint16), (), 0.0)
            self._ready[size] = SimpleNamespace(panoptic=result, timing_ms=times)
        return self._ready[size]

    def close(self) -> None:
        """Nothing to free."""


def run_camera(scenario: Scenario, frames: int) -> None:
    """Publish images at the rate, all cameras in turn, each with the time as stamp."""
    import rclpy
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image

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
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image

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


def run_ours(scenario: Scenario) -> None:
    """The perception node over the ready pipeline."""
    from upsnet_ros.node.main import main as perception_node

    names = ', '.join(f"'{name}'" for name in scenario.camera_names)
    arguments = ['--ros-args', '-p', f'camera_names:=[{names}]', '-p', 'publish_semantic:=false']
    sys.exit(perception_node(arguments, load_pipeline=lambda *_, **__: ReadyPipeline()))


def run_reader(scenario: Scenario, output: Path) -> None:
    """Note the age of every label image, until none has come for a while."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image

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


def measure(scenario: Scenario, role: str, frames: int, folder: Path) -> dict[str, float]:
    """Run cameras, reader and one of the nodes."""
    environment = os.environ | {
        'FASTDDS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds.xml'),
        'ROS_DOMAIN_ID': str(os.getpid() % 90 + 10),
    }
    ages_path = folder / f'{scenario.name}_{role}.json'

    def start(what: str, *more: str) -> subprocess.Popen:
        command = [sys.executable, __file__, '--role', what, '--scenario', scenario.name, *more]
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    node = start(role)
    reader = start('reader', '--output', str(ages_path))
    cameras = start('cameras', '--frames', str(frames))
    process = psutil.Process(node.pid)
    try:
        if cameras.wait(START_S + 10 + frames / scenario.rate * 2):
            raise SystemExit(f'{scenario.name}: the cameras failed')
        used = sum(process.cpu_times()[:2])
        memory = process.memory_info().rss / MB
        reader.wait(START_S + QUIET_S + 10)
    finally:
        for child in (node, reader, cameras):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
    ages = json.loads(ages_path.read_text())
    total = frames * scenario.cameras
    if not ages:
        raise SystemExit(f'{scenario.name}: not one label image of {role} arrived')
    p50, p95, p99 = np.percentile(ages, [50, 95, 99]).tolist()
    return {
        'lost': total - len(ages),
        'age_ms_p50': p50,
        'age_ms_p95': p95,
        'age_ms_p99': p99,
        'cpu_ms_per_frame': 1e3 * used / total,
        'resident_mb': memory,
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path)
    parser.add_argument('--frames', type=int, default=1000, help='of each camera (default: 1000)')
    parser.add_argument('--role', help=argparse.SUPPRESS)
    parser.add_argument('--scenario', help='only this one, by its name')
    options = parser.parse_args()
    chosen = [s for s in SCENARIOS if options.scenario in (None, s.name)]
    if not chosen:
        parser.error(f'--scenario: expected one of {", ".join(s.name for s in SCENARIOS)}')
    if options.role:
        roles = {
            'cameras': lambda: run_camera(chosen[0], options.frames),
            'bare': lambda: run_bare(chosen[0]),
            'ours': lambda: run_ours(chosen[0]),
            'reader': lambda: run_reader(chosen[0], options.output),
        }
        roles[options.role]()
        return 0
    if options.output is None:
        parser.error('--output: expected a JSON file')
    options.output.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {'frames': options.frames, 'python': platform.python_version()}
    is_good = True
    for scenario in chosen:
        found = {
            role: measure(scenario, role, options.frames, options.output.parent)
            for role in ('bare', 'ours')
        }
        ratio = found['ours']['age_ms_p95'] / found['bare']['age_ms_p95']
        results[scenario.name] = found | {'age_p95_ratio': ratio}
        is_good = is_good and ratio <= MOST_AGE_RATIO and not found['ours']['lost']
        for role, values in found.items():
            print(f'{scenario.name:22} {role:5}', end='')
            print(''.join(f'  {name} {value:.1f}' for name, value in values.items()))
        print(
            f'{scenario.name:22} age p95, ours over bare: {ratio:.2f} (at most {MOST_AGE_RATIO})'
        )
    options.output.write_text(json.dumps(results, indent=2) + '\n')
    return 0 if is_good else 1


if __name__ == '__main__':
    sys.exit(main())
