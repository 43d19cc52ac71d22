# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The player of bags as a process, and a node that listens to it over DDS."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import CompressedImage

from tests.bags.small_drive import IMAGE_TOPIC, header, stamp_of, write_rows
from tests.bags.small_drive import T as TYPES
from tests.node.node_harness import RELIABLE, Collector, SpinThread
from upsnet_ros.dds_domain import own_domain

DEADLINE_S = 60.0
COMMAND = (sys.executable, '-m', 'upsnet_ros.node.bag_player')
TINY = np.frombuffer(b'\x01\x02\x03', np.uint8)


def camera_bag(path: Path, *, frames: int, topics: tuple[str, ...] = (IMAGE_TOPIC,)) -> Path:
    """A bag of tiny JPEG messages at 10 Hz, each topic 2 ms behind the one before it."""
    kind = 'sensor_msgs/msg/CompressedImage'
    rows = []
    for index in range(frames):
        for number, topic in enumerate(topics):
            stamp = stamp_of(index) + number * 2_000_000
            rows.append((topic, kind, stamp, TYPES[kind](header(stamp), 'jpeg', TINY)))
    return write_rows(path, rows)


class PlayerProcess:
    """A running player; its events as they come."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        options = {'stdin': subprocess.PIPE, **options}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.events: list[dict[str, Any]] = []
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, kind: str) -> dict[str, Any]:
        """The next event of a kind that was not asked for yet."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                event = json.loads(self._lines.get(timeout=0.1))
            except Empty:
                continue
            self.events.append(event)
            if event['event'] == kind:
                return event
        raise AssertionError(f'no event {kind}, only {self.events}')

    def end(self, signal_number: int | None = None) -> tuple[int, str]:
        """Exit status and error output, after a signal or by itself."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        status = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        while not self._lines.empty():
            self.events.append(json.loads(self._lines.get()))
        return status, self.process.stderr.read()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind so far."""
        return [event for event in self.events if event['event'] == kind]

    def close(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Listener:
    """A node that collects messages."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=own_domain())
        self.node = rclpy.create_node('listener', context=self.context)
        self._spinning = SpinThread(self.context)
        self._spinning.executor.add_node(self.node)

    def subscribe(self, topic: str, qos: Any = RELIABLE) -> Collector:
        """Collects the compressed images of a topic."""
        collector = Collector()
        self.node.create_subscription(CompressedImage, topic, collector, qos)
        return collector

    def close(self) -> None:
        """End the node."""
        self._spinning.close()
        self.node.destroy_node()
        self.context.try_shutdown()


def isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps DDS on this host and in a domain of this test process's own."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(own_domain()))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')


def stamps_of(collector: Collector) -> list[int]:
    """Header stamps [ns] in the order of arrival."""
    stamps = [message.header.stamp for message in list(collector.messages)]
    return [stamp.sec * 10**9 + stamp.nanosec for stamp in stamps]
