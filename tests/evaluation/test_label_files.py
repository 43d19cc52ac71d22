# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where label images of a replay are written."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.label_files import label_path, write_label


def test_labels_come_back_as_they_were(tmp_path: Path) -> None:
    labels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    path = write_label(tmp_path, 'cameras/front', 12, labels)
    assert path == tmp_path / 'labels' / 'cameras.front' / '12.png'
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), labels)


def test_no_two_cameras_share_a_folder(tmp_path: Path) -> None:
    names = ['a/b', 'a_b', 'a/b_c', 'a_b/c', 'a/b/c']
    assert len({label_path(tmp_path, name, 1) for name in names}) == len(names)


def test_labels_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    label_path(tmp_path, 'camera', 7).mkdir(parents=True)
    with pytest.raises(EvaluationError, match=r'7\.png could not be written'):
        write_label(tmp_path, 'camera', 7, np.zeros((2, 2), np.uint16))
