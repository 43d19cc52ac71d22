# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import WriterError
from rosbags.typesys import Stores, get_typestore

from training.synthetic.bag import (
    COMPRESSED_TOPIC,
    FRAME_ID,
    INFO_TOPIC,
    RAW_TOPIC,
    TRUTH_TOPIC,
    write_bag,
)
from training.synthetic.drive import render_drive
from training.synthetic.render import Frame

SIZE = (256, 128)


@pytest.fixture(scope='module')
def frames() -> list[Frame]:
    return list(render_drive(2, size=SIZE, frames=4, rate=20.0))


def read(path: Path) -> dict[str, list[tuple[int, object]]]:
    """Messages of a bag by topic, with the times they were recorded at [ns]."""
    found: dict[str, list[tuple[int, object]]] = {}
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_KILTED)) as reader:
        for connection, recorded, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((recorded, message))
    return found


def stamp(message: object) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


@pytest.mark.parametrize('raw', [False, True])
def test_topics_stamps_and_frames(tmp_path: Path, frames: list[Frame], raw: bool) -> None:
    assert write_bag(tmp_path / 'drive', frames, raw=raw) == 4
    found = read(tmp_path / 'drive')
    assert set(found) == {RAW_TOPIC if raw else COMPRESSED_TOPIC, INFO_TOPIC, TRUTH_TOPIC}
    times = [[stamp(message) for _, message in messages] for messages in found.values()]
    assert times[0] == times[1] == times[2]
    assert np.diff(times[0]).tolist() == [50_000_000] * 3
    for messages in found.values():
        assert all(message.header.frame_id == FRAME_ID for _, message in messages)
        assert all(recorded == stamp(message) for recorded, message in messages)


def test_truth_is_the_label_image(tmp_path: Path, frames: list[Frame]) -> None:
    write_bag(tmp_path / 'drive', frames, raw=False)
    for frame, (_, message) in zip(frames, read(tmp_path / 'drive')[TRUTH_TOPIC], strict=True):
        assert message.encoding == '16UC1' and message.step == 2 * message.width
        assert (message.width, message.height, message.is_bigendian) == (*SIZE, 0)
        label = np.frombuffer(message.data.tobytes(), '<u2').reshape(SIZE[1], SIZE[0])
        assert np.array_equal(label, frame.label)


def test_images_survive(tmp_path: Path, frames: list[Frame]) -> None:
    write_bag(tmp_path / 'raw', frames, raw=True)
    write_bag(tmp_path / 'jpeg', frames, raw=False)
    raw, jpeg = read(tmp_path / 'raw')[RAW_TOPIC], read(tmp_path / 'jpeg')[COMPRESSED_TOPIC]
    for frame, (_, image), (_, compressed) in zip(frames, raw, jpeg, strict=True):
        assert image.encoding == 'bgr8' and image.step == 3 * SIZE[0]
        assert np.array_equal(image.data.reshape(frame.image.shape), frame.image)
        assert 'jpeg' in compressed.format
        decoded = cv2.imdecode(compressed.data, cv2.IMREAD_COLOR)
        assert np.abs(decoded.astype(int) - frame.image).mean() < 4


def test_calibration_projects_like_the_camera(tmp_path: Path, frames: list[Frame]) -> None:
    write_bag(tmp_path / 'drive', frames, raw=False)
    _, info = read(tmp_path / 'drive')[INFO_TOPIC][0]
    matrix = info.k.reshape(3, 3)
    assert (info.width, info.height) == SIZE and not info.d.any()
    assert np.array_equal(info.p.reshape(3, 4)[:, :3], matrix)
    camera = frames[0].camera
    point = np.array([2.0, -1.0, 12.0])  # right, up, forward
    u, v, scale = matrix @ (point * [1, -1, 1])
    seen = camera.to_image(point)
    assert u / scale == pytest.approx(seen[0])
    # The pitch is a small shift of the rows and no part of the calibration.
    assert v / scale == pytest.approx(seen[1], abs=camera.focal * 0.006)


def test_an_existing_bag_is_kept(tmp_path: Path, frames: list[Frame]) -> None:
    write_bag(tmp_path / 'drive', frames[:1], raw=False)
    before = (tmp_path / 'drive' / 'metadata.yaml').read_bytes()
    with pytest.raises(WriterError, match='exists'):
        write_bag(tmp_path / 'drive', frames, raw=False)
    assert (tmp_path / 'drive' / 'metadata.yaml').read_bytes() == before


def test_an_empty_drive_is_a_readable_bag(tmp_path: Path) -> None:
    assert write_bag(tmp_path / 'drive', [], raw=False) == 0
    assert read(tmp_path / 'drive') == {}
