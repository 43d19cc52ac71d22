# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever is odd beside the images does not cost them, and what is no bag is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.writer import CompressionType, IndexType

from tests.bags import odd_bags
from tests.bags.odd_bags import FRAMES, drive_rows, write_mcap, write_sqlite
from tests.bags.small_drive import (
    IMAGE_TOPIC,
    PERIOD,
    TRUTH_TOPIC,
    Row,
    T,
    header,
    image_row,
    label_row,
    storage_file,
    truth_of,
    truth_row,
    write_rows,
    write_split,
)
from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.storage import type_name, unpack_file
from upsnet_ros.core.errors import BagError
from upsnet_ros.images.messages import image_to_bgr, label_image

Write = Callable[[Path], Path]
CAMERA = CameraTopics('camera', IMAGE_TOPIC, TRUTH_TOPIC)
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


def edited(old: str, new: str) -> Write:
    """Writes the drive with other metadata."""

    def write(folder: Path) -> Path:
        path = write_rows(folder / 'bag', drive_rows()) / 'metadata.yaml'
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return path.parent

    return write


def mcap(*others: odd_bags.Channel, **options: object) -> Write:
    return lambda folder: write_mcap(folder / 'bag.mcap', drive_rows(), *others, **options)


def sqlite(*statements: str) -> Write:
    return lambda folder: write_sqlite(folder / 'bag', *statements)


def named(name: str, storage: str) -> Write:
    return lambda folder: write_rows(folder / 'bag', drive_rows(), storage=storage).rename(
        folder / name
    )


UNKNOWN_TOPIC = (
    "INSERT INTO topics VALUES (9, '/state', 'my/action/Drive_FeedbackMessage', 'cdr', '?', '')"
)
ODD = {
    'protobuf': mcap(odd_bags.PROTOBUF),
    'JSON': mcap(odd_bags.JSON),
    'images in JSON': mcap(odd_bags.JSON_IMAGE),
    'a broken definition': mcap(odd_bags.BROKEN),
    'an unknown format of a definition': mcap(odd_bags.UNKNOWN),
    'no definition': mcap(odd_bags.BARE),
    'messages of ROS 1': mcap(odd_bags.ROS1),
    'all of them': mcap(odd_bags.BROKEN, odd_bags.PROTOBUF, odd_bags.JSON_IMAGE, odd_bags.BARE),
    'another profile': mcap(profile=''),
    'zstd': mcap(compression=CompressionType.ZSTD, chunk_size=4096),
    'lz4': mcap(compression=CompressionType.LZ4, chunk_size=4096),
    'no chunks': mcap(use_chunking=False),
    'no index': mcap(index_types=IndexType.NONE, use_statistics=False),
    'no list of channels': mcap(repeat_channels=False, repeat_schemas=False),
    'channels without their types in the index': mcap(repeat_schemas=False),
    'an unknown definition in sqlite3': sqlite(
        UNKNOWN_TOPIC,
        'INSERT INTO message_definitions '
        "VALUES (99, 'my/action/Drive_FeedbackMessage', 'unknown', '', '')",
    ),
    'an unknown format of the image in sqlite3': sqlite(
        "UPDATE message_definitions SET encoding = 'unknown', encoded_message_definition = ''"
    ),
    'another serialisation in sqlite3': sqlite(
        "INSERT INTO topics VALUES (9, '/web/image_raw', 'sensor_msgs/msg/Image', 'json', '', '')",
        "INSERT INTO messages VALUES (9999, 9, 5000000000000, '{}')",
    ),
    'types named as in ROS 1, in sqlite3': sqlite(
        "UPDATE topics SET type = replace(type, '/msg/', '/')",
        "UPDATE message_definitions SET topic_type = replace(topic_type, '/msg/', '/')",
    ),
    'types named as in DDS, in sqlite3': sqlite(
        "UPDATE topics SET type = replace(type, '/msg/', '::msg::dds_::') || '_'"
    ),
    'a quality of service that is none in sqlite3': sqlite(
        "UPDATE topics SET offered_qos_profiles = '[nonsense'"
    ),
    'a name that is no text in sqlite3': sqlite(
        "INSERT INTO topics VALUES (9, CAST(X'FF' AS TEXT), 'a', 'cdr', '', '')"
    ),
    'names of files that are none in its metadata': edited('paths:\n  - bag.mcap', 'paths: 7'),
    'another count in its metadata': edited(f'message_count: {FRAMES}', 'message_count: 1'),
    'a new version of its metadata': edited('version: 8', 'version: 99'),
    'another storage in its metadata': edited('storage_identifier: mcap', 'storage_identifier: x'),
    'no quality of service': edited('offered_qos_profiles', 'something_else'),
    'special characters, sqlite3': named('drive #3? 100%', 'sqlite3'),
    'special characters, MCAP': named('drive #3? 100%', 'mcap'),
}


def streamed(
    path: Path, *, look_ahead_bytes: int = 1 << 30, may_be_broken: bool = False
) -> tuple[list[StreamedFrame], list]:
    """The frames of the only camera that is found, and everything that is told of the bag."""
    with BagReader(path) as bag:
        (camera,) = find_cameras(bag)
        assert camera == CAMERA
        stream = ReplayStream(bag, [camera], part=BagPart(), look_ahead_bytes=look_ahead_bytes)
        frames = list(stream)
        for frame in frames:
            if may_be_broken and frame.problem is not None:
                continue
            image = image_to_bgr(bag.decode(camera.images, frame.data))
            assert image.shape == (96, 192, 3)
            if frame.truth is not None:
                truth = label_image(bag.decode(camera.truth, frame.truth))
                assert (truth == truth_of(frame.index)).all()
        return frames, [*bag.facts().problems, *bag.notes, stream.truth_unmatched('camera')]


@pytest.mark.parametrize('kind', ODD)
def test_what_is_odd_beside_the_images_does_not_cost_them(tmp_path: Path, kind: str) -> None:
    frames, told = streamed(ODD[kind](tmp_path))
    assert [frame.index for frame in frames if frame.truth] == list(range(FRAMES))
    assert told == [0]


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('sensor_msgs/msg/Image', 'sensor_msgs/msg/Image'),
        ('sensor_msgs/Image', 'sensor_msgs/msg/Image'),
        ('sensor_msgs::msg::Image', 'sensor_msgs/msg/Image'),
        ('sensor_msgs::msg::dds_::Image_', 'sensor_msgs/msg/Image'),
        ('sensor_msgs/msg/dds_/Image_', 'sensor_msgs/msg/Image'),
        ('my_msgs/msg/State_', 'my_msgs/msg/State_'),
        ('my_msgs/srv/Drive_Request', 'my_msgs/srv/Drive_Request'),
        ('my_msgs::srv::dds_::Drive_Request_', 'my_msgs::srv::dds_::Drive_Request_'),
        ('foxglove.CompressedVideo', 'foxglove.CompressedVideo'),
        ('', ''),
    ],
)
def test_a_type_has_one_name_however_it_was_written(name: str, expected: str) -> None:
    assert type_name(name, 'cdr') == expected
    assert type_name(name, 'json') == f'{name} (json)'


def stamped_rows(stamps: list[int], *, begin_ns: int = 10**18) -> list[Row]:
    """Images with these stamps, recorded at 10 Hz, and their truth 20 ms behind each."""
    rows = []
    for index, stamp in enumerate(stamps):
        recorded = begin_ns + index * PERIOD
        image = T[COMPRESSED](header(stamp), 'jpeg', image_row(index)[3].data)
        truth = label_row(
            TRUTH_TOPIC, truth_of(index), stamp_ns=stamp, recorded_ns=recorded + 20_000_000
        )
        rows += [(IMAGE_TOPIC, COMPRESSED, recorded, image), truth]
    return rows


HOUR = 3600 * 10**9


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('look_ahead_bytes', [1 << 30, 1])
@pytest.mark.parametrize(
    'stamps',
    [
        [HOUR + i * PERIOD + HOUR * (i < 4) for i in range(12)],
        [HOUR + i * PERIOD + HOUR * (i > 8) for i in range(12)],
        [HOUR - i * PERIOD for i in range(12)],
        [HOUR + (i * 7 % 12) * PERIOD for i in range(12)],
    ],
    ids=['set back', 'set forward', 'falling', 'mixed'],
)
def test_truth_is_found_however_stamps_jump(
    tmp_path: Path, stamps: list[int], look_ahead_bytes: int, storage: str
) -> None:
    path = write_rows(tmp_path / 'bag', stamped_rows(stamps), storage=storage)
    frames, told = streamed(path, look_ahead_bytes=look_ahead_bytes)
    assert [frame.stamp_ns for frame in frames if frame.truth] == stamps
    assert told == [0]


@pytest.mark.parametrize('is_cut', [False, True])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_times_may_begin_at_zero(tmp_path: Path, storage: str, is_cut: bool) -> None:
    stamps = [i * PERIOD for i in range(FRAMES)]
    path = write_rows(tmp_path / 'bag', stamped_rows(stamps, begin_ns=0), storage=storage)
    if is_cut and storage == 'mcap':
        file = storage_file(path)
        file.write_bytes(file.read_bytes()[:-40])
    with BagReader(path) as bag:
        assert (bag.start_ns, bag.end_ns) == (0, (FRAMES - 1) * PERIOD + 20_000_000)
        assert len(list(bag.messages([IMAGE_TOPIC], start_ns=0, stop_ns=PERIOD))) == 1
    frames, told = streamed(path)
    assert [frame.stamp_ns for frame in frames if frame.truth] == stamps
    assert told[-1] == 0


def test_images_without_stamps_are_known_by_their_times_of_recording(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', stamped_rows([0] * FRAMES))
    frames, told = streamed(path)
    assert [frame.stamp_ns - 10**18 for frame in frames] == [i * PERIOD for i in range(FRAMES)]
    assert {(frame.problem, frame.truth) for frame in frames} == {(None, None)}
    (note, unmatched) = told
    assert 'camera have no stamps (0)' in note and 'truth cannot be joined' in note
    assert unmatched == 1


def test_messages_come_in_the_order_of_time_where_chunks_overlap(tmp_path: Path) -> None:
    rows = drive_rows(12)
    rows = [*rows[::2], *rows[1::2]]  # all images, then all ground truth
    path = write_mcap(tmp_path / 'bag.mcap', rows, chunk_size=4096)
    with BagReader(path) as bag:
        times = [message.recorded_ns for message in bag.messages([IMAGE_TOPIC, TRUTH_TOPIC])]
    assert times == sorted(row[2] for row in rows)


def test_truth_without_a_header_is_counted(tmp_path: Path) -> None:
    rows = [*drive_rows(2), (TRUTH_TOPIC, 'sensor_msgs/msg/Image', truth_row(3)[2], b'\0\1\0\0')]
    frames, told = streamed(write_rows(tmp_path / 'bag', rows))
    assert len(frames) == 2 and told == [1]


def header_row(recorded_ns: int) -> Row:
    return IMAGE_TOPIC, 'std_msgs/msg/Header', recorded_ns, header(recorded_ns)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_messages_come_in_the_order_of_time_where_files_overlap(
    tmp_path: Path, storage: str
) -> None:
    rows = drive_rows(12)
    path = write_split(tmp_path / 'bag', [rows[::2], rows[1::2]], storage=storage)
    with BagReader(path) as bag:
        times = [message.recorded_ns for message in bag.messages([IMAGE_TOPIC, TRUTH_TOPIC])]
    assert times == [row[2] for row in rows]


def test_what_came_first_on_a_topic_says_its_type_and_the_others_are_told(tmp_path: Path) -> None:
    parts = [drive_rows(), [header_row(truth_row(99)[2])]]
    frames, told = streamed(write_split(tmp_path / 'bag', parts, storage='mcap'))
    assert len(frames) == FRAMES
    assert f'{COMPRESSED} and of std_msgs/msg/Header; the latter are left out' in told[0]


@pytest.mark.parametrize(
    ('statement', 'frames'),
    [
        ("UPDATE messages SET timestamp = 'abc' WHERE id = 11", FRAMES - 1),
        ("UPDATE messages SET data = 'abc' WHERE id = 11", FRAMES),
    ],
)
def test_a_row_of_wrong_types_costs_no_other(tmp_path: Path, statement: str, frames: int) -> None:
    found, _ = streamed(write_sqlite(tmp_path / 'bag', statement), may_be_broken=True)
    assert len(found) == frames and sum(f.truth is not None for f in found) == FRAMES - 1


def test_a_damaged_index_gives_way_to_the_records(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / 'bag.mcap', drive_rows())
    content = path.read_bytes()
    place = content.rindex(IMAGE_TOPIC.encode())  # in the list of channels at the end
    path.write_bytes(content[:place] + b'/K' + content[place + 2 :])
    assert [frame.truth is not None for frame in streamed(path)[0]] == [True] * FRAMES


@pytest.mark.parametrize('name', ['other.mcap', 'bag.mcap'])
@pytest.mark.parametrize('is_named', [True, False])
def test_a_file_is_found_renamed_packed_and_unpacked_once(
    tmp_path: Path, name: str, is_named: bool
) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(), compression='file')
    packed = storage_file(path)
    if name == 'bag.mcap':
        unpack_file(packed, path / name)
    else:
        packed.rename(path / f'{name}.zstd')
    if not is_named:
        (path / 'metadata.yaml').unlink()
    assert len(streamed(path)[0]) == FRAMES


def test_places_where_no_file_can_be_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.mcap')
    for path in (tmp_path / 'pipe.mcap', tmp_path / ('x' * 300)):
        with pytest.raises(BagError, match='no file or folder|cannot be looked at'):
            BagReader(path)


POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234567\n'


@pytest.mark.parametrize(
    ('files', 'given', 'message'),
    [
        ({}, 'nowhere', 'there is no bag at .*nowhere'),
        ({'notes.txt': 'x'}, 'notes.txt', r'no file of a rosbag2; expected \.mcap or \.db3'),
        ({'notes.txt': 'x'}, '.', r'holds no file of a rosbag2 .*it is another folder'),
        ({'metadata.yaml': 'x'}, 'metadata.yaml', r'only describes a bag. Give its folder'),
        ({'a/a_0.mcap': 'x', 'b/b_0.db3.zstd': 'x'}, '.', 'Its folders do: give one of a, b'),
        ({'drive.mcap': POINTER}, 'drive.mcap', r'is a Git LFS pointer.* `git lfs pull`'),
        ({'drive_0.db3': POINTER, 'metadata.yaml': ''}, '.', 'drive_0.db3 is a Git LFS pointer'),
        ({'drive.bag': '#ROSBAG V2.0'}, 'drive.bag', r'ROS 1; .* `rosbags-convert --src .*drive'),
        ({'drive.bag': '#ROSBAG V2.0'}, '.', r'drive.bag is a recording of ROS 1'),
        ({'drive': '#ROSBAG V2.0'}, 'drive', 'recording of ROS 1.*--dst .*drive_ros2'),
    ],
)
def test_what_is_no_bag_is_named_with_the_remedy(
    tmp_path: Path, files: dict[str, str], given: str, message: str
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with pytest.raises(BagError, match=message):
        BagReader(tmp_path / given)


def test_a_part_that_is_a_pointer_does_not_cost_the_others(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows())
    (path / 'metadata.yaml').unlink()
    (path / 'bag_9.mcap').write_text(POINTER)
    frames, told = streamed(path)
    assert len(frames) == FRAMES
    assert told[1:] == ['bag_9.mcap is a Git LFS pointer; run `git lfs pull`', 0]
