# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of 6 MB between two processes over real DDS, on this host only, with our profile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.node.node_harness import unique_namespace
from upsnet_ros.dds_profile import profile_text, profile_variable

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / 'config' / 'fastdds.xml'
# Variables with which a user may have chosen other transports.
TRANSPORTS = (
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTDDS_BUILTIN_TRANSPORTS',
)


class Stream:
    """A sender and a receiver, connected."""

    def __init__(self, *, count: int, period_s: float, variables: dict[str, str]) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in TRANSPORTS}
        environment |= {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', **variables}
        self.processes = [
            subprocess.Popen(
                [sys.executable, '-m', 'tests.node.image_stream', role, topic]
                + [str(count), str(period_s)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for topic in [f'/{unique_namespace()}/image']
            for role in ('send', 'receive')
        ]
        self.sender, self.receiver = self.processes
        assert self.sender.stdout.readline() == 'connected\n'
        assert self.receiver.stdout.readline() == 'ready\n'
        time.sleep(0.5)  # each knows the other; nothing tells when both ends know that

    def send(self) -> None:
        """Sends everything."""
        self.sender.stdin.write('\n')
        self.sender.stdin.flush()
        assert self.sender.stdout.readline() == 'sent\n'

    def received(self) -> list[int]:
        """The numbers of the images that arrived, half a second after the last was sent."""
        time.sleep(0.5)
        return [int(line) for line in self.receiver.communicate()[0].split()]


@pytest.fixture
def stream():
    """Starts pairs of processes; ends what is left of them."""
    started = []

    def start(**options) -> Stream:
        started.append(Stream(**options))
        return started[-1]

    yield start
    for pair in started:
        for process in pair.processes:
            process.kill()
            process.communicate()


def with_profile(path: Path) -> dict[str, str]:
    return {profile_variable(os.environ): str(path)}


@pytest.mark.parametrize('transports', [{}, {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}])
def test_none_of_30_images_at_10_hz_is_lost(stream, transports) -> None:
    pair = stream(count=30, period_s=0.1, variables={**with_profile(PROFILE), **transports})
    pair.send()
    assert pair.received() == list(range(30))


def test_without_the_profile_the_same_images_are_lost(stream) -> None:
    """So that the test above is known to be able to fail."""
    pair = stream(count=10, period_s=0.1, variables={})
    pair.send()
    assert len(pair.received()) < 10


@pytest.mark.parametrize('cameras', [1, 2])
def test_a_reader_that_stands_still_finds_a_full_segment(stream, tmp_path, cameras) -> None:
    """15 images of 6 MB per 96 MiB; a queue of 512 fragments would hold 5."""
    path = tmp_path / 'profile.xml'
    path.write_text(profile_text(cameras=cameras, size=(2048, 1024)))
    pair = stream(count=15 * cameras, period_s=0.01, variables=with_profile(path))
    pair.receiver.send_signal(signal.SIGSTOP)
    pair.send()
    pair.receiver.send_signal(signal.SIGCONT)
    assert pair.received() == list(range(15 * cameras))
