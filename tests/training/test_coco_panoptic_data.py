# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the COCO panoptic format, and what is wrong with some files of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

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
from training.data.frames import FrameReader, Places
from training.evaluation.panoptic_submission import SubmittedImage
from training.label_sets import find_label_set
from upsnet_ros.core.errors import ImageError
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
    '000000000002.jpg: .* image id is 1.5, expected a whole number': lambda c: (
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


def test_ids_written_as_floats_are_numbers(root: Path) -> None:
    (wanted, _) = (reader(root).read_label_image(f) for f in reader(root).frames('train'))

    def as_floats(content: dict[str, Any]) -> None:
        for annotation in content['annotations']:
            annotation['image_id'] = float(annotation['image_id'])
            for entry in annotation['segments_info']:
                entry.update({key: float(entry[key]) for key in ('id', 'category_id', 'iscrowd')})

    change(root, as_floats)
    frame = reader(root).frames('train')[0]
    assert frame.image_id == 1
    assert np.array_equal(reader(root).read_label_image(frame), wanted)


@pytest.mark.parametrize('value', ['0', '1', 'false', 2, None, 0.5])
def test_a_crowd_that_is_neither_0_nor_1_is_named(root: Path, value: object) -> None:
    change(root, lambda c: c['annotations'][0]['segments_info'][0].update(iscrowd=value))
    with pytest.raises(DataError, match=rf'iscrowd of segment 9 is {value!r}, expected'):
        reader(root).frames('train')


def test_a_crowd_may_be_a_truth_value(root: Path) -> None:
    wanted = reader(root).read_label_image(reader(root).frames('train')[0])
    change(root, lambda c: [
        entry.update(iscrowd=bool(entry['iscrowd']))
        for annotation in c['annotations'] for entry in annotation['segments_info']
    ])  # fmt: skip
    frame = reader(root).frames('train')[0]
    assert np.array_equal(reader(root).read_label_image(frame), wanted)


def test_images_that_differ_in_the_ending_are_two_frames(root: Path) -> None:
    change(root, lambda c: [
        c['images'][0].update(file_name='a.jpg'), c['images'][1].update(file_name='a.png')
    ])  # fmt: skip
    assert [frame.name for frame in reader(root).frames('train')] == ['a.jpg', 'a.png']


def rewrite(path: Path, mode: str) -> None:
    with Image.open(path) as picture:
        changed = picture.quantize(64) if mode == 'P' else picture.convert(mode)
    changed.save(path)


def test_truth_with_alpha_is_read_and_other_kinds_are_named(root: Path) -> None:
    first, second = reader(root).frames('train')
    wanted = reader(root).read_label_image(first)
    rewrite(first.instances, 'RGBA')
    assert np.array_equal(reader(root).read_label_image(first), wanted)
    rewrite(second.instances, 'P')
    with pytest.raises(ImageError, match='000000000009.png: a PNG of 4 bits with a palette, ex'):
        reader(root).read_label_image(second)
    cv2.imwrite(str(second.instances), np.zeros((3, 4, 3), np.uint16))
    with pytest.raises(ImageError, match='a PNG of 16 bits with RGB, expected'):
        reader(root).read_label_image(second)
    Image.new('RGB', (4, 3)).save(second.instances, format='JPEG')
    with pytest.raises(ImageError, match='a JPEG, which keeps no exact ids'):
        reader(root).read_label_image(second)


def test_images_may_lie_together_in_a_folder(root: Path) -> None:
    (root / 'images').mkdir()
    (root / 'train2017').rename(root / 'images' / 'train2017')
    frame = reader(root).frames('train')[0]
    assert frame.image == root / 'images' / 'train2017' / '000000000002.jpg'
    survey = reader(root).survey('train')
    assert survey.unpaired == {'images_without_truth': [], 'truth_without_image': []}


def test_folders_of_any_name_can_be_given(root: Path) -> None:
    (root / 'train2017').rename(root / 'pictures')
    (root / 'annotations').rename(root / 'labels')
    places = Places(images='pictures', truth='labels/panoptic_SPLIT')
    own = open_data_set(root, 'coco_panoptic', LABELS, places)
    assert own.splits() == {'train2017'}
    frame = own.frames('train')[0]
    assert frame.image.is_file() and frame.instances.is_file()
    with pytest.raises(DataError, match="'../x', expected one below the data set"):
        Places(images='../x')


def test_a_split_without_truth_has_its_list_of_images_or_its_folder(root: Path) -> None:
    info = {'images': [{'id': 5, 'file_name': 'x.jpg', 'height': 3, 'width': 4}]}
    path = root / 'annotations' / 'image_info_test2017.json'
    path.write_text(json.dumps(info | {'categories': []}))
    assert reader(root).splits_without_truth() == {'test2017'}
    (frame,) = reader(root).frames_without_truth('test')
    assert (frame.name, frame.image_id, frame.instances) == ('x', 5, None)
    assert frame.image == root / 'test2017' / 'x.jpg'
    path.unlink()
    assert reader(root).frames_without_truth('test') == []
    frames = reader(root).frames_without_truth('train')
    assert [frame.name for frame in frames] == ['000000000002', '000000000009']
    assert SubmittedImage.of(frames[0]).image_id == '000000000002'
