# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The player as a process, over DDS: stamps, pace, rounds, parts, cameras, signals, refusals."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy

from tests.bags.odd_bags import (
    BARE,
    BROKEN,
    FRAMES,
    PROTOBUF,
    drive_rows,
    write_mcap,
    write_sqlite,
)
from tests.bags.player_rig import (
    Listener,
    PlayerProcess,
    camera_bag,
    isolate,
    stamps_of,
)
from tests.bags.small_drive import IMAGE_TOPIC, header, stamp_of, write_rows
from tests.bags.small_drive import T as TYPES
from tests.node.node_harness import wait_until
from upsnet_ros.node.bag_player import EXAMPLES, PROGRAM, main, parse_arguments

LEFT, RIGHT = '/left/image_raw/compressed', '/right/image_raw/compressed'
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
StartPlayer = Callable[..., PlayerProcess]

pytestmark = pytest.mark.heavy


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
        *arguments: str,
        frames: int = 4,
        topics: tuple[str, ...] = (IMAGE_TOPIC,),
        bag: Path | None = None,
        **options,
    ) -> PlayerProcess:
        path = tmp_path / f'bag_{len(running)}'
        bag = bag or camera_bag(path, frames=frames, topics=tuple(dict.fromkeys(topics)))
        player = PlayerProcess('--bag', str(bag), '--topics', *topics, *arguments, **options)
        running.append(player)
        return player

    yield begin
    for player in running:
        player.close()


def test_rounds_follow_at_the_pace_of_the_bag_with_the_time_of_sending(
    listener: Listener, start: StartPlayer
) -> None:
    received = listener.subscribe(IMAGE_TOPIC)
    before = time.time_ns()
    player = start('--loop', '3', '--rate', '2', '--leave')
    assert player.end() == (0, '')
    frames = player.of('frame')
    assert player.of('start')[0]['frames'] == player.of('done')[0]['sent'] == 12
    assert [frame['bag_stamp_ns'] for frame in frames] == [stamp_of(i) for i in range(4)] * 3
    assert [frame['round'] for frame in frames] == [1] * 4 + [2] * 4 + [3] * 4
    stamps = [frame['stamp_ns'] for frame in frames]
    assert stamps == sorted(set(stamps)) and before < stamps[0] and stamps[-1] < time.time_ns()
    # 12 images, each 0.1 s of the bag behind the other, also from one round to the next.
    due_ms = [frame['stamp_ns'] / 1e6 - frame['late_ms'] for frame in frames]
    for first, last in ((0, 11), (3, 4), (7, 8)):
        assert due_ms[last] - due_ms[first] == pytest.approx(50 * (last - first), abs=40)
    received.wait(12)
    assert stamps_of(received) == stamps
    assert {(m.header.frame_id, m.format, bytes(m.data)) for m in received.messages} == {
        ('camera_optical_frame', 'jpeg', b'\x01\x02\x03')
    }


@pytest.mark.parametrize(
    ('offset', 'duration', 'indices'),
    [('0.15', '0.3', [2, 3, 4]), ('0', '0.3', [0, 1, 2]), ('1.85', '60', [19])],
)
def test_a_part_of_the_bag_is_played(
    listener: Listener, start: StartPlayer, offset: str, duration: str, indices: list[int]
) -> None:
    listener.subscribe(IMAGE_TOPIC)
    player = start('--start-offset', offset, '--duration', duration, frames=20, stdin=DEVNULL)
    assert player.end() == (0, '')
    assert player.of('start')[0]['frames'] == len(indices)
    assert [f['bag_stamp_ns'] for f in player.of('frame')] == [stamp_of(i) for i in indices]


def test_several_cameras_are_waited_for_and_played_together(
    listener: Listener, start: StartPlayer
) -> None:
    left = listener.subscribe(LEFT)
    player = start('--leave', frames=5, topics=(LEFT, RIGHT, LEFT))
    player.wait_for('waiting')
    wait_until(lambda: listener.node.count_publishers(LEFT), 'the player is known')
    assert left.messages == [] and len(player.events) == 1
    right = listener.subscribe(RIGHT)
    assert player.end() == (0, '')
    assert player.of('start')[0]['frames'] == 10
    frames = player.of('frame')
    assert [frame['topic'] for frame in frames] == [LEFT, RIGHT] * 5
    left.wait(5), right.wait(5)
    assert stamps_of(left) == [f['stamp_ns'] for f in frames if f['topic'] == LEFT]
    assert stamps_of(right) == [f['stamp_ns'] for f in frames if f['topic'] == RIGHT]


@pytest.mark.parametrize(('stamps', 'expected'), [([7, 7, 8], [0, 0, 1]), ([0, 0, 0], [0, 1, 2])])
def test_equal_stamps_stay_equal_and_missing_ones_are_made_up(
    tmp_path: Path,
    listener: Listener,
    start: StartPlayer,
    stamps: list[int],
    expected: list[int],
) -> None:
    received = listener.subscribe(IMAGE_TOPIC)
    data = np.zeros(3, np.uint8)
    rows = [
        (IMAGE_TOPIC, COMPRESSED, 1000 + place, TYPES[COMPRESSED](header(stamp), 'jpeg', data))
        for place, stamp in enumerate(stamps)
    ]
    player = start('--leave', bag=write_rows(tmp_path / 'stamped', rows))
    assert player.end() == (0, '')
    told = [frame['bag_stamp_ns'] for frame in player.of('frame')]
    assert told == (stamps if any(stamps) else [1000, 1001, 1002])
    received.wait(3)
    found = stamps_of(received)
    assert [sorted(set(found)).index(stamp) for stamp in found] == expected


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_with_other_topics_beside_the_images_is_played(
    tmp_path: Path, listener: Listener, start: StartPlayer, storage: str
) -> None:
    listener.subscribe(IMAGE_TOPIC)
    path = tmp_path / 'drive #3? 100%'
    path.mkdir()
    if storage == 'mcap':
        bag = write_mcap(path / 'a.mcap', drive_rows(), BROKEN, PROTOBUF, BARE)
    else:
        unknown = "UPDATE message_definitions SET encoding = 'unknown'"
        bag = write_sqlite(tmp_path / 'bag', unknown).rename(path / 'bag')
    player = start('--leave', '--rate', '4', bag=bag)
    assert player.end() == (0, '')
    told = [frame['bag_stamp_ns'] for frame in player.of('frame')]
    assert told == [stamp_of(index) for index in range(FRAMES)]


def test_a_best_effort_player_meets_best_effort_subscribers_only(
    listener: Listener, start: StartPlayer
) -> None:
    reliable = listener.subscribe(IMAGE_TOPIC)
    player = start('--reliability', 'best_effort', '--match-timeout', '1.5', '--leave')
    status, text = player.end()
    assert status == 1 and f'nobody subscribed to {IMAGE_TOPIC} within 1.5 s' in text
    best_effort = listener.subscribe(IMAGE_TOPIC, qos=BEST_EFFORT)
    # Which of the first images a best-effort reader gets is left to chance, so they go on.
    player = start('--reliability', 'best_effort', '--loop', '0')
    best_effort.wait(4)
    assert player.end(signal.SIGINT) == (0, '')
    assert set(stamps_of(best_effort)) <= {frame['stamp_ns'] for frame in player.of('frame')}
    assert reliable.messages == []


@pytest.mark.parametrize('state', ['waiting', 'playing', 'done'])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(
    listener: Listener, start: StartPlayer, state: str, number: int
) -> None:
    player = start(*(['--loop', '0'] if state == 'playing' else []))
    player.wait_for('waiting')
    if state != 'waiting':
        listener.subscribe(IMAGE_TOPIC)
        player.wait_for('frame' if state == 'playing' else 'done')
    assert player.end(number) == (0, '')
    assert len(player.of('done')) == (state == 'done')
    assert [event['sent'] for event in player.of('interrupted')] == (
        [] if state == 'done' else [len(player.of('frame'))]
    )
    if state == 'playing':
        assert player.of('start')[0]['frames'] is None


def test_a_signal_while_it_starts_ends_it_without_a_word(start: StartPlayer) -> None:
    player = start()
    maps = Path(f'/proc/{player.process.pid}/maps')
    wait_until(lambda: 'rclpy' in maps.read_text(), 'the player imports its libraries')
    assert player.end(signal.SIGTERM) == (0, '')


def test_a_signal_twice_at_once_is_one(listener: Listener, start: StartPlayer) -> None:
    listener.subscribe(IMAGE_TOPIC)
    player = start('--loop', '0')
    player.wait_for('frame')
    player.process.send_signal(signal.SIGINT)
    assert player.end(signal.SIGINT) == (0, '')


def test_it_stays_for_late_readers_until_its_input_is_closed(
    listener: Listener, start: StartPlayer
) -> None:
    listener.subscribe(IMAGE_TOPIC)
    player = start()
    player.wait_for('done')
    player.process.stdin.write('something\n')
    player.process.stdin.flush()
    assert listener.node.count_publishers(IMAGE_TOPIC) == 1
    player.process.stdin.close()
    assert player.end() == (0, '')


INFO = '/camera/camera_info'
NUMBERS = [np.zeros(count) for count in (0, 9, 9, 12)]
REGION = TYPES['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
CAMERA_INFO = TYPES['sensor_msgs/msg/CameraInfo'](header(1), 0, 0, '', *NUMBERS, 0, 0, REGION)


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['--topics', '/lidar'], f'no topic /lidar; its topics are: {INFO}, {IMAGE_TOPIC}, /text'),
        (['--topics', '/text'], '/text is a std_msgs/msg/String; this player plays sensor_msgs'),
        (['--topics', INFO], f'no image of {INFO} in the part'),
        (['--topics', IMAGE_TOPIC, '--start-offset', '9'], 'it lasts 0.000 s'),
        (['--topics', IMAGE_TOPIC, '--match-timeout', '0'], f'nobody subscribed to {IMAGE_TOPIC}'),
        (['--bag', '/nowhere', '--topics', '/a', '--leave'], 'no bag at /nowhere'),
    ],
)
def test_what_cannot_be_played_is_told_as_an_event(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    text: str,
) -> None:
    isolate(monkeypatch)
    image = TYPES[COMPRESSED](header(1), 'jpeg', np.zeros(3, np.uint8))
    rows = [
        (INFO, 'sensor_msgs/msg/CameraInfo', 1, CAMERA_INFO),
        (IMAGE_TOPIC, COMPRESSED, 1, image),
        ('/text', 'std_msgs/msg/String', 1, TYPES['std_msgs/msg/String']('x')),
    ]
    bag = write_rows(tmp_path / 'bag', rows)
    assert main(['--bag', str(bag), *arguments]) == 1
    told = capsys.readouterr()
    event = json.loads(told.out.splitlines()[-1])
    assert event['event'] == 'error' and text in event['message']
    assert (text in told.err) == ('--leave' in arguments)


@pytest.mark.parametrize(
    'arguments',
    [
        ['--rate', '0'],
        ['--rate', 'nan'],
        ['--loop', '-1'],
        ['--loop', '1.5'],
        ['--start-offset', '-1'],
        ['--duration', 'inf'],
        ['--match-timeout', '-1'],
    ],
)
def test_impossible_options_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(['--bag', 'drive', '--topics', '/a', *arguments])
    assert ended.value.code == 2 and f'argument {arguments[0]}' in capsys.readouterr().err


def test_the_examples_of_the_help_can_be_parsed() -> None:
    lines = [line.split(f'{PROGRAM} ')[1] for line in EXAMPLES.splitlines() if PROGRAM in line]
    assert [parse_arguments(line.split()).loop for line in lines] == [1, 0]
