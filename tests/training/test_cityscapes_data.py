# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading Cityscapes files, and what is wrong with some."""

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.cityscapes import read_label_image
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
