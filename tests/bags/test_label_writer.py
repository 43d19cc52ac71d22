# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from upsnet_ros.bags.definitions import header_stamp_ns
from upsnet_ros.bags.label_writer import LabelBag
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.images.messages import label_image

LABELS = np.array([[0, 3329, 65535], [2560, 3330, 0]], np.uint16)
RESULT = PanopticResult(
    LABELS,
    (
        Instance(3329, 13, 'car', 0.75, (1.0, 0.0, 2.0, 1.0), 1),
        Instance(3330, 13, 'car', 0.875, (1.0, 1.0, 3.0, 2.0), 1),
    ),
    0.125,
)
EMPTY = PanopticResult(np.zeros((1, 1), np.uint16), (), 0.0)


def write(path: Path) -> Path:
    with LabelBag(path, label_set=cityscapes_label_set(), model='tiny') as bag:
        bag.add('front', RESULT, stamp_ns=3_000_000_007, recorded_ns=5, frame_id='front_optical')
        bag.add('front', EMPTY, stamp_ns=4_000_000_000, recorded_ns=6, frame_id='front_optical')
        bag.add('rear', EMPTY, stamp_ns=3_000_000_007, recorded_ns=9, frame_id='rear_optical')
    return path


def messages(path: Path) -> dict[str, list]:
    """Messages by topic, read by the definitions that the bag brings along."""
    found: dict[str, list] = {}
    with AnyReader([path]) as reader:
        for connection, recorded_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((recorded_ns, message))
    return found


def test_labels_and_instances_come_back_from_the_bag_alone(tmp_path: Path) -> None:
    found = messages(write(tmp_path / 'labels'))
    (recorded, image), (_, small) = found['/front/panoptic/image']
    assert (recorded, image.header.frame_id, image.encoding) == (5, 'front_optical', '16UC1')
    assert (image.header.stamp.sec, image.header.stamp.nanosec) == (3, 7)
    np.testing.assert_array_equal(label_image(image), LABELS)
    assert label_image(small).shape == (1, 1)
    (_, instances), (_, none) = found['/front/panoptic/instances']
    assert [i.label for i in instances.instances] == [3330, 3329]  # the surest first
    best = instances.instances[0]
    assert (best.class_name, best.score, best.x_max, best.area) == ('car', 0.875, 3.0, 1)
    assert instances.unknown_share == 0.125 and len(none.instances) == 0
    assert len(found['/rear/panoptic/image']) == 1


def test_detections_are_boxes_with_the_value_of_their_pixels(tmp_path: Path) -> None:
    (_, array), (_, none) = messages(write(tmp_path / 'labels'))['/front/panoptic/detections']
    first = array.detections[0]
    assert (first.id, first.results[0].hypothesis.class_id) == ('3329', '13')
    assert first.results[0].hypothesis.score == 0.75
    assert (first.bbox.center.position.x, first.bbox.center.position.y) == (1.5, 0.5)
    assert (first.bbox.size_x, first.bbox.size_y) == (1.0, 1.0)
    assert array.header.stamp.nanosec == first.header.stamp.nanosec == 7
    assert len(none.detections) == 0


def test_the_class_table_comes_once_for_each_camera_and_is_latched(tmp_path: Path) -> None:
    path = write(tmp_path / 'labels')
    found = messages(path)
    for camera in ('front', 'rear'):
        ((_, info),) = found[f'/{camera}/panoptic/class_info']
        assert (info.model, info.label_set, len(info.classes)) == ('tiny', 'cityscapes', 19)
        assert list(info.classes[13].colour) == [0, 0, 142] and info.classes[13].is_thing
    with AnyReader([path]) as reader:
        durability = {
            c.topic.rsplit('/', 1)[1]: c.ext.offered_qos_profiles[0].durability.name
            for c in reader.connections
        }
    assert durability['class_info'] == 'TRANSIENT_LOCAL' and durability['image'] == 'VOLATILE'


def test_it_can_be_read_as_the_input_of_an_evaluation(tmp_path: Path) -> None:
    with BagReader(write(tmp_path / 'labels')) as bag:
        stamps = [header_stamp_ns(m.data) for m in bag.messages(['/front/panoptic/image'])]
        assert stamps == [3_000_000_007, 4_000_000_000] and bag.problems == []


def test_nothing_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / 'labels')
    with pytest.raises(EvaluationError, match='exists already'):
        write(tmp_path / 'labels')
