# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The player as a process, over DDS: rounds, parts, pauses, /clock, cameras, signals."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from tests.bags.player_rig import (
    Listener,
    PlayerProcess,
    camera_bag,
    isolate,
    stamps_of,
)
from tests.evaluation.small_drive import IMAGE_TOPIC, stamp_of
from tests.node.node_harness import Collector, wait_until

LEFT, RIGHT = '/left/image_raw/compressed', '/right/image_raw/compressed'
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
StartPlayer = Callable[..., PlayerProcess]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    isolate(monkeypatch)
    created = Listener()
    yield created
    created.close()


@pytest.fixture
def start(tmp_path: Path, listener: Listener) -> Iterator[StartPlayer]:
    """Starts players of a bag of one or more cameras; they are ended after the test."""
    running: list[PlayerProcess] = []

    def begin(
        *arguments: str, frames: int = 4, topics: tuple[str, ...] = (IMAGE_TOPIC,), **options
    ) -> PlayerProcess:
        bag = camera_bag(tmp_path / f'bag_{len(running)}', frames=frames, topics=topics)
        player = PlayerProcess('--bag', str(bag), '--topics', *topics, *arguments, **options)
        running.append(player)
        return player

    yield begin
    for player in running:
        player.close()


def test_rounds_follow_at_the_pace_of_the_bag_with_rising_stamps(
    listener: Listener, start: StartPlayer
) -> None:
    received = listener.subscribe(IMAGE_TOPIC)
    player = start('--loop', '3', '--rate', '2', '--leave')
    assert player.end() == (0, '')
    frames = player.of('frame')
    assert player.of('start')[0]['frames'] == player.of('done')[0]['sent'] == 12
    assert [frame['bag_stamp_ns'] for frame in frames] == [stamp_of(i) for i in range(4)] * 3
    assert [frame['round'] for frame in frames] == [1] * 4 + [2] * 4 + [3] * 4
    stamps = [frame['stamp_ns'] for frame in frames]
    assert stamps == sorted(set(stamps))
    # 12 images, each 0.1 s of the bag behind the other, also from one round to the next.
    due_ms = [frame['stamp_ns'] / 1e6 - frame['late_ms'] for frame in frames]
    for before, after in ((0, 11), (3, 4), (7, 8)):
        assert due_ms[after] - due_ms[before] == pytest.approx(50 * (after - before), abs=40)
    wait_until(lambda: len(received.messages) == 12, 'all images')
    assert stamps_of(received) == stamps


def test_a_part_of_the_bag_is_played(listener: Listener, start: StartPlayer) -> None:
    listener.subscribe(IMAGE_TOPIC)
    player = start('--start-offset', '0.15', '--duration', '0.3', frames=20, stdin=DEVNULL)
    assert player.end() == (0, '')
    assert player.of('start')[0]['frames'] == 3
    assert [f['bag_stamp_ns'] for f in player.of('frame')] == [stamp_of(i) for i in (2, 3, 4)]


def test_nothing_is_sent_while_paused_and_no_burst_follows(
    listener: Listener, start: StartPlayer
) -> None:
    received = listener.subscribe(IMAGE_TOPIC)
    player = start(frames=15, stdin=DEVNULL)
    received.wait(2)
    answer = listener.pause(True)
    assert (answer.success, answer.message) == (True, 'paused')
    assert listener.pause(True).message == 'paused already'
    player.wait_for('paused')
    count = len(player.of('frame'))
    wait_until(lambda: len(received.messages) == count, 'what was sent before the pause')
    time.sleep(1.0)
    assert len(received.messages) == count < 14
    assert listener.pause(False).message == 'playing'
    assert player.end() == (0, '')
    kinds = [event['event'] for event in player.events]
    assert kinds[kinds.index('paused') + 1] == 'resumed'
    frames = player.of('frame')
    assert len(frames) == 15
    # The pause shows in the distance of two images, and those behind it keep their own.
    assert frames[count]['stamp_ns'] - frames[count - 1]['stamp_ns'] > 1.0e9
    rest = frames[-1]['stamp_ns'] - frames[count]['stamp_ns']
    assert rest / 1e9 > 0.5 * (14 - count) * 0.1
    assert frames[count]['late_ms'] < 1000
    bag_ns = [event['bag_ns'] for event in player.events if 'bag_ns' in event]
    assert bag_ns[0] == bag_ns[1] >= frames[count - 1]['bag_stamp_ns']


def test_it_may_begin_paused(listener: Listener, start: StartPlayer) -> None:
    received = listener.subscribe(IMAGE_TOPIC)
    player = start('--pause-first', stdin=DEVNULL)
    player.wait_for('start')
    time.sleep(0.5)
    assert received.messages == []
    listener.pause(False)
    assert player.end() == (0, '')
    assert [e['event'] for e in player.events[:4]] == ['paused', 'waiting', 'start', 'resumed']
    assert player.of('resumed')[0]['bag_ns'] == stamp_of(0)
    assert len(player.of('frame')) == 4


def clock_ns(collector: Collector) -> list[int]:
    return [m.clock.sec * 10**9 + m.clock.nanosec for m in list(collector.messages)]


@pytest.mark.parametrize('rate', [0.5, 2.0])
def test_the_clock_runs_through_the_bag_and_stands_in_a_pause(
    listener: Listener, start: StartPlayer, rate: float
) -> None:
    clock = listener.subscribe('/clock', Clock, BEST_EFFORT)
    player = start('--keep-stamps', '--clock', '100', '--rate', str(rate), '--leave', frames=40)
    clock.wait()
    received = listener.subscribe(IMAGE_TOPIC)
    received.wait(3)
    listener.pause(True)
    resumed_at = player.wait_for('paused')['bag_ns']
    clock.wait_for(lambda messages: clock_ns(clock)[-1] == resumed_at, 'the time of the pause')
    first = len(clock.messages)
    clock.wait(first + 20)  # it goes on to tell the time that stands
    assert set(clock_ns(clock)[first:]) == {resumed_at}
    began = time.monotonic()
    listener.pause(False)
    clock.wait_for(lambda messages: clock_ns(clock)[-1] >= resumed_at + 0.5e9, 'half a second')
    assert time.monotonic() - began >= 0.5 / rate
    player.end(signal.SIGTERM)
    times = clock_ns(clock)
    assert times == sorted(times)
    assert times[0] == stamp_of(0)
    for frame in player.of('frame'):
        assert frame['stamp_ns'] == frame['bag_stamp_ns']
    assert stamps_of(received) == [stamp_of(i) for i in range(len(received.messages))]


def test_several_cameras_are_waited_for_and_played_together(
    listener: Listener, start: StartPlayer
) -> None:
    left = listener.subscribe(LEFT)
    player = start('--leave', frames=5, topics=(LEFT, RIGHT))
    player.wait_for('waiting')
    time.sleep(0.7)
    assert left.messages == [] and len(player.events) == 1
    right = listener.subscribe(RIGHT)
    assert player.end() == (0, '')
    assert player.of('start')[0]['frames'] == 10
    frames = player.of('frame')
    assert [frame['topic'] for frame in frames] == [LEFT, RIGHT] * 5
    wait_until(lambda: len(left.messages) == len(right.messages) == 5, 'all images')
    assert stamps_of(left) == [f['stamp_ns'] for f in frames if f['topic'] == LEFT]
    assert stamps_of(right) == [f['stamp_ns'] for f in frames if f['topic'] == RIGHT]


def test_a_best_effort_player_meets_best_effort_subscribers_only(
    listener: Listener, start: StartPlayer
) -> None:
    reliable = listener.subscribe(IMAGE_TOPIC)
    player = start('--reliability', 'best_effort', '--match-timeout', '1.5', '--leave')
    status, text = player.end()
    assert status == 1 and f'nobody subscribed to {IMAGE_TOPIC}' in text
    best_effort = listener.subscribe(IMAGE_TOPIC, qos=BEST_EFFORT)
    status, text = start('--reliability', 'best_effort', '--leave').end()
    assert status == 0 and 'incompatible QoS' in text  # so ROS tells of the other subscriber
    wait_until(lambda: len(best_effort.messages) == 4, 'all images')
    assert reliable.messages == []


@pytest.mark.parametrize('state', ['waiting', 'playing', 'paused', 'done'])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(
    listener: Listener, start: StartPlayer, state: str, number: int
) -> None:
    arguments = {'paused': ['--pause-first'], 'playing': ['--loop', '0']}.get(state, [])
    player = start(*arguments)
    player.wait_for('waiting')
    if state != 'waiting':
        listener.subscribe(IMAGE_TOPIC)
        player.wait_for({'playing': 'frame', 'paused': 'start'}.get(state, 'done'))
    assert player.end(number) == (0, '')
    assert len(player.of('done')) == (state == 'done')
    assert [event['sent'] for event in player.of('interrupted')] == (
        [] if state == 'done' else [len(player.of('frame'))]
    )
    if state == 'playing':
        assert player.of('start')[0]['frames'] is None


def test_a_signal_twice_at_once_is_one(listener: Listener, start: StartPlayer) -> None:
    listener.subscribe(IMAGE_TOPIC)
    player = start('--loop', '0')
    player.wait_for('frame')
    player.process.send_signal(signal.SIGINT)
    assert player.end(signal.SIGINT) == (0, '')


def test_the_space_key_pauses_and_resumes(listener: Listener, start: StartPlayer) -> None:
    listener.subscribe(IMAGE_TOPIC)
    keyboard, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    player = start(
        frames=10,
        stdin=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        player.wait_for('frame')
        os.write(keyboard, b'x ')
        player.wait_for('paused')
        os.write(keyboard, b' ')
        player.wait_for('resumed')
        player.wait_for('done')
        os.write(keyboard, b'\x04')  # Ctrl-D
        assert player.end() == (0, '')
        assert termios.tcgetattr(terminal) == before
    finally:
        os.close(keyboard)
        os.close(terminal)
