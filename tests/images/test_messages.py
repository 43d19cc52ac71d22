# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages as they lie in a bag, and label images of both kinds."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.images.plain_messages import Compressed, compressed, raw
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.messages import describe_encoding, image_to_bgr, label_image

BGR = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
LABELS = np.array([[1, 65535], [3328, 256]], np.uint16)


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode('.png', picture)[1].tobytes()


def in_a_bag(message):
    """The message with its data as rosbags has them."""
    return replace(message, data=np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize('message', [raw(BGR, 'bgr8', padding=3), compressed(png(BGR))])
def test_pictures_of_ros_and_of_a_bag_are_read_alike(message) -> None:
    for each in (message, in_a_bag(message)):
        np.testing.assert_array_equal(image_to_bgr(each), BGR)


def test_the_encoding_is_described() -> None:
    assert describe_encoding(raw(BGR, 'bgr8')) == 'bgr8'
    assert describe_encoding(Compressed('bgr8; jpeg')) == 'bgr8; jpeg'


@pytest.mark.parametrize(
    'message',
    [
        raw(LABELS, '16UC1', padding=2),
        raw(LABELS, 'mono16', padding=2, big_endian=True),
        compressed(png(LABELS)),
    ],
)
def test_labels_come_raw_in_both_byte_orders_or_as_png(message) -> None:
    for each in (message, in_a_bag(message)):
        found = label_image(each)
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize(
    ('message', 'text'),
    [
        (raw(BGR[..., 0], 'mono8'), "'mono8'; expected 16UC1"),
        (replace(raw(LABELS, '16UC1'), step=3), 'step is 3 bytes, expected at least 4'),
        (replace(raw(LABELS, '16UC1'), height=3), '8 bytes, expected 12'),
        (compressed(png(BGR)), 'PNG of mode RGB, expected a PNG of one channel of 16 bits'),
        (compressed(cv2.imencode('.jpg', BGR[..., 0])[1].tobytes()), 'expected a PNG'),
        (compressed(png(LABELS)[:-5]), 'cut off or damaged'),
    ],
)
def test_what_is_no_label_image_is_refused(message, text: str) -> None:
    with pytest.raises(ImageError, match=text):
        label_image(message)
