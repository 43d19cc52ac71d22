# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames through the node over DDS: what comes out, and what becomes of bad ones."""

import cv2
import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from tests.node.fake_pipeline import CAR_LABEL, expected_labels
from tests.node.node_harness import (
    half_blue_image,
    image_message,
    labels_of,
    message_data,
    wait_until,
)
from upsnet_ros.msg import PanopticInstanceArray

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def compressed_message(image: np.ndarray, stamp: int) -> CompressedImage:
    message = CompressedImage(
        header=image_message(image, stamp=stamp).header,
        format='png',
        data=message_data(cv2.imencode('.png', image)[1]),
    )
    return message


def test_every_output_carries_the_header_of_the_input_unchanged(start_node) -> None:
    harness = start_node().activate()
    outputs = {
        topic: harness.subscribe(kind, f'camera/{topic}')
        for topic, kind in {
            'panoptic/image': Image,
            'panoptic/instances': PanopticInstanceArray,
            'panoptic/camera_info': CameraInfo,
            'semantic/image': Image,
            'overlay/image': Image,
        }.items()
    }
    info = CameraInfo(width=8, height=6, distortion_model='plumb_bob')
    info.k[0] = 500.0
    info.header.frame_id = 'another_frame'
    harness.publisher(CameraInfo, 'camera/camera_info').publish(info)
    wait_until(lambda: harness.node.parts.processor.camera_infos, 'camera info')
    image = half_blue_image(columns=3)
    sent = image_message(image, stamp=77)
    harness.publisher(Image, 'camera/image_raw').publish(sent)
    received = {topic: collector.wait()[0] for topic, collector in outputs.items()}

    for message in received.values():
        assert message.header == sent.header
    label_image = received['panoptic/image']
    assert (label_image.encoding, label_image.step) == ('16UC1', 16)
    np.testing.assert_array_equal(labels_of(label_image), expected_labels(image))
    semantic = received['semantic/image']
    assert semantic.encoding == 'mono8'
    np.testing.assert_array_equal(
        np.frombuffer(semantic.data, np.uint8).reshape(6, 8), expected_labels(image) >> 8
    )
    instances = received['panoptic/instances']
    assert instances.unknown_share == 0.25
    (car,) = instances.instances
    assert (car.label, car.class_id, car.class_name, car.area) == (CAR_LABEL, 13, 'car', 18)
    assert (car.x_min, car.y_min, car.x_max, car.y_max) == (1.0, 2.0, 3.0, 4.0)
    assert car.score == np.float32(0.9)
    assert (received['overlay/image'].encoding, received['overlay/image'].width) == ('rgb8', 8)
    calibration = received['panoptic/camera_info']
    assert (calibration.k[0], calibration.distortion_model) == (500.0, 'plumb_bob')


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_transport_decides_which_topic_is_read(start_node, transport: str) -> None:
    harness = start_node(image_transport=transport).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    image = half_blue_image()
    if transport == 'raw':
        publisher = harness.publisher(Image, 'camera/image_raw')
        publisher.publish(image_message(image, stamp=1))
    else:
        publisher = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
        publisher.publish(compressed_message(image, stamp=1))
    np.testing.assert_array_equal(labels_of(labels.wait(1)[0]), expected_labels(image))
    unread = {'raw': 'camera/image_raw/compressed', 'compressed': 'camera/image_raw'}
    assert harness.node.count_subscribers(unread[transport]) == 0


def test_with_both_transports_one_is_used_until_it_falls_silent(start_node) -> None:
    harness = start_node(stale_after=3600.0).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    packed = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
    image = half_blue_image()
    raw.publish(image_message(image, stamp=1))
    labels.wait(1)
    for stamp in (1, 2):
        packed.publish(compressed_message(image, stamp=stamp))
    raw.publish(image_message(image, stamp=3))
    assert [m.header.stamp.sec for m in labels.wait(2)] == [1, 3]
    assert harness.set_parameters(stale_after=0.05).successful

    def switched() -> bool:
        packed.publish(compressed_message(image, stamp=4))
        return labels.messages[-1].header.stamp.sec == 4

    wait_until(switched, 'a frame of the other transport')
    np.testing.assert_array_equal(labels_of(labels.messages[-1]), expected_labels(image))


def bad_messages() -> dict[str, Image | CompressedImage]:
    image = half_blue_image()
    bad_encoding = image_message(image, encoding='64FC9', stamp=100)
    bad_step = image_message(image, stamp=101)
    bad_step.step = 5
    short = image_message(image, stamp=102)
    short.data = short.data[:10]
    empty = Image(encoding='bgr8')
    empty.header.stamp.sec = 103
    cut = compressed_message(image, stamp=104)
    cut.data = message_data(cv2.imencode('.jpg', np.tile(image, (20, 20, 1)))[1][:-40])
    cut.format = 'jpeg'
    return {'encoding': bad_encoding, 'step': bad_step, 'data': short, 'size': empty, 'cut': cut}


@pytest.mark.parametrize('field', ['encoding', 'step', 'data', 'size', 'cut'])
def test_a_bad_frame_is_counted_and_the_next_good_one_served(
    start_node, field: str, capfd
) -> None:
    message = bad_messages()[field]
    harness = start_node(diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    packed = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
    (packed if isinstance(message, CompressedImage) else raw).publish(message)
    diagnostics.status('camera camera', level=b'\x02', text=field, state='rejected', rejected='1')

    raw.publish(image_message(half_blue_image(), stamp=200))
    assert [m.header.stamp.sec for m in labels.wait()] == [200]
    diagnostics.status('camera camera', state='ok', received='2', processed='1', rejected='1')
    assert capfd.readouterr().err.count('frame rejected') == 1


def test_automatic_input_turns_to_best_effort_for_a_publisher_that_comes_later(start_node) -> None:
    harness = start_node(diagnostics_period=0.05)
    reliable = harness.client.create_publisher(Image, 'camera/image_raw', QoSProfile(depth=1))
    wait_until(lambda: harness.node.count_publishers('camera/image_raw') == 1, 'discovery')
    harness.activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    wait_until(lambda: reliable.get_subscription_count() == 1, 'match')
    late = harness.client.create_publisher(Image, 'camera/image_raw', BEST_EFFORT)

    def reliabilities() -> list[ReliabilityPolicy]:
        found = harness.client.get_subscriptions_info_by_topic(late.topic_name)
        return [info.qos_profile.reliability for info in found]

    wait_until(lambda: reliabilities() == [ReliabilityPolicy.BEST_EFFORT], 'best effort')
    for stamp, publisher in ((1, late), (2, reliable)):
        wait_until(lambda publisher=publisher: publisher.get_subscription_count() == 1, 'match')
        publisher.publish(image_message(half_blue_image(), stamp=stamp))
        assert labels.wait(stamp)[-1].header.stamp.sec == stamp
    assert harness.node.parts.cameras[0].snapshot().qos_problem == ''
    assert harness.change_state('deactivate')
    wait_until(lambda: reliabilities() == [], 'end of the subscription')


def test_the_rate_of_a_camera_is_live(start_node) -> None:
    harness = start_node().activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    camera = harness.node.parts.cameras[0]

    def send(stamp: int) -> None:
        raw.publish(image_message(half_blue_image(), stamp=stamp))
        wait_until(lambda: camera.snapshot().received == stamp, f'arrival of {stamp}')

    assert harness.set_parameters(max_rate=0.01).successful
    for stamp in (1, 2, 3):
        send(stamp)
    assert harness.set_parameters(max_rate=0.0).successful
    send(4)
    labels.wait_for(lambda seen: [m.header.stamp.sec for m in seen] == [1, 4], 'first and last')
    assert camera.snapshot().rate_limited == 2
