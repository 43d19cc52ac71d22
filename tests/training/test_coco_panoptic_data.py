# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the COCO panoptic format, and what is wrong with some files of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.panoptic_data import (
    CAR,
    PERSON,
    UNTRAINED,
    WALL,
    segment,
    write_data_set,
)
from training.data.errors import DataError
from training.data.formats import open_data_set
from training.data.frames import FrameReader
from training.evaluation.panoptic_submission import SubmittedImage
from training.label_sets import find_label_set
from upsnet_ros.core.labels import encode_label

LABELS = find_label_set('coco')
TRAIN_ID = {entry.dataset_id: entry.train_id for entry in LABELS.classes}
# Ids that need one, two and three bytes; 0 is void.
IDS = np.array([[7, 7, 300, 300], [300, 70000, 70000, 0], [90000, 8, 9, 9]], np.uint32)
SEGMENTS = [
    segment(9, UNTRAINED),
    segment(90000, PERSON),
    segment(70000, PERSON),
    segment(300, WALL),
    segment(7, CAR, crowd=True),
    segment(8, CAR),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_data_set(tmp_path, {'000000000009': (SEGMENTS, IDS), '000000000002': (SEGMENTS, IDS)})
    return tmp_path


def reader(root: Path) -> FrameReader:
    return open_data_set(root, 'coco_panoptic', LABELS)


def test_segments_become_label_values(root: Path) -> None:
    frames = reader(root).frames('train')
    assert [frame.name for frame in frames] == ['000000000002', '000000000009']
    labels = reader(root).read_label_image(frames[0])
    wall, person, car = (TRAIN_ID[category] for category in (WALL, PERSON, CAR))
    crowd, stuff = encode_label(car, 0), encode_label(wall, 0)
    first, second = encode_label(person, 1), encode_label(person, 2)  # as the file lists them
    assert labels.dtype == np.uint16
    assert labels.tolist() == [
        [crowd, crowd, stuff, stuff],
        [stuff, second, second, 65535],
        [first, encode_label(car, 1), 65535, 65535],
    ]
    assert reader(root).read_image(frames[0]).shape == (3, 4, 3)


def test_frames_keep_the_ids_of_the_images(root: Path) -> None:
    assert [frame.image_id for frame in reader(root).frames('train')] == [1, 0]
    # Converters of Cityscapes write the frame's name.
    change(
        root, lambda c: (c['images'][0].update(id='a'), c['annotations'][0].update(image_id='a'))
    )
    frames = reader(root).frames('train')
    assert [frame.image_id for frame in frames] == [1, 'a']
    assert [SubmittedImage.of(frame).image_id for frame in frames] == [1, 'a']


@pytest.mark.parametrize(
    ('written', 'asked', 'found'),
    [
        ('train2017', 'train', 'train2017'),
        ('train', 'train', 'train'),
        ('train', 'train2017', 'train'),
        ('val2017', 'val2017', 'val2017'),
        ('night', 'night', 'night'),
    ],
)
def test_splits_with_and_without_the_year(
    tmp_path: Path, written: str, asked: str, found: str
) -> None:
    write_data_set(tmp_path, {'x': (SEGMENTS, IDS)}, name=written)
    (frame,) = reader(tmp_path).frames(asked)
    assert frame.image == tmp_path / found / 'x.jpg'
    assert frame.instances == tmp_path / 'annotations' / f'panoptic_{found}' / 'x.png'


def test_a_missing_split_is_named(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"split 'val': expected panoptic_val.json or panoptic_val"
    ):
        reader(root).frames('val')


def change(root: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = root / 'annotations' / 'panoptic_train2017.json'
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


CHANGES = {
    'image id 0 is there 2 times': lambda c: c['images'][1].update(id=0),
    'annotation of image 1 is there 2 times': lambda c: c['annotations'][0].update(image_id=1),
    'category id 1 is there 2 times': lambda c: c['categories'][0].update(id=1),
    "entry is malformed .KeyError: 'height'": lambda c: c['images'][0].pop('height'),
    'has the size 4x0': lambda c: c['images'][0].update(height=0),
    'entry is malformed .TypeError': lambda c: c['annotations'][0].update(segments_info=5),
    'id of image 000000000002.jpg is 1.5, expected an integer or a text': lambda c: (
        c['images'][1].update(id=1.5),
        c['annotations'][1].update(image_id=1.5),
    ),
    r'000000000002.jpg: the file is there 2 times': lambda c: c['images'][0].update(
        file_name='000000000002.jpg'
    ),
    "'annotations' is missing or no list": lambda c: c.update(annotations={}),
    "'images' is empty": lambda c: c.update(images=[]),
}


@pytest.mark.parametrize('message', CHANGES)
def test_wrong_entries_are_named_with_file_and_value(root: Path, message: str) -> None:
    change(root, CHANGES[message])
    with pytest.raises(DataError, match=message) as caught:
        reader(root).frames('train')
    assert 'panoptic_train2017.json' in str(caught.value)


def test_an_image_without_segments_is_void(tmp_path: Path) -> None:
    write_data_set(tmp_path, {'x': ([], np.zeros((3, 4), np.uint32))})
    (frame,) = reader(tmp_path).frames('train')
    assert (reader(tmp_path).read_label_image(frame) == 65535).all()
