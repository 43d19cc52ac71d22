# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals that come while images pour in and one of them is in work."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sensor_msgs.msg import Image

from tests.node.node_harness import (
    RELIABLE,
    Collector,
    half_blue_image,
    image_message,
    wait_until,
)

ROOT = Path(__file__).parents[2]
NODE = [sys.executable, '-m', 'tests.node.fake_node', '--slow', '--ros-args']
HEIGHT, WIDTH = 720, 1280
# The node ends within two seconds of a signal; a busy machine may take longer to show it.
LIMIT_S = 10.0
TELLS_AT_MOST_S = 30


class Stream:
    """Sends large images as fast as a camera does, from a thread of its own.

    The stamp of an image is the red value of its first pixel, so there are no more than 255.
    """

    def __init__(self, publisher) -> None:
        self._publisher = publisher
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        image = half_blue_image(HEIGHT, WIDTH, columns=WIDTH // 2)
        for number in itertools.count(1):
            if number > 255 or self._stop.wait(1 / 30):
                return
            image[0, 0, 2] = number
            self._publisher.publish(image_message(image, stamp=number))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.fixture
def process(client):
    """The node in a process of its own, whose output tells which frame it begins."""
    started = subprocess.Popen(
        [*NODE, '-r', f'__ns:={client.get_namespace()}', '-p', 'model_path:=fake.onnx'],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(TELLS_AT_MOST_S, started.kill)
    watchdog.start()
    yield started
    watchdog.cancel()
    started.kill()
    started.communicate()


@pytest.mark.parametrize(
    ('number', 'delay_s'), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.15), (signal.SIGINT, 0.29)]
)
def test_the_frame_in_work_is_still_published_and_the_end_comes_soon(
    client, process, number, delay_s
) -> None:
    labels = Collector()
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    wait_until(lambda: publisher.get_subscription_count() == 1, 'the active node')
    wait_until(lambda: client.count_publishers('camera/panoptic/image') == 1, 'its labels')
    stream = Stream(publisher)
    begun = [int(process.stdout.readline()) for _ in range(3)]
    labels.wait(1)
    time.sleep(delay_s)  # the moment within the work on a frame at which the signal comes
    process.send_signal(number)
    signalled = time.monotonic()
    rest, errors = process.communicate(timeout=20)
    seconds = time.monotonic() - signalled
    stream.close()

    assert process.returncode == 0, errors
    assert 'Traceback' not in errors
    assert seconds < LIMIT_S
    last = [*begun, *map(int, rest.split())][-1]
    seen = labels.wait_for(
        lambda seen: seen[-1].header.stamp.sec == last, f'the labels of frame {last}', 5.0
    )
    data = np.frombuffer(seen[-1].data, '<u2')
    assert data.size == HEIGHT * WIDTH and set(np.unique(data >> 8)) == {0, 13}
