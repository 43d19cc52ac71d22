# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.bags.small_drive import raw_image
from upsnet_ros.bags.truth import labels_of_instance_ids, truth_labels
from upsnet_ros.core.errors import ImageError, LabelError
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set

LABEL_SET = cityscapes_label_set()


def packed(picture: np.ndarray, suffix: str = '.png') -> SimpleNamespace:
    return SimpleNamespace(format=suffix[1:], data=cv2.imencode(suffix, picture)[1].ravel())


def test_truth_comes_raw_or_as_png() -> None:
    label = np.array([[0, 3329], [2560, UNKNOWN_LABEL]], np.uint16)
    raw = raw_image(label, encoding='16UC1', width=2, step=4)
    for message in (raw, packed(label)):
        found = truth_labels(message, truth_format='panoptic', label_set=LABEL_SET)
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, label)


def test_truth_in_colour_is_refused() -> None:
    message = packed(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ImageError, match='one channel of 16 bits'):
        truth_labels(message, truth_format='panoptic', label_set=LABEL_SET)


def test_instance_ids_become_labels() -> None:
    # road, sky, ego vehicle; cars 26000 and 26007, a crowd of cars; a trailer, which is no class
    # of the set; an id that no class has.
    ids = np.array([[7, 23, 1, 26000, 26007, 26, 30002, 65535]], np.uint16)
    void = UNKNOWN_LABEL
    expected = [[0, 10 << 8, void, (13 << 8) + 1, (13 << 8) + 2, 13 << 8, void, void]]
    np.testing.assert_array_equal(labels_of_instance_ids(ids, LABEL_SET), expected)
    message = packed(ids)
    found = truth_labels(message, truth_format='instance_ids', label_set=LABEL_SET)
    np.testing.assert_array_equal(found, expected)


def test_more_objects_than_a_label_image_holds_are_refused() -> None:
    ids = (24000 + np.arange(256, dtype=np.uint16)).reshape(16, 16)
    with pytest.raises(LabelError, match="more than 255 objects of 'person'"):
        labels_of_instance_ids(ids, LABEL_SET)
    assert labels_of_instance_ids(ids[:, :15], LABEL_SET).max() == (11 << 8) + 240
