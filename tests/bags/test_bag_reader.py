# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.bags.small_drive import (
    IMAGE_TOPIC,
    TRUTH_TOPIC,
    Row,
    cut,
    image_row,
    label_row,
    stamp_of,
    storage_file,
    truth_of,
    write_old_sqlite,
    write_rows,
    write_split,
)
from upsnet_ros.bags.definitions import header_stamp_ns
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import BagError, ImageError
from upsnet_ros.images.messages import image_to_bgr, label_image

FRAMES = 30


def drive_rows(frames: int = FRAMES, first: int = 0) -> list[Row]:
    """Images and raw truth, large enough for several chunks in MCAP."""
    rows = []
    for index in range(first, first + frames):
        rows.append(image_row(index))
        label = np.kron(truth_of(index), np.ones((2, 2), np.uint16))
        stamp = stamp_of(index)
        rows.append(label_row(TRUTH_TOPIC, label, stamp_ns=stamp, recorded_ns=stamp))
    return rows


def noise_rows(frames: int) -> list[Row]:
    """Labels that no compression makes small."""
    rng = np.random.default_rng(1)
    labels = (rng.integers(0, 1 << 12, (96, 192)).astype(np.uint16) for _ in range(frames))
    return [
        label_row(TRUTH_TOPIC, label, stamp_ns=stamp_of(i), recorded_ns=stamp_of(i))
        for i, label in enumerate(labels)
    ]


def stamps(bag: BagReader, topic: str = IMAGE_TOPIC, **limits: int) -> list[int]:
    return [header_stamp_ns(message.data) for message in bag.messages([topic], **limits)]


def all_stamps(frames: int = FRAMES) -> list[int]:
    return [stamp_of(index) for index in range(frames)]


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        ('mcap', 'none'),
        ('mcap', 'message'),
        ('mcap', 'file'),
        ('mcap', 'storage'),
        ('sqlite3', 'none'),
        ('sqlite3', 'message'),
        ('sqlite3', 'file'),
    ],
)
def test_bags_of_both_storages_are_read_however_packed(
    tmp_path: Path, storage: str, compression: str
) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(), storage=storage, compression=compression)
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps()
        assert bag.problems == []
        facts = bag.facts()
        assert (facts.storage, facts.messages) == (storage, 2 * FRAMES)
        assert facts.duration_s == pytest.approx(2.9)
        message = next(iter(bag.messages([TRUTH_TOPIC])))
        label = label_image(bag.decode(message.topic, message.data))
        np.testing.assert_array_equal(label[::2, ::2], truth_of(0))


def test_a_bag_without_definitions_is_read_by_the_standard_ones(tmp_path: Path) -> None:
    with BagReader(write_old_sqlite(tmp_path / 'bag', drive_rows(3))) as bag:
        assert stamps(bag) == all_stamps(3)
        assert bag.problems == ['metadata.yaml is missing; `ros2 bag reindex` makes it anew']
        message = next(iter(bag.messages([IMAGE_TOPIC])))
        decoded = bag.decode(message.topic, message.data)
        assert image_to_bgr(decoded).shape == (96, 192, 3)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_split_bags_are_read_in_the_order_of_time(tmp_path: Path, storage: str) -> None:
    # Eleven parts: by their names alone, part 10 would come before part 2.
    parts = [drive_rows(2, first=2 * n) for n in range(11)]
    with BagReader(write_split(tmp_path / 'bag', parts, storage=storage)) as bag:
        assert stamps(bag) == all_stamps(22)
        assert bag.problems == [] and bag.count(IMAGE_TOPIC) == 22


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_part_of_the_time_is_read(tmp_path: Path, storage: str) -> None:
    with BagReader(write_rows(tmp_path / 'bag', drive_rows(), storage=storage)) as bag:
        limits = {'start_ns': stamp_of(10), 'stop_ns': stamp_of(13)}
        assert stamps(bag, **limits) == all_stamps()[10:13]
        assert bag.problems == []


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_without_metadata_is_read_all_the_same(tmp_path: Path, storage: str) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(), storage=storage)
    (path / 'metadata.yaml').unlink()
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps()
        assert 'metadata.yaml is missing' in bag.facts().problems[0]
    with BagReader(storage_file(path)) as bag:
        assert stamps(bag) == all_stamps()


@pytest.mark.parametrize('metadata', ['x: [', '[]', 'rosbag2_bagfile_information: 7', ''])
def test_damaged_metadata_is_told_of(tmp_path: Path, metadata: str) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(2))
    (path / 'metadata.yaml').write_text(metadata)
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps(2)
        assert 'metadata.yaml cannot be read' in bag.problems[0]


def edit_metadata(bag: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = bag / 'metadata.yaml'
    content = yaml.safe_load(path.read_text())
    edit(content['rosbag2_bagfile_information'])
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_messages_that_only_the_metadata_counts_are_told_of(tmp_path: Path, storage: str) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(4), storage=storage)
    lost = {'name': '/rear', 'type': 'sensor_msgs/msg/Image', 'serialization_format': 'cdr'}

    def add(information: dict[str, Any]) -> None:
        counted = information['topics_with_message_count']
        next(e for e in counted if e['topic_metadata']['name'] == IMAGE_TOPIC)['message_count'] = 9
        counted.append({'topic_metadata': lost, 'message_count': 3})

    edit_metadata(path, add)
    with BagReader(path) as bag:
        told = {
            f'5 of 9 messages of {IMAGE_TOPIC} were not found',
            '3 of 3 messages of /rear were not found',
        }
        assert set(bag.problems) == told and len(bag.problems) == 2
        assert stamps(bag) == all_stamps(4) and set(bag.problems) == told
    with BagReader(storage_file(path)) as bag:  # which has no metadata
        assert stamps(bag) == all_stamps(4) and bag.problems == []


ENDLESS = {'name': '/a', 'type': 'std_msgs/msg/Empty', 'serialization_format': 'cdr'}


@pytest.mark.parametrize(
    'counted',
    [
        *(None, 7, 'x', [], [None], [{'topic_metadata': 1}], [{'message_count': 9}]),
        [{'topic_metadata': ENDLESS, 'message_count': float('inf')}],
    ],
)
def test_metadata_without_counts_promises_nothing(tmp_path: Path, counted: object) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(2))
    edit_metadata(path, lambda content: content.update(topics_with_message_count=counted))
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps(2) and bag.problems == []


@pytest.mark.parametrize('has_metadata', [True, False])
def test_a_message_of_an_unknown_channel_is_missed(tmp_path: Path, has_metadata: bool) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(3))
    file = storage_file(path)
    content = bytearray(file.read_bytes())
    # A message: its opcode, its length, the number of its channel, its number.
    place = re.search(rb'\x05.{7}\0(\x01\0)\0{4}', content, re.DOTALL).start(1)
    content[place] ^= 0x40
    file.write_bytes(content)
    with BagReader(path if has_metadata else file) as bag:
        assert len(stamps(bag)) == 2
        assert bag.problems == [f'1 of 3 messages of {IMAGE_TOPIC} were not found']


@pytest.mark.parametrize('compression', ['none', 'storage', 'message'])
def test_what_is_left_of_a_cut_mcap_is_read_and_the_rest_counted(
    tmp_path: Path, compression: str
) -> None:
    frames = 240
    path = write_rows(tmp_path / 'bag', noise_rows(frames), compression=compression)
    whole = storage_file(path).stat().st_size
    cut(storage_file(path), 0.6)
    with BagReader(path) as bag:
        left = stamps(bag, TRUTH_TOPIC)
        assert left == all_stamps(frames)[: len(left)]
        # Whole chunks of a megabyte, before they are packed, are left.
        assert frames * (0.6 - 1.1 * (1 << 20) / whole) - 1 < len(left) < frames
        problems = bag.facts().problems
        assert 'has no end' in problems[0]
        lost = frames - len(left)
        assert problems[1:] == (f'{lost} of {frames} messages of {TRUTH_TOPIC} were not found',)
        message = next(iter(bag.messages([TRUTH_TOPIC])))
        assert label_image(bag.decode(message.topic, message.data)).shape == (96, 192)


def test_an_mcap_without_its_index_alone_is_read_whole(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(), compression='storage')
    file = storage_file(path)
    with file.open('r+b') as content:
        content.truncate(file.stat().st_size - 40)
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps()
        assert stamps(bag, start_ns=stamp_of(3), stop_ns=stamp_of(5)) == all_stamps()[3:5]
        assert '60 messages were found' in bag.problems[0]


def test_a_packed_file_that_is_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', noise_rows(120), compression='file')
    cut(storage_file(path), 0.7)
    with BagReader(path) as bag:
        left = stamps(bag, TRUTH_TOPIC)
        assert 0 < len(left) < 120 and left == all_stamps(120)[: len(left)]
        assert 'cannot be unpacked to its end' in bag.problems[0]


def test_a_damaged_chunk_is_left_out(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', noise_rows(100), compression='storage')
    file = storage_file(path)
    content = bytearray(file.read_bytes())
    content[1_000_000:1_000_040] = b'\xff' * 40  # in the second of four chunks
    file.write_bytes(content[: len(content) - 40])
    with BagReader(path) as bag:
        left = stamps(bag, TRUTH_TOPIC)
        assert 60 < len(left) < 80 and left == sorted(left)
        assert (left[0], left[-1]) == (stamp_of(0), stamp_of(99))
        assert bag.problems[1] == 'bag.mcap has damaged chunks, left out: 1'


def test_damage_that_the_index_hides_costs_its_chunk(tmp_path: Path) -> None:
    parts = [drive_rows(60), drive_rows(5, first=60)]
    path = write_split(tmp_path / 'bag', parts, storage='mcap')
    file = path / 'bag_0.mcap'
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = b'\xff' * 4096
    file.write_bytes(content)
    with BagReader(path) as bag:
        left = stamps(bag)
        assert left[-5:] == all_stamps(65)[-5:] and 30 <= len(left) < 65
        told = [
            'bag_0.mcap has damaged chunks, left out: 1',
            f'{65 - len(left)} of 65 messages of {IMAGE_TOPIC} were not found',
        ]
        assert bag.problems == told
        assert stamps(bag) == left and bag.problems == told


def test_a_cut_sqlite_file_is_left_out_and_the_others_are_read(tmp_path: Path) -> None:
    parts = [drive_rows(5), drive_rows(5, first=5)]
    path = write_split(tmp_path / 'bag', parts, storage='sqlite3')
    cut(path / 'bag_0.db3', 0.5)
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps(10)[5:]
        assert 'bag_0.db3 cannot be read' in bag.problems[0]
        assert set(bag.problems[1:]) == {
            f'5 of 10 messages of {topic} were not found' for topic in (IMAGE_TOPIC, TRUTH_TOPIC)
        }


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_missing_part_is_told_of(tmp_path: Path, storage: str) -> None:
    parts = [drive_rows(2), drive_rows(2, first=2)]
    path = write_split(tmp_path / 'bag', parts, storage=storage)
    missing = next(iter(sorted(path.glob('bag_0*'))))
    missing.unlink()
    with BagReader(path) as bag:
        assert stamps(bag) == all_stamps(4)[2:]
        assert f'{missing.name}, which metadata.yaml names, is missing' in bag.problems


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_without_messages_is_refused(tmp_path: Path, storage: str) -> None:
    path = write_rows(tmp_path / 'bag', [], storage=storage)
    with pytest.raises(BagError, match='holds no messages'), BagReader(path):
        pass


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('share', [0.0, 0.001, 0.05])
def test_a_bag_of_which_nothing_is_left_is_refused(
    tmp_path: Path, storage: str, share: float
) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(), storage=storage)
    cut(storage_file(path), share)
    with pytest.raises(BagError, match='nothing of .* can be read|holds no messages'):
        with BagReader(path):
            pass


def test_messages_in_a_journal_are_told_of(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(2), storage='sqlite3')
    (path / 'bag.db3-wal').write_bytes(b'pages')
    with BagReader(path) as bag:
        assert 'bag.db3-wal holds messages' in bag.problems[0]


@pytest.mark.parametrize('data', [b'', b'\x00\x01\x00\x00', b'\x00\x01\x00\x00' + b'\xff' * 60])
def test_bytes_that_are_no_message_are_refused(tmp_path: Path, data: bytes) -> None:
    with BagReader(write_rows(tmp_path / 'bag', drive_rows(1))) as bag:
        with pytest.raises(ImageError, match='are no sensor_msgs/msg/CompressedImage'):
            bag.decode(IMAGE_TOPIC, data)


def test_a_damaged_definition_gives_way_to_the_standard_one(tmp_path: Path) -> None:
    path = write_rows(tmp_path / 'bag', drive_rows(1))
    file = storage_file(path)
    content = file.read_bytes()
    assert content.count(b'string format') == 2
    file.write_bytes(content.replace(b'string format', b'?tring format'))
    with BagReader(path) as bag:
        message = next(iter(bag.messages([IMAGE_TOPIC])))
        assert bag.decode(message.topic, message.data).format == 'jpeg'
