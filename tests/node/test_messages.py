# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the makers make of a labelled image."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from tests.node import fake_vision_msgs
from tests.node.fake_pipeline import CAR_LABEL, ROAD_LABEL
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.overlay import boundary_mask, draw_overlay
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.node import messages
from upsnet_ros.node.calibration import overlay_calibration_message
from upsnet_ros.node.messages import ClassTable, LabelledImage

HEADER = Header(frame_id='camera_optical_frame')
LABELS = np.array([[0, 3329, 65535], [256, 2560, 1]], np.uint16)
CAR = Instance(3329, 13, 'car', 0.75, (10.0, 20.0, 40.0, 30.0), 100)
TABLE = ClassTable(HEADER, cityscapes_label_set(), 'tiny', 1)


def labelled(
    labels: np.ndarray = LABELS, *instances: Instance, scale: float = 1.0, alpha: float = 1.0
) -> LabelledImage:
    picture = np.full((*labels.shape, 3), (10, 120, 240), np.uint8)
    result = PanopticResult(labels, instances, 1 / 6)
    return LabelledImage(HEADER, picture, result, TABLE.label_set, None, alpha, scale)


def test_label_and_semantic_messages_hold_the_values_little_endian() -> None:
    message = messages.label_message(labelled())
    assert (message.encoding, message.is_bigendian) == ('16UC1', 0)
    assert (message.height, message.width, message.step) == (2, 3, 6)
    assert message.header == HEADER
    assert list(message.data[:6]) == [0, 0, 1, 13, 255, 255]
    np.testing.assert_array_equal(np.frombuffer(message.data, '<u2').reshape(2, 3), LABELS)
    semantic = messages.semantic_message(labelled())
    assert (semantic.encoding, semantic.step) == ('mono8', 3)
    assert list(semantic.data) == [0, 13, 255, 1, 10, 0]


def test_a_label_image_that_is_a_view_is_copied_right() -> None:
    labels = np.arange(24, dtype=np.uint16).reshape(4, 6)[::2, 1:4]
    message = messages.label_message(labelled(labels))
    assert message.step == 6
    np.testing.assert_array_equal(np.frombuffer(message.data, '<u2').reshape(2, 3), labels)


def test_the_unknown_mask_is_white_where_nothing_is_known() -> None:
    labels = np.array([[0, 3329, 65535], [65535, 65280, 255]], np.uint16)
    message = messages.unknown_message(labelled(labels))
    assert (message.encoding, message.height, message.width, message.step) == ('mono8', 2, 3, 3)
    assert list(message.data) == [0, 0, 255, 255, 0, 0]


def test_confidence_is_the_score_of_the_pixels_own_instance_and_nothing_else() -> None:
    labels = np.array([[0, 3329, 3330], [3329, 65535, 2561]], np.uint16)
    scores = {3329: 0.75, 3330: 0.5, 2561: 1.0}
    found = [
        Instance(label, label >> 8, 'car', score, (0.0, 0.0, 1.0, 1.0), 1)
        for label, score in scores.items()
    ]
    message = messages.confidence_message(labelled(labels, *found))
    assert (message.encoding, message.is_bigendian, message.step) == ('32FC1', 0, 12)
    values = np.frombuffer(message.data, '<f4').reshape(2, 3)
    np.testing.assert_array_equal(values, [[np.nan, 0.75, 0.5], [0.75, np.nan, 1.0]])
    nothing = messages.confidence_message(labelled(labels))
    assert np.isnan(np.frombuffer(nothing.data, '<f4')).all()


@pytest.mark.parametrize(
    ('size', 'scale', 'expected'),
    [
        ((6, 8), 1.0, (6, 8)),
        ((6, 8), 0.5, (3, 4)),
        ((5, 7), 0.5, (2, 4)),
        ((1, 1), 0.01, (1, 1)),
        ((1, 900), 0.01, (1, 9)),
    ],
)
def test_the_overlay_is_the_drawing_of_the_scaled_picture(size, scale, expected) -> None:
    labels = np.full(size, ROAD_LABEL, np.uint16)
    labels[:, : size[1] // 2] = CAR_LABEL
    image = labelled(labels, scale=scale, alpha=0.5)
    message = messages.overlay_message(image)
    assert (message.height, message.width) == image.overlay_size == expected
    small = cv2.resize(labels, expected[::-1], interpolation=cv2.INTER_NEAREST)
    picture = np.full((*expected, 3), (10, 120, 240), np.uint8)
    drawn = draw_overlay(picture, small, TABLE.label_set, alpha=0.5)
    seen = np.frombuffer(message.data, np.uint8).reshape(*expected, 3)
    assert message.encoding == 'rgb8'
    np.testing.assert_array_equal(seen[..., ::-1], drawn)


def test_labels_of_a_smaller_overlay_are_never_mixed(monkeypatch) -> None:
    labels = np.zeros((64, 64), np.uint16)
    labels[:, ::2] = CAR_LABEL
    drawn = []
    monkeypatch.setattr(
        messages, 'draw_overlay', lambda picture, labels, *_, **__: drawn.append(labels) or picture
    )
    messages.overlay_message(labelled(labels, scale=0.25))
    assert set(np.unique(drawn[0])) <= {0, CAR_LABEL}


@pytest.mark.parametrize(('scale', 'size'), [(1.0, (64, 96)), (0.5, (32, 48)), (0.25, (16, 24))])
def test_a_picture_decoded_smaller_gives_outputs_of_the_cameras_size(scale, size) -> None:
    rng = np.random.default_rng(3)
    labels = rng.choice(np.array([0, CAR_LABEL, 65535], np.uint16), (64, 96))
    small = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    info = CameraInfo(height=64, width=96, k=np.eye(3).ravel(), p=np.eye(3, 4).ravel())
    result = PanopticResult(labels, (), 0.0)
    image = LabelledImage(HEADER, small, result, TABLE.label_set, info, 0.0, scale)
    overlay = messages.overlay_message(image)
    scaled = overlay_calibration_message(image)
    assert (overlay.height, overlay.width) == (scaled.height, scaled.width) == size
    assert scaled.k[0] == pytest.approx(scale)
    shown = np.frombuffer(overlay.data, np.uint8).reshape(*size, 3)
    if scale == 0.5:
        plain = ~boundary_mask(labels[::2, ::2]).astype(bool)
        np.testing.assert_array_equal(shown[plain], small[plain][:, ::-1])


def test_a_detection_has_centre_size_class_and_label(monkeypatch) -> None:
    fake_vision_msgs.install(monkeypatch)
    message = messages.detections_message(labelled(LABELS, CAR))
    (detection,) = message.detections
    assert (message.header, detection.header, detection.id) == (HEADER, HEADER, '3329')
    assert detection.results[0].hypothesis.class_id == '13'
    assert detection.results[0].hypothesis.score == 0.75
    box = detection.bbox
    assert (box.center.position.x, box.center.position.y) == (25.0, 25.0)
    assert (box.size_x, box.size_y) == (30.0, 10.0)
