# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import cv2
import numpy as np
import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from tests.node.fake_pipeline import CAR_LABEL, ROAD_LABEL
from tests.node.node_harness import half_blue_image, image_message, wait_until
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.overlay import draw_overlay
from upsnet_ros.node.overlay_output import OverlayOutput, scaled


class Publisher:
    def __init__(self) -> None:
        self.messages: list[Image] = []
        self.subscriptions = 1
        self.qos_profile = QoSProfile(depth=1)

    def get_subscription_count(self) -> int:
        return self.subscriptions

    def publish(self, message: Image) -> None:
        self.messages.append(message)


class Rig:
    def __init__(self) -> None:
        self.now = 50.0
        self.publisher = Publisher()
        self.output = OverlayOutput(self.publisher, cityscapes_label_set(), clock=lambda: self.now)

    def offer(self, *, rate_hz: float = 0.0, scale: float = 1.0, size=(6, 8)) -> None:
        labels = np.full(size, ROAD_LABEL, np.uint16)
        labels[:, : size[1] // 2] = CAR_LABEL
        image = np.zeros((*size, 3), np.uint8)
        self.output.publish(
            image, labels, header=Header(), alpha=1.0, rate_hz=rate_hz, scale=scale
        )


@pytest.mark.parametrize(('rate', 'expected'), [(0.0, 100), (5.0, 50), (1.0, 10), (0.1, 1)])
def test_overlays_keep_their_rate(rate: float, expected: int) -> None:
    rig = Rig()
    for _ in range(100):
        rig.offer(rate_hz=rate)
        rig.now += 0.1 + 1e-9
    assert len(rig.publisher.messages) == expected


def test_nothing_is_drawn_and_no_time_used_up_for_nobody(monkeypatch) -> None:
    rig = Rig()
    rig.publisher.subscriptions = 0
    rig.offer(rate_hz=0.001)
    assert rig.publisher.messages == []
    rig.publisher.subscriptions = 1
    rig.offer(rate_hz=0.001)
    assert len(rig.publisher.messages) == 1


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
def test_the_size_is_that_share_and_at_least_one_pixel(size, scale, expected) -> None:
    rig = Rig()
    rig.offer(scale=scale, size=size)
    (message,) = rig.publisher.messages
    assert (message.height, message.width) == expected
    assert len(message.data) == expected[0] * expected[1] * 3


def test_labels_are_never_mixed_and_colours_are() -> None:
    labels = np.zeros((64, 64), np.uint16)
    labels[:, ::2] = CAR_LABEL
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, ::2] = 200
    small_image, small_labels = scaled(image, labels, 0.25)
    assert set(np.unique(small_labels)) <= {0, CAR_LABEL}
    np.testing.assert_array_equal(small_image, np.full((16, 16, 3), 100, np.uint8))


def test_the_scaled_overlay_is_the_drawing_of_the_scaled_picture() -> None:
    rig = Rig()
    rig.offer(scale=0.5)
    labels = np.full((3, 4), ROAD_LABEL, np.uint16)
    labels[:, :2] = CAR_LABEL
    image = np.zeros((3, 4, 3), np.uint8)
    drawn = draw_overlay(image, labels, cityscapes_label_set(), alpha=1.0)
    seen = np.frombuffer(rig.publisher.messages[0].data, np.uint8).reshape(3, 4, 3)
    np.testing.assert_array_equal(cv2.cvtColor(seen, cv2.COLOR_RGB2BGR), drawn)


def test_rate_and_size_are_live(start_node) -> None:
    harness = start_node(overlay_rate=0.001).activate()
    overlay = harness.subscribe(Image, 'camera/overlay/image')
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    publisher = harness.node.parts.outputs['camera']._overlay
    wait_until(lambda: publisher.get_subscription_count() == 1, 'match')

    def serve(stamp: int) -> None:
        raw.publish(image_message(half_blue_image(), stamp=stamp))
        labels.wait_for(
            lambda seen: bool(seen) and seen[-1].header.stamp.sec == stamp, f'labels {stamp}'
        )

    serve(1)
    serve(2)
    assert harness.set_parameters(overlay_rate=0.0, overlay_scale=0.5).successful
    serve(3)
    first, second = overlay.wait(2)
    assert (first.header.stamp.sec, first.width, first.height) == (1, 8, 6)
    assert (second.header.stamp.sec, second.width, second.height) == (3, 4, 3)


def test_the_rate_of_a_camera_is_live(start_node) -> None:
    harness = start_node().activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    camera = harness.node.parts.cameras[0]

    def send(stamp: int) -> None:
        raw.publish(image_message(half_blue_image(), stamp=stamp))
        wait_until(lambda: camera.snapshot().received == stamp, f'arrival of {stamp}')

    assert harness.set_parameters(max_rate=0.01).successful
    send(1)
    send(2)
    send(3)
    assert harness.set_parameters(max_rate=0.0).successful
    send(4)
    labels.wait_for(lambda seen: [m.header.stamp.sec for m in seen] == [1, 4], 'first and last')
    assert camera.snapshot().rate_limited == 2
