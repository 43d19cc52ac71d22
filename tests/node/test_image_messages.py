# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np

from tests.node.node_harness import image_message
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.node.messages import (
    confidence_message,
    label_message,
    overlay_message,
    semantic_message,
    unknown_message,
)


def flat_picture(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (10, 120, 240), np.uint8)


def test_label_and_semantic_messages_hold_the_values_little_endian() -> None:
    labels = np.array([[0, 3329, 65535], [256, 2560, 1]], np.uint16)
    header = image_message(flat_picture(1, 1)).header
    message = label_message(labels, header)
    assert (message.encoding, message.is_bigendian) == ('16UC1', 0)
    assert (message.height, message.width, message.step) == (2, 3, 6)
    assert message.header == header
    assert list(message.data[:6]) == [0, 0, 1, 13, 255, 255]
    np.testing.assert_array_equal(np.frombuffer(message.data, '<u2').reshape(2, 3), labels)
    semantic = semantic_message(labels, header)
    assert (semantic.encoding, semantic.step) == ('mono8', 3)
    assert list(semantic.data) == [0, 13, 255, 1, 10, 0]


def test_a_label_image_that_is_a_view_is_copied_right() -> None:
    labels = np.arange(24, dtype=np.uint16).reshape(4, 6)[::2, 1:4]
    message = label_message(labels, image_message(flat_picture(1, 1)).header)
    assert message.step == 6
    np.testing.assert_array_equal(np.frombuffer(message.data, '<u2').reshape(2, 3), labels)


def test_overlay_is_rgb() -> None:
    message = overlay_message(flat_picture(1, 2), image_message(flat_picture(1, 1)).header)
    assert message.encoding == 'rgb8'
    assert list(message.data) == [240, 120, 10] * 2


def test_the_unknown_mask_is_white_where_nothing_is_known() -> None:
    labels = np.array([[0, 3329, 65535], [65535, 65280, 255]], np.uint16)
    message = unknown_message(labels, image_message(flat_picture(1, 1)).header)
    assert (message.encoding, message.height, message.width, message.step) == ('mono8', 2, 3, 3)
    assert list(message.data) == [0, 0, 255, 255, 0, 0]


def test_confidence_is_the_score_of_the_pixels_own_instance_and_nothing_else() -> None:
    labels = np.array([[0, 3329, 3330], [3329, 65535, 2561]], np.uint16)
    scores = {3329: 0.75, 3330: 0.5, 2561: 1.0}
    found = tuple(
        Instance(label, label >> 8, 'car', score, (0.0, 0.0, 1.0, 1.0), 1)
        for label, score in scores.items()
    )
    header = image_message(flat_picture(1, 1)).header
    message = confidence_message(PanopticResult(labels, found, 1 / 6), header)
    assert (message.encoding, message.is_bigendian, message.step) == ('32FC1', 0, 12)
    values = np.frombuffer(message.data, '<f4').reshape(2, 3)
    np.testing.assert_array_equal(values, [[np.nan, 0.75, 0.5], [0.75, np.nan, 1.0]])
    nothing = confidence_message(PanopticResult(labels, (), 1 / 6), header)
    assert np.isnan(np.frombuffer(nothing.data, '<f4')).all()
