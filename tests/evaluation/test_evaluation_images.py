# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.evaluation.small_drive import raw_image
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.messages import camera_image, label_image

IMAGE = 'sensor_msgs/msg/Image'
BGR = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
ALPHA = np.full((2, 3, 1), 255, np.uint8)
GREY = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)


@pytest.mark.parametrize(
    ('encoding', 'pixels', 'expected'),
    [
        ('bgr8', BGR, BGR),
        ('8UC3', BGR, BGR),
        ('rgb8', BGR[..., ::-1], BGR),
        ('bgra8', np.concatenate([BGR, ALPHA], 2), BGR),
        ('rgba8', np.concatenate([BGR[..., ::-1], ALPHA], 2), BGR),
        ('mono8', GREY, np.repeat(GREY[..., None], 3, 2)),
        ('8UC1', GREY, np.repeat(GREY[..., None], 3, 2)),
    ],
)
@pytest.mark.parametrize('padding', [0, 5])
def test_colour_encodings(
    encoding: str, pixels: np.ndarray, expected: np.ndarray, padding: int
) -> None:
    rows = pixels.reshape(2, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    message = raw_image(padded, encoding=encoding, width=3, step=padded.shape[1])
    image = camera_image(message, IMAGE)
    assert image.flags['C_CONTIGUOUS']
    np.testing.assert_array_equal(image, expected)


def test_a_png_comes_back_exactly() -> None:
    data = cv2.imencode('.png', BGR)[1].ravel()
    message = SimpleNamespace(format='png', data=data)
    np.testing.assert_array_equal(camera_image(message, 'sensor_msgs/msg/CompressedImage'), BGR)


def test_unreadable_data_is_named_with_its_size_and_format() -> None:
    message = SimpleNamespace(format='jpeg', data=np.array([1, 2, 3], np.uint8))
    with pytest.raises(ImageError, match="format 'jpeg'.*JPEG or PNG"):
        camera_image(message, 'sensor_msgs/msg/CompressedImage')


def test_an_unknown_encoding_is_refused() -> None:
    message = raw_image(GREY, encoding='32FC1', width=3, step=12)
    with pytest.raises(ImageError, match='32FC1'):
        camera_image(message, IMAGE)


@pytest.mark.parametrize(('width', 'step'), [(0, 3), (3, 2), (3, 4)])
def test_a_size_that_does_not_fit_its_data_is_refused(width: int, step: int) -> None:
    with pytest.raises(ImageError, match='step|at least one pixel'):
        camera_image(raw_image(GREY, encoding='mono8', width=width, step=step), IMAGE)


@pytest.mark.parametrize(('order', 'flag'), [('<u2', 0), ('>u2', 1)])
def test_labels_of_both_byte_orders_with_padded_rows(order: str, flag: int) -> None:
    label = np.array([[1, 65535], [3328, 256]], np.uint16)
    data = np.pad(label.astype(order).view(np.uint8), ((0, 0), (0, 2)))
    message = raw_image(data, encoding='16UC1', width=2, step=6, is_bigendian=flag)
    result = label_image(message)
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, label)


def test_a_label_image_of_another_encoding_is_refused() -> None:
    with pytest.raises(ImageError, match='expected 16UC1'):
        label_image(raw_image(GREY, encoding='mono8', width=3, step=3))
