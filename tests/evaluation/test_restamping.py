# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage

from upsnet_ros.node.restamping import Restamper, read_stamp_ns, with_stamp_ns


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


def test_in_a_new_round_a_recorded_stamp_has_another_new_stamp() -> None:
    restamp = Restamper()
    first = [restamp(7, now_ns=100), restamp(8, now_ns=200)]
    restamp.begin_round()
    second = [restamp(7, now_ns=200), restamp(7, now_ns=300)]
    assert (first, second) == ([100, 200], [201, 201])
