# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from tests.node import fake_vision_msgs
from tests.node.node_harness import LATCHED, half_blue_image, image_message, wait_until
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.structures import Instance
from upsnet_ros.node.qos import LATCHED_QOS
from upsnet_ros.node.vision_outputs import (
    detection_message,
    label_info_message,
    vision_msgs_is_installed,
)

CAR = Instance(3329, 13, 'car', 0.75, (10.0, 20.0, 40.0, 30.0), 100)


def test_a_detection_has_centre_size_class_and_label(monkeypatch) -> None:
    fake_vision_msgs.install(monkeypatch)
    header = Header(frame_id='camera')
    detection = detection_message(CAR, header)
    assert (detection.header, detection.id) == (header, '3329')
    assert detection.results[0].hypothesis.class_id == '13'
    assert detection.results[0].hypothesis.score == 0.75
    box = detection.bbox
    assert (box.center.position.x, box.center.position.y) == (25.0, 25.0)
    assert (box.size_x, box.size_y) == (30.0, 10.0)


def test_label_info_names_every_class(monkeypatch) -> None:
    fake_vision_msgs.install(monkeypatch)
    message = label_info_message(cityscapes_label_set(), Header(), threshold=1)
    assert message.threshold == 1.0
    names = {entry.class_id: entry.class_name for entry in message.class_map}
    assert len(names) == 19
    assert (names[0], names[18]) == ('road', 'bicycle')


def test_the_node_publishes_its_twins_for_readers_while_they_are_on(
    start_node, monkeypatch
) -> None:
    made = fake_vision_msgs.install_publishers(monkeypatch)
    harness = start_node(publish_detections=False).activate()
    detections = made['camera/panoptic/detections']
    raw = harness.publisher(Image, 'camera/image_raw')
    camera = harness.node.parts.cameras[0]

    def serve(stamp: int) -> Image:
        sent = image_message(half_blue_image(), stamp=stamp)
        raw.publish(sent)
        wait_until(lambda: camera.snapshot().processed == stamp, f'frame {stamp}')
        return sent

    detections.readers = 1
    serve(1)
    assert harness.set_parameters(publish_detections=True, publish_instances=False).successful
    detections.readers = 0
    serve(2)
    assert detections.messages == []
    detections.readers = 1
    sent = serve(3)
    (message,) = detections.messages
    assert message.header == sent.header
    (car,) = message.detections
    assert (car.header, car.id, car.results[0].hypothesis.class_id) == (sent.header, '3329', '13')
    assert harness.change_state('deactivate') and harness.change_state('cleanup')


def test_the_class_table_follows_the_threshold(start_node, monkeypatch) -> None:
    made = fake_vision_msgs.install_publishers(monkeypatch)
    harness = start_node().activate()
    table = made['camera/semantic/label_info']
    assert table.qos_profile == LATCHED_QOS
    raw = harness.publisher(Image, 'camera/image_raw')
    camera = harness.node.parts.cameras[0]
    changes = [{}, {'score_threshold': 0.25}, {}, {'score_threshold': -1.0}]
    for stamp, change in enumerate(changes, start=1):
        assert not change or harness.set_parameters(**change).successful
        raw.publish(image_message(half_blue_image(), stamp=stamp))
        wait_until(lambda stamp=stamp: camera.snapshot().processed == stamp, f'frame {stamp}')
    assert [message.threshold for message in table.messages] == [0.6, 0.25, 0.6]
    assert all(len(message.class_map) == 19 for message in table.messages)


def test_a_class_table_switched_off_has_no_twin_either(start_node, monkeypatch) -> None:
    made = fake_vision_msgs.install_publishers(monkeypatch)
    harness = start_node(publish_class_info=False).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    harness.publisher(Image, 'camera/image_raw').publish(image_message(half_blue_image()))
    labels.wait()
    assert made['camera/semantic/label_info'].messages == []


if vision_msgs_is_installed():  # a test of its own where it is, and none that skips elsewhere

    def test_the_node_publishes_the_real_types(start_node) -> None:
        from vision_msgs.msg import Detection2DArray, LabelInfo

        harness = start_node().activate()
        table = harness.subscribe(LabelInfo, 'camera/semantic/label_info', LATCHED)
        assert table.wait()[0].class_map[13].class_name == 'car'
        detections = harness.subscribe(Detection2DArray, 'camera/panoptic/detections')
        publisher = harness.node.parts.outputs['camera']._vision._detections
        wait_until(lambda: publisher.get_subscription_count() == 1, 'match')
        sent = image_message(half_blue_image(), stamp=4)
        harness.publisher(Image, 'camera/image_raw').publish(sent)
        (message,) = detections.wait()
        assert message.header == sent.header
        assert [detection.id for detection in message.detections] == ['3329']
        assert harness.change_state('deactivate') and harness.change_state('cleanup')

else:

    def test_without_the_package_its_topics_do_not_exist(start_node) -> None:
        harness = start_node().activate()
        topics = {name for name, _ in harness.node.get_topic_names_and_types()}
        assert f'/{harness.namespace}/camera/panoptic/image' in topics
        assert f'/{harness.namespace}/camera/panoptic/detections' not in topics
