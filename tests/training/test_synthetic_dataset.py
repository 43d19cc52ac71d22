# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from cityscapesscripts.evaluation.instances2dict import instances2dict
from cityscapesscripts.helpers.labels import id2label, name2label

from training.synthetic.cityscapes import (
    encode_colour,
    encode_instance_ids,
    encode_label_ids,
    encode_train_ids,
)
from training.synthetic.dataset import plan_jobs, write_dataset

SIZE = (256, 128)


def make(folder: Path, *, train: int, val: int, seed: int = 0, workers: int = 1) -> Path:
    write_dataset(plan_jobs(folder, train=train, val=val, seed=seed, size=SIZE), workers=workers)
    return folder


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp('data'), train=3, val=4)


def truths(data: Path, kind: str) -> list[Path]:
    return sorted(data.glob(f'gtFine/*/upstreet/*_gtFine_{kind}.png'))


def test_every_frame_has_its_five_files(data: Path) -> None:
    for split, count in (('train', 3), ('val', 4)):
        images = sorted((data / 'leftImg8bit' / split / 'upstreet').iterdir())
        assert len(images) == count
        for image in images:
            stem = image.name.removesuffix('_leftImg8bit.png')
            city, sequence, frame = stem.split('_')
            assert city == 'upstreet' and len(sequence) == len(frame) == 6
            for kind in ('labelIds', 'instanceIds', 'labelTrainIds', 'color'):
                path = data / 'gtFine' / split / 'upstreet' / f'{stem}_gtFine_{kind}.png'
                assert path.is_file()
        assert len(list((data / 'gtFine' / split).rglob('*.png'))) == 4 * count


def test_files_have_the_types_of_cityscapes(data: Path) -> None:
    expected = {
        'labelIds': (np.uint8, 2),
        'instanceIds': (np.uint16, 2),
        'labelTrainIds': (np.uint8, 2),
        'color': (np.uint8, 3),
    }
    for kind, (dtype, dimensions) in expected.items():
        for path in truths(data, kind):
            picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert picture.dtype == dtype and picture.ndim == dimensions
            assert picture.shape[:2] == (SIZE[1], SIZE[0])


def test_encodings_agree_with_the_label_table_of_cityscapes(data: Path) -> None:
    for path in truths(data, 'labelIds'):
        label_ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        train_ids = cv2.imread(
            str(path).replace('labelIds', 'labelTrainIds'), cv2.IMREAD_UNCHANGED
        )
        colours = cv2.imread(str(path).replace('labelIds', 'color'), cv2.IMREAD_UNCHANGED)
        instances = cv2.imread(str(path).replace('labelIds', 'instanceIds'), cv2.IMREAD_UNCHANGED)
        for value in np.unique(label_ids):
            label, region = id2label[int(value)], label_ids == value
            assert (train_ids[region] == label.trainId).all()
            assert (colours[region] == [*label.color[::-1], 255]).all()
            numbers = np.unique(instances[region])
            if label.hasInstances:
                assert numbers.tolist() == [label.id * 1000 + k for k in range(len(numbers))]
            else:
                assert numbers.tolist() == [label.id]


def test_encoding_of_none_one_and_many_instances() -> None:
    car, road, person = 13 << 8, 0, 11 << 8
    assert encode_instance_ids(np.full((2, 2), road, np.uint16)).tolist() == [[7, 7], [7, 7]]
    label = np.array([[car | 9, car | 255, car | 2], [person | 40, road, car | 9]], np.uint16)
    assert encode_instance_ids(label).tolist() == [[26001, 26002, 26000], [24000, 7, 26001]]
    assert encode_label_ids(label).tolist() == [[26, 26, 26], [24, 7, 26]]
    assert encode_train_ids(label).tolist() == [[13, 13, 13], [11, 0, 13]]
    assert encode_colour(label)[1, 0].tolist() == [60, 20, 220, 255]


def test_cityscapes_tools_list_the_instances(data: Path) -> None:
    path = str(truths(data, 'instanceIds')[0])
    listed = instances2dict([path])[str(Path(path).absolute())]
    picture = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    expected = Counter(id2label[int(v) // 1000].name for v in np.unique(picture) if v >= 1000)
    assert expected
    for name, count in expected.items():
        assert len(listed[name]) == count
        assert all(item['labelID'] == name2label[name].id for item in listed[name])


def test_equal_arguments_give_equal_bytes_on_any_number_of_processes(tmp_path: Path) -> None:
    first = make(tmp_path / 'one', train=3, val=1, seed=4, workers=1)
    second = make(tmp_path / 'two', train=3, val=1, seed=4, workers=2)
    names = [path.relative_to(first) for path in sorted(first.rglob('*.png'))]
    assert names == [path.relative_to(second) for path in sorted(second.rglob('*.png'))]
    assert len(names) == 20
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    ('train', 'val', 'worlds', 'counts'),
    [(0, 0, 0, []), (1, 0, 1, [1]), (0, 2, 1, [2]), (5, 3, 5, [2, 2, 1, 2, 1])],
)
def test_jobs_hold_exactly_the_asked_frames(
    tmp_path: Path, train: int, val: int, worlds: int, counts: list[int]
) -> None:
    jobs = plan_jobs(tmp_path, train=train, val=val, seed=0, size=SIZE)
    assert len(jobs) == worlds and [job.count for job in jobs] == counts
    assert len({(job.split, job.index) for job in jobs}) == worlds
