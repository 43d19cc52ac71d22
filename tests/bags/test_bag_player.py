# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage

from tests.bags.player_rig import DOMAIN, isolate
from tests.evaluation.small_drive import IMAGE_TOPIC, stamp_of, write_drive
from upsnet_ros.node.bag_messages import BagMessages
from upsnet_ros.node.bag_player import main
from upsnet_ros.node.bag_playing import BagPlayer
from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.play_schedule import PlaySchedule
from upsnet_ros.node.restamping import read_stamp_ns


def test_the_command_line_tells_its_error_as_an_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['--bag', str(tmp_path / 'nowhere'), '--topics', '/a']) == 1
    event = json.loads(capsys.readouterr().out)
    assert event['event'] == 'error'
    assert 'nowhere' in event['message']


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['--clock', '100'], '--clock was given without --keep-stamps'),
        *(
            (['--keep-stamps', '--clock', hz], 'rate of /clock')
            for hz in ('0', '-1', 'nan', '1e9')
        ),
        (['--rate', '0'], 'rate must be above 0'),
        (['--loop', '-1'], 'number of rounds'),
        (['--start-offset', '9'], 'no image'),
    ],
)
def test_impossible_options_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=2)
    assert main(['--bag', str(bag), '--topics', IMAGE_TOPIC, *arguments]) == 1
    assert text in json.loads(capsys.readouterr().out)['message']


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> rclpy.node.Node:
    """A node in a context of its own."""
    isolate(monkeypatch)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    created = rclpy.create_node('player_under_test', context=context)
    yield created
    created.destroy_node()
    context.try_shutdown()


def test_without_a_subscriber_the_player_gives_up(tmp_path: Path, node: rclpy.node.Node) -> None:
    messages = BagMessages(write_drive(tmp_path / 'drive', frames=1), topics=[IMAGE_TOPIC])
    with pytest.raises(BagPlayError, match=f'nobody subscribed to {IMAGE_TOPIC} within 0.1 s'):
        BagPlayer(node, messages, PlaySchedule(messages.first_ns)).wait_for_subscribers(0.1)


@pytest.mark.parametrize('rate', [1.0, 2.0])
def test_images_leave_at_the_recorded_pace_with_the_time_of_sending(
    tmp_path: Path, node: rclpy.node.Node, capsys: pytest.CaptureFixture[str], rate: float
) -> None:
    messages = BagMessages(write_drive(tmp_path / 'drive', frames=6), topics=[IMAGE_TOPIC])
    player = BagPlayer(node, messages, PlaySchedule(messages.first_ns, rate=rate))
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
