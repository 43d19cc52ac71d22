# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of 6 MB between two processes over real DDS, on this host only, with our profile."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.node.node_harness import unique_namespace
from upsnet_ros.dds_domain import free_domain, remove_queues
from upsnet_ros.dds_profile import profile_text, profile_variable

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
PROFILE = ROOT / 'config' / 'fastdds.xml'
# Variables with which a user may have chosen other transports.
TRANSPORTS = (
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTDDS_BUILTIN_TRANSPORTS',
)


class Stream:
    """A sender and a receiver, connected."""

    def __init__(self, variables: dict[str, str]) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in TRANSPORTS}
        environment |= {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', **variables}
        topic = f'/{unique_namespace()}/image'
        self.processes = [
            subprocess.Popen(
                [sys.executable, '-m', 'tests.node.image_stream', role, topic],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for role in ('send', 'receive')
        ]
        self.sender, self.receiver = self.processes
        self._limit = threading.Timer(DEADLINE_S, self.kill)
        self._limit.start()
        assert self.sender.stdout.readline() == 'connected\n'
        assert self.receiver.stdout.readline() == 'ready\n'

    def kill(self) -> None:
        for process in self.processes:
            process.kill()

    def send(self, count: int, *, period_s: float) -> None:
        """Sends so many images."""
        print(count, period_s, file=self.sender.stdin, flush=True)
        assert self.sender.stdout.readline() == 'sent\n'

    def halt(self) -> None:
        """Has the receiver stand still, but not while it holds a lock that the sender needs.

        So each of its threads must be waiting in the kernel: another shows -1 in place of a call.
        """
        tasks = Path(f'/proc/{self.receiver.pid}/task')
        while True:
            self.receiver.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.receiver.pid, os.WSTOPPED)
            calls = [(task / 'syscall').read_text() for task in tasks.iterdir()]
            if not any(call.startswith(('-1', 'running')) for call in calls):
                return
            self.receiver.send_signal(signal.SIGCONT)

    def received(self) -> list[int]:
        """The numbers of the images that arrived until the sender's end did."""
        self.sender.stdin.close()
        numbers = [int(line) for line in self.receiver.stdout]
        assert self.receiver.wait() == 0
        return numbers

    def close(self) -> None:
        self._limit.cancel()
        self.kill()
        for process in self.processes:
            process.wait()
            process.stdin.close()
            process.stdout.close()


@pytest.fixture(scope='module')
def domain() -> int:
    """One in which only these processes are: none takes over a queue of another size."""
    return free_domain()


@pytest.fixture
def stream(domain: int):
    """Starts pairs of processes; ends what is left of them."""
    started = []

    def start(variables: dict[str, str]) -> Stream:
        started.append(Stream({'ROS_DOMAIN_ID': str(domain), **variables}))
        return started[-1]

    yield start
    for pair in started:
        pair.close()
    assert remove_queues(domain)


def with_profile(path: Path) -> dict[str, str]:
    return {profile_variable(os.environ): str(path)}


@pytest.mark.parametrize('transports', [{}, {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}])
def test_none_of_30_images_at_10_hz_is_lost(stream, transports) -> None:
    pair = stream({**with_profile(PROFILE), **transports})
    pair.send(30, period_s=0.1)
    assert pair.received() == list(range(30))


def test_without_the_profile_the_same_images_are_lost(stream) -> None:
    """So that the test above is known to be able to fail."""
    pair = stream({})
    pair.send(10, period_s=0.1)
    assert len(pair.received()) < 10


@pytest.mark.parametrize('cameras', [1, 2])
def test_a_reader_that_stands_still_finds_a_full_segment(stream, tmp_path, cameras) -> None:
    """15 images of 6 MB per 96 MiB; a queue of 512 fragments would hold 5."""
    path = tmp_path / 'profile.xml'
    text = profile_text(cameras=cameras, size=(2048, 1024))
    # A sender gives up a reader that stands still for a second, which a busy machine may take.
    patience = '<healthy_check_timeout_ms>60000</healthy_check_timeout_ms>'
    path.write_text(text.replace('</port_queue_capacity>', f'</port_queue_capacity>{patience}'))
    pair = stream(with_profile(path))
    pair.send(1, period_s=0.0)  # each knows the way to the other
    assert pair.receiver.stdout.readline() == '0\n'
    pair.halt()
    pair.send(15 * cameras, period_s=0.0)
    pair.receiver.send_signal(signal.SIGCONT)
    assert pair.received() == list(range(1, 15 * cameras + 1))
