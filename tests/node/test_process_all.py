# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The mode for evaluation: every frame in its order, and a loud end where memory ends."""

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.node.node_harness import (
    half_blue_image,
    image_message,
    wait_until,
)

RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)


def test_every_frame_of_a_burst_is_answered_in_order(start_node) -> None:
    harness = start_node(process_all=True).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image', RELIABLE)
    raw = harness.publisher(Image, 'camera/image_raw', RELIABLE)
    harness.loader.pipeline.gate.clear()
    stamps = [*range(1, 20), 19, 5, *range(20, 30)]  # also what is out of order
    for stamp in stamps:
        raw.publish(image_message(half_blue_image(), stamp=stamp))
    camera = harness.node.parts.cameras[0]
    wait_until(lambda: camera.snapshot().received == len(stamps), 'arrival')
    harness.loader.pipeline.gate.set()
    assert [m.header.stamp.sec for m in labels.wait(len(stamps))] == stamps
    (info,) = harness.client.get_subscriptions_info_by_topic(raw.topic_name)
    assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert camera.snapshot().dropped == 0


def test_a_publisher_that_may_lose_images_is_named(start_node, capfd) -> None:
    harness = start_node(process_all=True).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    assert 'may be lost' not in capfd.readouterr().err
    unreliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    raw = harness.client.create_publisher(Image, 'camera/image_raw', unreliable)
    wait_until(lambda: raw.get_subscription_count() == 1, 'a subscription that takes it')
    raw.publish(image_message(half_blue_image(), stamp=1))
    labels.wait()
    errors = capfd.readouterr().err
    assert 'camera/image_raw' in errors and 'may be lost' in errors and 'RELIABLE' in errors


def test_a_contradiction_is_seen_in_the_values_as_a_whole(start_node) -> None:
    harness = start_node()
    assert not harness.set_parameters(max_consecutive_delays=2).successful
    assert harness.set_parameters(max_consecutive_delays=2, max_processing_time=9.0).successful
    result = harness.set_parameters(max_rate=5.0, process_all=True, overlay_alpha=0.1)
    assert not result.successful and 'max_rate' in result.reason
    values = harness.node.parameters
    assert (values.max_rate, values.process_all, values.overlay_alpha) == (0.0, False, 0.5)
    assert not harness.set_parameters(max_processing_time=0.0).successful
