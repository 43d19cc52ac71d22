# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading Cityscapes files, and what is wrong with some."""

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from training.data.cityscapes import read_label_image
from training.data.errors import DataError
from training.data.formats import open_data_set
from training.data.frames import FrameReader, Places
from training.data.image_files import read_image
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


def write_street(root: Path, drive: str, name: str, *, ending: str = 'png', **kinds: int) -> None:
    """An image, and truth of one label id by kind."""
    image = root / 'leftImg8bit' / 'val' / drive / f'{name}_leftImg8bit.{ending}'
    image.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), np.zeros((4, 6, 3), np.uint8))
    for kind, value in kinds.items():
        truth = root / kind / 'val' / drive / f'{name}_{kind}_instanceIds.png'
        truth.parent.mkdir(parents=True, exist_ok=True)
        write_ids(truth, np.full((4, 6), value))


def own_reader(root: Path, **places: str) -> FrameReader:
    return open_data_set(root, 'cityscapes', LABELS, Places(**places))


def test_frames_of_one_name_in_two_drives_are_two(tmp_path: Path) -> None:
    write_street(tmp_path, 'monday', '0001', gtFine=7)
    write_street(tmp_path, 'tuesday', '0001', gtFine=8)
    write_street(tmp_path, 'tuesday', '0002', gtFine=8)
    reader = own_reader(tmp_path)
    frames = reader.frames('val')
    assert [frame.name for frame in frames] == ['monday/0001', 'tuesday/0001', '0002']
    assert [reader.read_label_image(frame)[0, 0] for frame in frames] == [0, 256, 256]


@pytest.mark.parametrize('ending', ['jpg', 'JPEG', 'png'])
def test_images_may_be_jpegs_of_any_name(tmp_path: Path, ending: str) -> None:
    write_street(tmp_path, 'monday', 'front1', ending=ending, gtFine=7)
    (frame,) = own_reader(tmp_path).frames('val')
    assert (frame.name, frame.image.suffix) == ('front1', f'.{ending}')
    assert own_reader(tmp_path).read_image(frame).shape == (4, 6, 3)
    assert own_reader(tmp_path).survey('val').unpaired['images_without_truth'] == []


def test_two_images_of_one_frame_are_refused_by_name(tmp_path: Path) -> None:
    write_street(tmp_path, 'monday', 'front1', gtFine=7)
    write_street(tmp_path, 'monday', 'front1', ending='jpg')
    with pytest.raises(DataError, match=r'front1_leftImg8bit.jpg and .*front1_leftImg8bit.png'):
        own_reader(tmp_path).frames('val')


def test_coarse_truth_is_read_where_there_is_no_fine_one(tmp_path: Path) -> None:
    write_street(tmp_path, 'ulm', 'a', gtCoarse=8)
    assert own_reader(tmp_path).splits() == {'val'}
    (frame,) = own_reader(tmp_path).frames('val')
    assert own_reader(tmp_path).read_label_image(frame)[0, 0] == 1 << 8
    write_street(tmp_path, 'ulm', 'a', gtFine=7)
    for place, value in (('', 0), ('gtFine/SPLIT', 0), ('gtCoarse/SPLIT', 1 << 8)):
        reader = own_reader(tmp_path, truth=place)
        assert reader.read_label_image(reader.frames('val')[0])[0, 0] == value


def test_other_folders_of_images_keep_their_word(tmp_path: Path) -> None:
    write_street(tmp_path, 'ulm', 'a', gtFine=7)
    folder = tmp_path / 'rightImg8bit' / 'val' / 'ulm'
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / 'a_rightImg8bit.png'), np.zeros((4, 6, 3), np.uint8))
    (frame,) = own_reader(tmp_path, images='rightImg8bit/SPLIT').frames('val')
    assert frame.image == folder / 'a_rightImg8bit.png'
    assert frame.instances is not None and frame.instances.is_file()


def test_a_palette_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'ids.png'
    Image.fromarray(np.zeros((4, 6), np.uint8)).convert('P').save(path)
    with pytest.raises(ImageError, match='a PNG of 8 bits with a palette, expected a single-chan'):
        read_label_image(path, LABELS)
