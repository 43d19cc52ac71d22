# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading Cityscapes files and building samples."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.augmentation import make_sample, nearest_resize, scale_factor, true_boxes
from training.data.cityscapes import DataError, find_frames, read_image, read_label_image
from training.data.loader import EndlessBatches, pad_sample
from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.labels import cityscapes_label_set, encode_label

LABELS = cityscapes_label_set()


def write_ids(path: Path, values: list[list[int]]) -> Path:
    cv2.imwrite(str(path), np.array(values, np.uint16))
    return path


def test_instance_ids_become_label_values(tmp_path: Path) -> None:
    path = write_ids(tmp_path / 'ids.png', [[7, 26, 26000, 26003, 24001, 0, 29]])
    labels = read_label_image(path, LABELS)
    car, person = 13, 11
    expected = [
        encode_label(0, 0),
        encode_label(car, 0),  # a group: crowd
        encode_label(car, 1),
        encode_label(car, 2),
        encode_label(person, 1),
        65535,  # unlabelled
        65535,  # caravan: not trained
    ]
    assert labels.tolist() == [expected]


def test_group_of_an_untrained_class_is_void(tmp_path: Path) -> None:
    path = write_ids(tmp_path / 'ids.png', [[29000, 30001, 7]])
    assert read_label_image(path, LABELS).tolist() == [[65535, 65535, 0]]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'\x89PNG no')
    with pytest.raises(ImageError, match=r'broken\.png'):
        read_image(broken)
    with pytest.raises(ImageError, match=r'broken\.png'):
        read_label_image(broken, LABELS)


def test_missing_folder_and_missing_truth_are_named(town: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no images'):
        find_frames(tmp_path, 'train')
    folder = tmp_path / 'leftImg8bit' / 'train' / 'town'
    folder.mkdir(parents=True)
    (folder / 'town_0_0_leftImg8bit.png').write_bytes(b'')
    with pytest.raises(DataError, match='town_0_0_gtFine_instanceIds'):
        find_frames(tmp_path, 'train')
    assert len(find_frames(town, 'train')) == 3


def make_labels() -> np.ndarray:
    labels = np.zeros((40, 60), np.uint16)
    labels[10:20, 5:25] = encode_label(13, 1)
    labels[30:40, 50:60] = encode_label(11, 1)
    labels[0:5] = encode_label(13, 0)  # crowd
    labels[5:6] = 65535
    return labels


def test_boxes_are_inclusive_and_leave_crowds_out() -> None:
    boxes, values = true_boxes(make_labels(), num_stuff=11)
    assert values.tolist() == [encode_label(11, 1), encode_label(13, 1)]
    assert boxes.tolist() == [[50, 30, 59, 39], [5, 10, 24, 19]]


def test_sample_is_padded_and_scaled() -> None:
    image = np.full((40, 60, 3), 77, np.uint8)
    sample = make_sample('x', image, make_labels(), scale=0.5, flip=False, num_stuff=11)
    assert tuple(sample.image.shape) == (3, 32, 32)
    assert sample.size == (20, 30)
    assert sample.boxes.tolist() == [[25, 15, 29.5, 19.5], [2.5, 5, 12, 9.5]]
    assert sample.classes.tolist() == [1, 3]
    assert sample.image[:, 25, 25].tolist() == [103, 116, 123]
    assert (sample.semantic[20:] == 255).all()
    assert sample.semantic[0, 0] == 13  # crowd keeps its class in the semantic map
    assert sample.masks[1].sum() == 50
    assert not sample.masks[:, 20:].any()


def test_flip_mirrors_everything() -> None:
    image = np.arange(40 * 60 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 60, 3)
    plain = make_sample('x', image, make_labels(), scale=1.0, flip=False, num_stuff=11)
    flipped = make_sample('x', image, make_labels(), scale=1.0, flip=True, num_stuff=11)
    assert (flipped.image[:, :40, :60].flip(2) == plain.image[:, :40, :60]).all()
    assert (flipped.masks[:, :40, :60].flip(2) == plain.masks[:, :40, :60]).all()
    x1, x2 = 59 - plain.boxes[:, 2], 59 - plain.boxes[:, 0]
    assert flipped.boxes[:, 0].tolist() == x1.tolist()
    assert flipped.boxes[:, 2].tolist() == x2.tolist()


def test_image_without_things_has_an_empty_sample() -> None:
    labels = np.zeros((32, 32), np.uint16)
    sample = make_sample(
        'x', np.zeros((32, 32, 3), np.uint8), labels, scale=1.0, flip=False, num_stuff=11
    )
    assert tuple(sample.boxes.shape) == (0, 4)
    assert tuple(sample.masks.shape) == (0, 32, 32)


@pytest.mark.parametrize(
    ('size', 'short', 'longest', 'expected'),
    [((1024, 2048), 800, 2048, 0.78125), ((480, 640), 800, 1333, 800 / 480),
     ((400, 1000), 800, 1333, 1.333)],
)  # fmt: skip
def test_scale_obeys_the_long_side(
    size: tuple[int, int], short: int, longest: int, expected: float
) -> None:
    scale = scale_factor(size, short_side=short, max_long_side=longest)
    assert scale == pytest.approx(expected)


def test_nearest_resize_equals_opencv_for_exact_factors() -> None:
    labels = np.random.default_rng(0).integers(0, 9, (48, 64)).astype(np.uint16)
    for scale in (0.5, 0.25, 2.0):
        size = (int(48 * scale), int(64 * scale))
        expected = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
        np.testing.assert_array_equal(nearest_resize(labels, scale=scale, size=size), expected)


def test_an_epoch_visits_every_index_once_and_resumes_anywhere() -> None:
    def batches(start: int) -> list[list[tuple[int, int]]]:
        return list(EndlessBatches(10, batch_size=5, seed=3, start=start, count=6))

    whole = batches(0)
    for epoch in range(3):
        visited = [index for batch in whole[2 * epoch : 2 * epoch + 2] for index, _ in batch]
        assert sorted(visited) == list(range(10))
    assert whole[0] != whole[2]
    assert batches(3) == whole[3:]


def test_padding_to_a_common_size_changes_nothing_inside() -> None:
    sample = make_sample(
        'x', np.zeros((32, 32, 3), np.uint8), make_labels()[:32, :32], scale=1.0, flip=False,
        num_stuff=11,
    )  # fmt: skip
    padded = pad_sample(sample, height=64, width=96)
    assert tuple(padded.image.shape) == (3, 64, 96)
    assert (padded.semantic[:32, :32] == sample.semantic).all()
    assert (padded.semantic[32:] == 255).all()
    assert not padded.masks[:, 32:].any()
