# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The check of a data set: every kind of bad file, named before training; kept for next time."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.fakes.panoptic_data import PERSON, WALL, segment, write_data_set
from tests.fakes.town import image_of, truth_of
from training.data import checked
from training.data.checked import check_data_set
from training.data.data_summary import DataSummary
from training.data.errors import DataError
from training.data.formats import open_data_set
from training.data.frame_facts import ClassFacts
from training.label_sets import find_label_set
from upsnet_ros.core.labels import cityscapes_label_set

LABELS = cityscapes_label_set()
SIZE = (96, 160)


def check(data: Path, *, split: str = 'train', workers: int = 2) -> DataSummary:
    reader = open_data_set(data, 'cityscapes', LABELS)
    return check_data_set(reader, split, LABELS, cache=data / 'cache.json', workers=workers)


def write_truth(data: Path, index: int, ids: np.ndarray) -> None:
    cv2.imwrite(str(truth_of(data, index)), ids.astype(np.uint16))


def test_a_sound_data_set_passes(data: Path) -> None:
    summary = check(data)
    assert [frame.name for frame, _ in summary.frames] == [
        f'town_{index:06d}_000000' for index in range(3)
    ]
    for _, facts in summary.frames:
        assert facts.classes == (0, 10, 11, 13, 18)
        assert 1 <= facts.objects <= 3
        assert facts.crowds == facts.flat == 0
    assert len(summary.usable_frames(drop_without_things=True)) == 3
    assert summary.never_seen() == [
        c.name for c in LABELS.classes if c.train_id not in (0, 10, 11, 13, 18)
    ]
    text = str(summary)
    assert "split 'train': 3 frames, 9 objects" in text
    assert 'classes never seen: sidewalk, building' in text


def test_harmless_frames_are_counted_and_dropped_or_kept(data: Path) -> None:
    road = np.full(SIZE, 7)
    crowd, flat, void = road.copy(), road.copy(), np.zeros(SIZE)
    crowd[10:30, 10:30] = 26
    flat[10, 10:30] = 26000
    for index, ids in enumerate((road, crowd, flat, void), start=3):
        shutil.copy(image_of(data, 0), image_of(data, index))
        write_truth(data, index, ids)
    cv2.imwrite(str(image_of(data, 3)), np.full((*SIZE, 3), 9, np.uint8))
    summary = check(data)
    names = [f'town_{index:06d}_000000' for index in range(7)]
    dropped = summary.usable_frames(drop_without_things=True)
    kept = summary.usable_frames(drop_without_things=False)
    assert [frame.name for frame in dropped] == names[:3]
    assert [frame.name for frame in kept] == names[:6]
    assert summary.oddities() == [
        f'1 without any trained class (never used): {names[6]}',
        f'1 with crowds but no single object: {names[4]}',
        f'2 without any thing: {names[3]}, {names[5]}',
        f'1 with objects whose box has no area (left out): {names[5]}',
        f'1 of a single colour: {names[3]}',
    ]


def test_facts_count_pixels_objects_and_boxes_of_each_class(data: Path) -> None:
    ids = np.full((200, 200), 7)
    ids[0:100, 0:120] = 26001  # an inclusive box of 120x100 pixels: large
    ids[0:40, 0:40] = 26002  # medium
    ids[150:160, 150:180] = 26003  # small
    ids[199, 0:50] = 26004  # flat
    ids[120:130, 0:7] = 24  # crowd
    ids[150:160, 0:20] = 0  # void
    cv2.imwrite(str(image_of(data, 1)), np.eye(200, dtype=np.uint8)[..., None].repeat(3, axis=2))
    write_truth(data, 1, ids)
    facts = check(data).frames[1][1]
    road, person, car = facts.per_class
    assert facts.size == (200, 200)
    assert (facts.flat, facts.full, facts.void, facts.one_colour) == (1, 0, 200, False)
    assert road == ClassFacts(0, 40000 - 12000 - 300 - 50 - 70 - 200, 0, 0, 0, 0, (), ())
    assert person == ClassFacts(11, 70, 0, 0, 0, 1, (), ())
    assert car == ClassFacts(13, 12350, 1, 1, 1, 0, (120, 40, 30), (100, 40, 10))


def test_a_data_set_without_anything_to_learn_is_refused(data: Path) -> None:
    for index in range(3):
        write_truth(data, index, np.full(SIZE, 26))  # labelIds in the place of instanceIds
    summary = check(data)
    assert len(summary.usable_frames(drop_without_things=False)) == 3
    with pytest.raises(DataError, match=r'none of the 3 frames .* has a single object') as caught:
        summary.usable_frames(drop_without_things=True)
    assert '3 with crowds but no single object: town_000000_000000, ' in str(caught.value)
    for index in range(3):
        write_truth(data, index, np.zeros(SIZE))
    with pytest.raises(DataError, match='has any class of the label set .cityscapes'):
        check(data).usable_frames(drop_without_things=False)


def test_findings_are_kept_until_a_file_changes(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check(data)
    examined = []
    original = checked.examine_frame

    def watch(reader, frame, *, num_stuff):
        examined.append(frame.name)
        return original(reader, frame, num_stuff=num_stuff)

    monkeypatch.setattr(checked, 'examine_frame', watch)
    assert check(data) == first
    assert examined == []
    write_truth(data, 1, np.full(SIZE, 26))
    assert check(data).frames[1][1].crowds == 1
    assert examined == ['town_000001_000000']
    os.utime(image_of(data, 2), ns=(1, 1))
    check(data)
    assert examined[1:] == ['town_000002_000000']
    check(data, split='val')
    assert check(data).frames[1][1].crowds == 1
    assert examined[2:] == ['town_000003_000000', 'town_000004_000000']


def test_other_classes_make_every_frame_be_read_again(data: Path) -> None:
    check(data)
    driving = find_label_set('driving')
    reader = open_data_set(data, 'cityscapes', driving)
    summary = check_data_set(reader, 'train', driving, cache=data / 'cache.json', workers=1)
    assert summary.frames[0][1].classes != (0, 10, 11, 13, 18)


@pytest.mark.parametrize(
    'content',
    [b'', b'{', b'[]', b'{"version": 1}', b'\xff\xfe', b'null', 'entries'],
)
def test_a_damaged_cache_is_ignored_and_replaced(data: Path, content: bytes | str) -> None:
    summary = check(data)
    cache = data / 'cache.json'
    if content == 'entries':
        values = json.loads(cache.read_text())
        for entry in values['frames'].values():
            entry[1] = [1, 'two']
        content = json.dumps(values).encode()
    cache.write_bytes(content)
    assert check(data) == summary
    assert len(json.loads(cache.read_text())['frames']) == 3
    assert sorted(path.name for path in data.iterdir()) == ['cache.json', 'gtFine', 'leftImg8bit']


def test_what_was_found_before_an_error_is_not_read_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth_of(data, 1).unlink()
    with pytest.raises(DataError):
        check(data)
    examined = []
    monkeypatch.setattr(
        checked, 'examine_frame', lambda reader, frame, **_: examined.append(frame.name) or ['no']
    )
    with pytest.raises(DataError):
        check(data)
    assert examined == ['town_000001_000000']


def test_a_cache_that_cannot_be_written_does_not_stop_the_check(data: Path) -> None:
    (data / 'file').touch()
    reader = open_data_set(data, 'cityscapes', LABELS)
    cache = data / 'file' / 'cache.json'
    assert len(check_data_set(reader, 'train', LABELS, cache=cache, workers=1).frames) == 3


def test_a_changed_annotation_of_coco_is_read_again(tmp_path: Path) -> None:
    labels = find_label_set('coco')
    reader = open_data_set(tmp_path, 'coco_panoptic', labels)
    ids = np.full((20, 30), 7)
    ids[:, 15:] = 8

    def check_coco() -> DataSummary:
        return check_data_set(reader, 'train', labels, cache=tmp_path / 'c.json', workers=1)

    write_data_set(tmp_path, {'x': ([segment(7, WALL), segment(8, PERSON)], ids)})
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('x.*')}
    assert check_coco().frames[0][1].objects == 1
    write_data_set(tmp_path, {'x': ([segment(7, PERSON), segment(8, PERSON)], ids)})
    for path, time in times.items():
        os.utime(path, ns=(time, time))
    assert check_coco().frames[0][1].objects == 2
