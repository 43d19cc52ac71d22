# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading Cityscapes files, and what is wrong with some."""

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.cityscapes import CityscapesReader, read_label_image
from training.data.errors import DataError
from training.data.formats import open_data_set
from training.data.frames import read_image
from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.labels import cityscapes_label_set, encode_label

LABELS = cityscapes_label_set()
CAR, PERSON = 13, 11


def write_ids(path: Path, values: list[list[int]] | np.ndarray) -> Path:
    cv2.imwrite(str(path), np.array(values, np.uint16))
    return path


def test_instance_ids_become_label_values(tmp_path: Path) -> None:
    path = write_ids(tmp_path / 'ids.png', [[7, 26, 26000, 26003, 24001, 0, 29]])
    labels = read_label_image(path, LABELS)
    expected = [
        encode_label(0, 0),
        encode_label(CAR, 0),  # a group: crowd
        encode_label(CAR, 1),
        encode_label(CAR, 2),
        encode_label(PERSON, 1),
        65535,  # unlabelled
        65535,  # caravan: not trained
    ]
    assert labels.dtype == np.uint16
    assert labels.tolist() == [expected]


def test_group_of_an_untrained_class_is_void(tmp_path: Path) -> None:
    path = write_ids(tmp_path / 'ids.png', [[29000, 30001, 7]])
    assert read_label_image(path, LABELS).tolist() == [[65535, 65535, 0]]


@pytest.mark.parametrize(('value', 'own_classes'), [(34, False), (255, True), (40001, False)])
def test_values_that_are_no_label_ids_are_named(
    tmp_path: Path, value: int, own_classes: bool
) -> None:
    path = write_ids(tmp_path / 'ids.png', [[7, value]])
    labels = replace(LABELS, name='own') if own_classes else LABELS
    with pytest.raises(DataError, match=rf'ids\.png: values \[{value}\] are no label ids'):
        read_label_image(path, labels)


def test_of_own_classes_any_label_id_may_be_left_untrained(tmp_path: Path) -> None:
    path = write_ids(tmp_path / 'ids.png', [[7, 200]])
    assert read_label_image(path, replace(LABELS, name='own')).tolist() == [[0, 65535]]


def test_the_largest_255_objects_of_a_class_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = [value for i in range(258) for value in [26000 + i] * (1 if i in (0, 7, 9) else 2)]
    with caplog.at_level(logging.WARNING):
        labels = read_label_image(write_ids(tmp_path / 'ids.png', [row]), LABELS)[0]
    assert labels[0] == labels[row.index(26007)] == encode_label(CAR, 0)
    assert labels[row.index(26001)] == encode_label(CAR, 1)
    assert labels[-1] == encode_label(CAR, 255)
    assert len(np.unique(labels)) == 256
    assert "258 objects of class 'car'" in caplog.text
    assert 'the smallest 3 become a crowd' in caplog.text


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    broken, empty = tmp_path / 'broken.png', tmp_path / 'empty.png'
    broken.write_bytes(b'\x89PNG no')
    empty.touch()
    for path in (broken, empty, tmp_path / 'missing.png'):
        with pytest.raises(ImageError, match=path.name):
            read_image(path)
        with pytest.raises(ImageError, match=path.name):
            read_label_image(path, LABELS)


@pytest.mark.parametrize('ending', ['png', 'jpg'])
@pytest.mark.parametrize('share', [0.99, 0.5])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f'cut.{ending}'
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    cv2.imwrite(str(path), noise)
    assert read_image(path).shape == (60, 80, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ImageError, match=rf'cut\.{ending}'):
        read_image(path)


def test_a_padded_jpeg_is_whole(tmp_path: Path) -> None:
    path = tmp_path / 'padded.jpg'
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    path.write_bytes(path.read_bytes() + bytes(4000))
    assert read_image(path).shape == (8, 8, 3)


def test_colours_in_the_place_of_ids_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'colour.png'), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ImageError, match=r'colour\.png: not a readable single-channel PNG'):
        read_label_image(tmp_path / 'colour.png', LABELS)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'no images: expected \S*leftImg8bit/train/CITY'):
        open_data_set(tmp_path, 'cityscapes', LABELS).frames('train')
    with pytest.raises(DataError, match='nowhere is no folder'):
        open_data_set(tmp_path / 'nowhere', 'cityscapes', LABELS)


def test_the_reader_reads_what_the_functions_read(town: Path) -> None:
    reader = open_data_set(town, 'cityscapes', LABELS)
    assert isinstance(reader, CityscapesReader)
    frames = reader.frames('train')
    assert len(frames) == 3
    frame = frames[1]
    np.testing.assert_array_equal(reader.read_image(frame), read_image(frame.image))
    np.testing.assert_array_equal(
        reader.read_label_image(frame), read_label_image(frame.instances, LABELS)
    )
