# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from tests.bags.small_drive import (
    IMAGE_TOPIC,
    TRUTH_TOPIC,
    Row,
    image_row,
    label_row,
    stamp_of,
    truth_of,
    truth_row,
    write_rows,
)
from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.definitions import header_stamp_ns
from upsnet_ros.bags.joining import BagPart, ReplayStream, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError

CAMERA = CameraTopics('camera', IMAGE_TOPIC, TRUTH_TOPIC)
IMAGE_TYPE = 'sensor_msgs/msg/CompressedImage'


def streamed(
    path: Path, *cameras: CameraTopics, look_ahead_bytes: int = 1 << 30, **part: object
) -> tuple[list[StreamedFrame], ReplayStream]:
    with BagReader(path) as bag:
        stream = ReplayStream(
            bag, cameras or (CAMERA,), part=BagPart(**part), look_ahead_bytes=look_ahead_bytes
        )
        frames = list(stream)
    for frame in frames:
        assert frame.problem or header_stamp_ns(frame.data) == frame.stamp_ns
        assert frame.truth is None or header_stamp_ns(frame.truth) == frame.stamp_ns
    return frames, stream


def with_truth(frames: list[StreamedFrame]) -> list[int]:
    return [frame.index for frame in frames if frame.truth is not None]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('look_ahead_bytes', [1 << 30, 1])
@pytest.mark.parametrize('order', ['beside', 'sparse', 'all before', 'all behind', 'late'])
def test_truth_is_joined_by_stamp_wherever_it_lies(
    tmp_path: Path, storage: str, look_ahead_bytes: int, order: str
) -> None:
    frames = 12
    every = 5 if order == 'sparse' else 1
    recorded = {
        'all before': lambda i: 1 + i,
        'all behind': lambda i: stamp_of(1000 + i),
        'late': lambda i: stamp_of(i) + 250_000_000,
    }.get(order, stamp_of)
    rows = [image_row(i) for i in range(frames)]
    rows += [truth_row(i, recorded_ns=recorded(i)) for i in range(0, frames, every)]
    rows.sort(key=lambda row: row[2])
    path = write_rows(tmp_path / 'bag', rows, storage=storage)
    found, stream = streamed(path, look_ahead_bytes=look_ahead_bytes)
    assert [frame.stamp_ns for frame in found] == [stamp_of(i) for i in range(frames)]
    assert with_truth(found) == list(range(0, frames, every))
    assert stream.truth_unmatched('camera') == 0
    assert stream.expected_frames() == frames


@pytest.mark.parametrize('look_ahead_bytes', [1 << 30, 1])
def test_truth_that_no_image_has_is_counted(tmp_path: Path, look_ahead_bytes: int) -> None:
    rows = [image_row(0), truth_row(0), truth_row(1), image_row(2), image_row(3), truth_row(9)]
    found, stream = streamed(write_rows(tmp_path / 'bag', rows), look_ahead_bytes=look_ahead_bytes)
    assert with_truth(found) == [0]
    assert stream.truth_unmatched('camera') == 2


def test_a_stamp_must_be_exactly_the_same(tmp_path: Path) -> None:
    near = label_row(TRUTH_TOPIC, truth_of(0), stamp_ns=stamp_of(0) + 1, recorded_ns=stamp_of(0))
    found, stream = streamed(write_rows(tmp_path / 'bag', [near, image_row(0)]))
    assert with_truth(found) == [] and stream.truth_unmatched('camera') == 1


def test_parts_of_a_bag(tmp_path: Path) -> None:
    rows = [row for i in range(30) for row in (image_row(i), truth_row(i))]
    path = write_rows(tmp_path / 'bag', rows)
    found, stream = streamed(path, start_s=1.0, duration_s=0.5)
    assert [f.stamp_ns for f in found] == [stamp_of(i) for i in range(10, 15)]
    assert [f.index for f in found] == with_truth(found) == [0, 1, 2, 3, 4]
    assert stream.truth_unmatched('camera') == 0
    found, _ = streamed(path, stride=10)
    assert [f.index for f in found] == with_truth(found) == [0, 10, 20]
    found, stream = streamed(path, stride=2, limit=3)
    assert [f.index for f in found] == [0, 2, 4]
    assert stream.truth_unmatched('camera') == 0
    with BagReader(path) as bag:
        part = BagPart(start_s=1.0, stride=5, limit=100)
        assert ReplayStream(bag, (CAMERA,), part=part).expected_frames() == 4
    assert streamed(path, start_s=99.0)[0] == streamed(path, start_s=1e30)[0] == []


@pytest.mark.parametrize(
    'part',
    [
        {'start_s': -1.0},
        {'start_s': float('inf')},
        {'duration_s': 0.0},
        {'duration_s': float('inf')},
        {'stride': 0},
        {'limit': 0},
    ],
)
def test_parts_that_do_not_exist_are_refused(part: dict) -> None:
    with pytest.raises(EvaluationError, match='expected a number above 0'):
        BagPart(**part)


def test_messages_without_a_header_and_repeated_stamps_are_told_of(tmp_path: Path) -> None:
    rows = [image_row(0), image_row(0), image_row(1)]
    rows.insert(1, (IMAGE_TOPIC, IMAGE_TYPE, stamp_of(0) + 5, b'\x00\x01\x00\x00'))
    found, _ = streamed(write_rows(tmp_path / 'bag', rows))
    assert [frame.index for frame in found] == [0, 1, 2, 3]
    assert found[1].problem == 'an image with the same stamp came before'
    assert found[2].problem == '4 bytes hold no header' and found[2].stamp_ns == stamp_of(0) + 5
    assert found[0].problem is None and found[3].problem is None


def test_cameras_are_told_apart(tmp_path: Path) -> None:
    rows: list[Row] = []
    for index in range(4):
        _, kind, recorded, message = image_row(index)
        rows += [
            ('/left/image_raw/compressed', kind, recorded, message),
            ('/right/image_raw/compressed', kind, recorded, message),
            truth_row(index, topic='/right/ground_truth/panoptic/image'),
        ]
    path = write_rows(tmp_path / 'bag', rows)
    with BagReader(path) as bag:
        cameras = find_cameras(bag)
    assert [c.name for c in cameras] == ['left', 'right']
    found, _ = streamed(path, *cameras, limit=2)
    assert [(f.camera, f.index, f.truth is not None) for f in found] == [
        ('left', 0, False),
        ('right', 0, True),
        ('left', 1, False),
        ('right', 1, True),
    ]
