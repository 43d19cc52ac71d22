# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.bags.player_rig import camera_bag
from tests.evaluation.small_drive import (
    IMAGE_TOPIC,
    TRUTH_TOPIC,
    header,
    stamp_of,
    write_bag,
    write_drive,
)
from tests.evaluation.small_drive import T as TYPES
from upsnet_ros.node.bag_messages import READ_AHEAD, BagMessages, BagPart
from upsnet_ros.node.play_errors import BagPlayError
from upsnet_ros.node.restamping import read_stamp_ns


def test_messages_come_in_order_with_their_count(tmp_path: Path) -> None:
    messages = BagMessages(
        write_drive(tmp_path / 'drive', frames=100), topics=[IMAGE_TOPIC, TRUTH_TOPIC]
    )
    assert messages.frames == 200
    stamps = [read_stamp_ns(m.data) for m in messages if m.topic == IMAGE_TOPIC]
    assert stamps == [stamp_of(index) for index in range(100)]


def test_a_start_offset_skips_the_beginning(tmp_path: Path) -> None:
    drive = write_drive(tmp_path / 'drive', frames=10)
    messages = BagMessages(drive, topics=[IMAGE_TOPIC], part=BagPart(0.65))
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


@pytest.mark.parametrize(
    ('part', 'indices'),
    [
        (BagPart(0.65), [7, 8, 9]),
        (BagPart(0.0, 0.3), [0, 1, 2]),
        (BagPart(0.2, 0.25), [2, 3, 4]),
        (BagPart(0.85, 60.0), [9]),
        (BagPart(0.2, 0.2, 3), [2, 3, 2, 3, 2, 3]),
        (BagPart(rounds=2), [*range(10), *range(10)]),
    ],
)
def test_a_part_is_played_and_counted(tmp_path: Path, part: BagPart, indices: list[int]) -> None:
    messages = BagMessages(
        camera_bag(tmp_path / 'bag', frames=10), topics=[IMAGE_TOPIC], part=part
    )
    assert messages.frames == len(indices)
    assert messages.first_ns == stamp_of(indices[0])
    played = list(messages)
    assert [read_stamp_ns(m.data) for m in played] == [stamp_of(i) for i in indices]
    assert [m.round for m in played] == sorted(m.round for m in played)
    assert {m.round for m in played} == set(range(1, part.rounds + 1))


def test_an_endless_bag_has_no_number_of_frames_and_ends_when_closed(tmp_path: Path) -> None:
    messages = BagMessages(
        camera_bag(tmp_path / 'bag', frames=3), topics=[IMAGE_TOPIC], part=BagPart(rounds=0)
    )
    assert messages.frames is None
    first = list(itertools.islice(messages, 10 * READ_AHEAD))
    assert [m.round for m in first[:7]] == [1, 1, 1, 2, 2, 2, 3]
    assert messages._thread.is_alive()
    messages.close()
    assert not messages._thread.is_alive()


@pytest.mark.parametrize('part', [BagPart(start_offset=1.0), BagPart(0.21, 0.05)])
def test_a_part_without_images_is_refused(tmp_path: Path, part: BagPart) -> None:
    drive = camera_bag(tmp_path / 'bag', frames=10)
    with pytest.raises(BagPlayError, match=r'no image of .* it lasts 0.900 s'):
        BagMessages(drive, topics=[IMAGE_TOPIC], part=part)


def test_camera_info_alone_is_no_image(tmp_path: Path) -> None:
    info = TYPES['sensor_msgs/msg/CameraInfo']
    region = TYPES['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    numbers = [np.zeros(count) for count in (0, 9, 9, 12)]
    message = info(header(1), 0, 0, '', *numbers, 0, 0, region)
    bag = write_bag(tmp_path / 'bag', [('/a', 'sensor_msgs/msg/CameraInfo', 1, message)])
    with pytest.raises(BagPlayError, match='no image of /a'):
        BagMessages(bag, topics=['/a'])


def test_a_topic_of_another_type_is_named_with_those_that_are_played(tmp_path: Path) -> None:
    text = TYPES['std_msgs/msg/String']('x')
    bag = write_bag(tmp_path / 'bag', [('/chatter', 'std_msgs/msg/String', 1, text)])
    with pytest.raises(BagPlayError, match='/chatter is a std_msgs/msg/String; .*CompressedImage'):
        BagMessages(bag, topics=['/chatter'])


@pytest.mark.parametrize(
    ('values', 'text'),
    [
        ({'start_offset': -1.0}, 'start offset .* received -1'),
        ({'start_offset': float('nan')}, 'start offset .* received nan'),
        ({'duration': 0.0}, 'duration .* received 0'),
        ({'duration': float('inf')}, 'duration .* received inf'),
        ({'rounds': -1}, 'rounds .* received -1'),
    ],
)
def test_impossible_parts_are_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(BagPlayError, match=text):
        BagPart(**values)
