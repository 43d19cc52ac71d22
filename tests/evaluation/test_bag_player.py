# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage

from tests.evaluation.small_drive import IMAGE_TOPIC, TRUTH_TOPIC, stamp_of, write_drive
from upsnet_ros.node.bag_player import (
    BagMessages,
    BagPlayer,
    BagPlayError,
    Restamper,
    main,
    read_stamp_ns,
    with_stamp_ns,
)


def message_at(stamp_ns: int) -> bytes:
    message = CompressedImage(format='jpeg', data=b'\x01\x02\x03')
    message.header.frame_id = 'camera_optical_frame'
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return bytes(serialize_message(message))


@pytest.mark.parametrize('stamp', [0, 1, 999_999_999, 1_795_361_054_816_562_159])
def test_a_new_stamp_changes_nothing_else(stamp: int) -> None:
    before = message_at(5_000_000_007)
    after = with_stamp_ns(before, stamp)
    assert read_stamp_ns(before) == 5_000_000_007
    assert read_stamp_ns(after) == stamp
    message = deserialize_message(after, CompressedImage)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == divmod(stamp, 10**9)
    assert (message.header.frame_id, message.format) == ('camera_optical_frame', 'jpeg')
    assert bytes(message.data) == b'\x01\x02\x03'


def test_big_endian_messages_are_stamped_in_their_own_order() -> None:
    data = b'\x00\x00\x00\x00' + (3).to_bytes(4, 'big') + (4).to_bytes(4, 'big') + b'rest'
    assert read_stamp_ns(data) == 3_000_000_004
    assert with_stamp_ns(data, 5_000_000_006)[4:12] == bytes([0, 0, 0, 5, 0, 0, 0, 6])


def test_one_recorded_stamp_has_one_new_stamp() -> None:
    restamp = Restamper()
    assert restamp(7, now_ns=100) == 100
    assert restamp(7, now_ns=150) == 100
    assert restamp(8, now_ns=200) == 200


def test_new_stamps_rise_even_if_the_clock_does_not() -> None:
    restamp = Restamper()
    assert [restamp(i, now_ns=now) for i, now in enumerate((100, 100, 90))] == [100, 101, 102]


def test_messages_come_in_order_with_their_count(tmp_path: Path) -> None:
    messages = BagMessages(
        write_drive(tmp_path / 'drive', frames=100), topics=[IMAGE_TOPIC, TRUTH_TOPIC]
    )
    assert messages.count(messages.image_topics) == 200
    stamps = [read_stamp_ns(m.data) for m in messages if m.topic == IMAGE_TOPIC]
    assert stamps == [stamp_of(index) for index in range(100)]


def test_a_start_offset_skips_the_beginning(tmp_path: Path) -> None:
    drive = write_drive(tmp_path / 'drive', frames=10)
    messages = BagMessages(drive, topics=[IMAGE_TOPIC], start_offset=0.65)
    assert [read_stamp_ns(m.data) for m in messages] == [stamp_of(i) for i in (7, 8, 9)]


def test_a_missing_topic_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    drive = write_drive(tmp_path / 'drive', frames=1)
    with pytest.raises(BagPlayError, match=f'no topic /lidar; its topics are: .*{IMAGE_TOPIC}'):
        BagMessages(drive, topics=['/lidar'])


def test_a_bag_that_breaks_off_is_reported(tmp_path: Path) -> None:
    drive = write_drive(tmp_path / 'drive', frames=3)
    messages = BagMessages(drive, topics=[IMAGE_TOPIC])
    messages._reader.close()
    with pytest.raises(BagPlayError, match='broke off'):
        list(messages)


def test_the_command_line_tells_its_error_as_an_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['--bag', str(tmp_path / 'nowhere'), '--topics', '/a']) == 1
    event = json.loads(capsys.readouterr().out)
    assert event['event'] == 'error'
    assert 'nowhere' in event['message']


@pytest.fixture
def node() -> rclpy.node.Node:
    """A node in a context of its own."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=91)
    created = rclpy.create_node('player_under_test', context=context)
    yield created
    created.destroy_node()
    context.try_shutdown()


def test_without_a_subscriber_the_player_gives_up(tmp_path: Path, node: rclpy.node.Node) -> None:
    messages = BagMessages(write_drive(tmp_path / 'drive', frames=1), topics=[IMAGE_TOPIC])
    with pytest.raises(BagPlayError, match=f'nobody subscribed to {IMAGE_TOPIC} within 0.1 s'):
        BagPlayer(node, messages).wait_for_subscribers(0.1)


@pytest.mark.parametrize('rate', [0.0, -2.0])
def test_a_pace_of_zero_or_less_is_refused(
    tmp_path: Path, node: rclpy.node.Node, rate: float
) -> None:
    messages = BagMessages(write_drive(tmp_path / 'drive', frames=1), topics=[IMAGE_TOPIC])
    with pytest.raises(BagPlayError, match='rate must be above 0'):
        BagPlayer(node, messages, rate=rate)


@pytest.mark.parametrize('rate', [1.0, 2.0])
def test_images_leave_at_the_recorded_pace_with_the_time_of_sending(
    tmp_path: Path, node: rclpy.node.Node, capsys: pytest.CaptureFixture[str], rate: float
) -> None:
    messages = BagMessages(write_drive(tmp_path / 'drive', frames=6), topics=[IMAGE_TOPIC])
    player = BagPlayer(node, messages, rate=rate)
    received: list[bytes] = []
    node.create_subscription(CompressedImage, IMAGE_TOPIC, received.append, 10, raw=True)
    player.wait_for_subscribers(20.0)
    before = time.time_ns()
    assert player.play() == 6
    after = time.time_ns()
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event['bag_stamp_ns'] for event in events] == [stamp_of(i) for i in range(6)]
    stamps = [event['stamp_ns'] for event in events]
    assert before <= stamps[0] < stamps[-1] <= after
    assert (stamps[-1] - stamps[0]) / 1e9 == pytest.approx(0.5 / rate, abs=0.1)

    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    deadline = time.monotonic() + 20
    while len(received) < 6 and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert [read_stamp_ns(data) for data in received] == stamps


@pytest.mark.parametrize('ending', ['end of the bag', 'interrupt'])
def test_a_player_that_may_leave_ends_cleanly(
    tmp_path: Path, node: rclpy.node.Node, ending: str
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=3)
    command = [sys.executable, '-m', 'upsnet_ros.node.bag_player', '--bag', str(bag), '--leave']
    player = subprocess.Popen(
        [*command, '--topics', IMAGE_TOPIC],
        env={**os.environ, 'ROS_DOMAIN_ID': '91'},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(player.stdout.readline())['event'] == 'waiting'
    if ending == 'interrupt':
        player.send_signal(signal.SIGINT)
    else:
        node.create_subscription(CompressedImage, IMAGE_TOPIC, lambda message: None, 10)
        assert player.wait(20) == 0  # its standard input is still open
    out, err = player.communicate(timeout=20)
    assert (player.returncode, err) == (0, '')
    assert ('done' in out) == (ending == 'end of the bag')


def test_a_player_that_may_leave_says_on_its_error_output_why_it_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['--bag', str(tmp_path / 'nowhere'), '--topics', '/a', '--leave']) == 1
    assert 'nowhere' in capsys.readouterr().err
