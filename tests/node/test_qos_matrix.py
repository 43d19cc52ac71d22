# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What publishers of images offer, what the node asks for, and what comes of it over DDS."""

import pytest
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.node.node_harness import half_blue_image, image_message, wait_until
from tests.node.qos_rig import BEST_EFFORT, OFFERS, RELIABLE, image_override, known_namespace


@pytest.fixture
def namespace(monkeypatch) -> str:
    return known_namespace(monkeypatch)


def asked_reliability(input_qos: str, reliability: str, offer: str) -> ReliabilityPolicy:
    """What the node should ask of a publisher that was there first."""
    if reliability:
        return RELIABLE if reliability == 'reliable' else BEST_EFFORT
    if input_qos == 'auto':
        return OFFERS[offer].reliability
    return RELIABLE if input_qos == 'reliable' else BEST_EFFORT


@pytest.mark.parametrize('reliability', ['', 'reliable', 'best_effort'])
@pytest.mark.parametrize('input_qos', ['auto', 'sensor_data', 'reliable'])
def test_matrix_of_offers_and_requests(start_node, namespace, input_qos, reliability) -> None:
    parameters = {'camera_names': list(OFFERS), 'input_qos': input_qos, 'image_transport': 'raw'}
    if reliability:
        names = [image_override(namespace, 'reliability', camera) for camera in OFFERS]
        parameters.update(dict.fromkeys(names, reliability))
    harness = start_node(**parameters, diagnostics_period=0.05)
    publishers = {
        camera: harness.client.create_publisher(Image, f'{camera}/image_raw', qos)
        for camera, qos in OFFERS.items()
    }
    for camera in OFFERS:
        topic = f'{camera}/image_raw'
        wait_until(lambda topic=topic: harness.node.count_publishers(topic) == 1, topic)
    diagnostics = harness.diagnostics()
    harness.activate()
    for number, (camera, publisher) in enumerate(publishers.items()):
        asked = asked_reliability(input_qos, reliability, camera)
        found = harness.node.get_subscriptions_info_by_topic(publisher.topic_name)
        assert [info.qos_profile.reliability for info in found] == [asked]
        if asked == RELIABLE and OFFERS[camera].reliability == BEST_EFFORT:
            diagnostics.status(f'camera {camera}', level=b'\x02', text='RELIABILITY')
            assert publisher.get_subscription_count() == 0
            continue
        labels = harness.subscribe(Image, f'{camera}/panoptic/image')
        output = harness.output('panoptic/image', camera)
        wait_until(output.get_subscription_count, f'reader of {camera}')
        wait_until(publisher.get_subscription_count, f'match of {camera}')
        publisher.publish(image_message(half_blue_image(), stamp=number + 1))
        assert labels.wait()[0].header.stamp.sec == number + 1


def test_a_kept_image_reaches_an_input_that_asks_for_it(start_node, namespace) -> None:
    harness = start_node(
        **{
            image_override(namespace, 'durability'): 'transient_local',
            image_override(namespace, 'reliability'): 'reliable',
        }
    )
    publisher = harness.client.create_publisher(Image, 'camera/image_raw', OFFERS['reliable_kept'])
    assert harness.change_state('configure')
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    wait_until(harness.output('panoptic/image').get_subscription_count, 'reader')
    publisher.publish(image_message(half_blue_image(), stamp=6))
    assert harness.change_state('activate')
    assert labels.wait()[0].header.stamp.sec == 6


def test_a_publisher_refused_for_an_override_is_explained_by_it(
    start_node, namespace, capfd
) -> None:
    name = image_override(namespace, 'durability')
    harness = start_node(**{name: 'transient_local'}, diagnostics_period=0.05)
    diagnostics = harness.diagnostics()
    harness.activate()
    harness.client.create_publisher(Image, 'camera/image_raw', OFFERS['reliable'])
    assert 'qos_overrides' in diagnostics.status('camera camera', text='DURABILITY').message
    assert f"change the parameter '{name}'" in capfd.readouterr().err


def test_automatic_input_does_not_relax_what_was_asked_for(start_node, namespace, capfd) -> None:
    name = image_override(namespace, 'reliability')
    harness = start_node(**{name: 'reliable'}, input_qos='auto', diagnostics_period=0.05)
    diagnostics = harness.diagnostics()
    harness.activate()
    late = harness.client.create_publisher(Image, 'camera/image_raw', OFFERS['best_effort'])
    diagnostics.status('camera camera', text='RELIABILITY')
    found = harness.node.get_subscriptions_info_by_topic(late.topic_name)
    assert [info.qos_profile.reliability for info in found] == [RELIABLE]
    assert f"change the parameter '{name}'" in capfd.readouterr().err
