# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.small_drive import (
    IMAGE_TOPIC,
    TRUTH_TOPIC,
    image_row,
    label_row,
    stamp_of,
    truth_of,
    write_bag,
    write_drive,
)
from upsnet_ros.bags.topics import (
    Bag,
    StampedTopic,
    ground_truth_topic_of,
    image_topic_of,
)
from upsnet_ros.core.errors import BagError
from upsnet_ros.images.messages import label_image


def test_a_missing_bag_is_named(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='no bag at .*nowhere'):
        Bag(tmp_path / 'nowhere')


def test_a_folder_that_is_no_bag_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'metadata.yaml').write_text('nonsense')
    with pytest.raises(BagError, match='cannot be read as a rosbag2'), Bag(tmp_path):
        pass


def test_a_missing_topic_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with Bag(write_drive(tmp_path / 'drive', frames=1)) as bag:
        with pytest.raises(BagError, match=f'no topic /lidar.*{IMAGE_TOPIC}'):
            bag.connections('/lidar')
        with pytest.raises(BagError, match="no images of camera 'rear'"):
            image_topic_of(bag, 'rear')


def test_topics_of_a_camera_are_found(tmp_path: Path) -> None:
    with Bag(write_drive(tmp_path / 'with', frames=1)) as bag:
        assert image_topic_of(bag, 'camera') == IMAGE_TOPIC
        assert ground_truth_topic_of(bag, 'camera') == TRUTH_TOPIC
    with Bag(write_drive(tmp_path / 'without', frames=1, truth_every=None)) as bag:
        assert ground_truth_topic_of(bag, '/camera/') is None


def test_stamps_are_those_of_the_headers_not_of_the_recording(tmp_path: Path) -> None:
    rows = [label_row('/label', truth_of(0), stamp_ns=2_000_000_005, recorded_ns=77)]
    with Bag(write_bag(tmp_path / 'bag', rows)) as bag:
        assert bag.stamps('/label') == [(2_000_000_005, 77)]


def test_messages_are_taken_by_stamp_in_any_order_and_only_once(tmp_path: Path) -> None:
    with Bag(write_drive(tmp_path / 'drive', frames=4)) as bag:
        topic = StampedTopic(bag, TRUTH_TOPIC)
        for index in (2, 0, 3, 1):
            message, kind = topic.take(stamp_of(index))
            assert kind == 'sensor_msgs/msg/Image'
            np.testing.assert_array_equal(label_image(message), truth_of(index))
        assert topic.take(stamp_of(2)) is None


def test_absent_and_unwanted_stamps_give_nothing(tmp_path: Path) -> None:
    with Bag(write_drive(tmp_path / 'drive', frames=3)) as bag:
        topic = StampedTopic(bag, TRUTH_TOPIC, wanted=[stamp_of(1)])
        assert topic.take(stamp_of(9)) is None
        assert topic.take(stamp_of(0)) is None
        assert topic.take(stamp_of(1)) is not None


def test_messages_that_were_passed_by_unwanted_are_not_kept(tmp_path: Path) -> None:
    with Bag(write_drive(tmp_path / 'drive', frames=30)) as bag:
        topic = StampedTopic(bag, TRUTH_TOPIC, wanted=[stamp_of(29)])
        topic.take(stamp_of(29))
        assert topic._waiting == {}


def test_a_stamp_that_occurs_twice_gives_its_first_message(tmp_path: Path) -> None:
    rows = [
        image_row(0),
        label_row('/label', truth_of(1), stamp_ns=5, recorded_ns=1),
        label_row('/label', truth_of(2), stamp_ns=5, recorded_ns=2),
    ]
    with Bag(write_bag(tmp_path / 'bag', rows)) as bag:
        message, _ = StampedTopic(bag, '/label').take(5)
        np.testing.assert_array_equal(label_image(message), truth_of(1))
