# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each switch switches, when outputs are made, and that nothing is made for nobody."""

from array import array
from dataclasses import replace

import pytest
from sensor_msgs.msg import CameraInfo, Image

from tests.node import fake_vision_msgs
from tests.node.node_harness import LATCHED, half_blue_image, image_message, wait_until
from upsnet_ros.msg import PanopticClassInfo
from upsnet_ros.node import outputs
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.qos import LATCHED_QOS
from upsnet_ros.node.topics import IMAGE, OUTPUTS, TABLE

# What comes with every image, in this installation.
OF_IMAGES = [output for output in OUTPUTS if output.made_of != TABLE and output.is_available]
SWITCHES = sorted({output.switch for output in OF_IMAGES})
ALL_ON = dict.fromkeys(SWITCHES, True)
HAS_VISION = any(output.package == 'vision_msgs' for output in OF_IMAGES)


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The topics of the messages that are made, in order."""
    found: list[str] = []

    def counting(output):
        return lambda source: found.append(output.name) or output.make(source)

    counted = tuple(replace(output, make=counting(output)) for output in OUTPUTS)
    monkeypatch.setattr(outputs, 'OUTPUTS', counted)
    return found


class Rig:
    """An active node, readers of its outputs, and a camera."""

    def __init__(self, harness, names=()) -> None:
        self.harness = harness
        self.outputs = harness.node.parts.outputs['camera']
        self.readers = {
            output.name: harness.subscribe(
                output.message_class(),
                output.of('camera').replace('~', 'perception_node'),
            )
            for output in OF_IMAGES
            if output.name in names
        }
        for name in self.readers:
            publisher = self.outputs.publishers[name]
            wait_until(lambda publisher=publisher: publisher.get_subscription_count(), name)
        self._done = 0
        self._last_step = self.outputs.publish_timing
        self.outputs.publish_timing = self._end
        self._infos = harness.publisher(CameraInfo, 'camera/camera_info')
        self._images = harness.publisher(Image, 'camera/image_raw')

    def _end(self, *args, **options) -> None:
        """The last step of a frame, counted."""
        self._last_step(*args, **options)
        self._done += 1

    def calibrate(self, width: int = 8, height: int = 6) -> None:
        known = self.harness.node.parts.processor.camera_infos
        self._infos.publish(CameraInfo(width=width, height=height))
        wait_until(
            lambda: 'camera' in known and known['camera'].width == width, f'calibration {width}'
        )

    def serve(self, stamp: int, **size) -> Image:
        sent = image_message(half_blue_image(**size), stamp=stamp)
        self._images.publish(sent)
        wait_until(lambda: self._done == stamp, f'frame {stamp}')
        return sent

    def wait(self, name: str, count: int = 1) -> list:
        """The messages of a topic below the camera's name."""
        return self.readers[f'<camera>/{name}'].wait(count)


@pytest.mark.parametrize('switch', SWITCHES)
def test_switched_off_an_output_is_not_made_and_the_others_are(start_node, made, switch) -> None:
    rig = Rig(start_node(**{**ALL_ON, switch: False}).activate(), [o.name for o in OF_IMAGES])
    rig.calibrate()
    made.clear()
    sent = rig.serve(1)
    off = {output.name for output in OF_IMAGES if output.switch == switch}
    off |= {output.name for output in OF_IMAGES if output.beside in off}
    on = [output.name for output in OF_IMAGES if output.name not in off]
    assert made == on  # each once, in the order of the table
    for name in on:
        assert rig.readers[name].wait(1)[0].header == sent.header
    assert rig.harness.set_parameters(**{switch: True}).successful
    rig.serve(2)
    for name in off:
        assert [message.header.stamp.sec for message in rig.readers[name].wait(1)] == [2]
    assert rig.harness.set_parameters(**{switch: False}).successful
    made.clear()
    rig.serve(3)
    assert made == on


def test_for_nobody_nothing_is_made(start_node, made) -> None:
    rig = Rig(start_node(**ALL_ON).activate())
    rig.calibrate()
    made.clear()
    for stamp in (1, 2, 3):
        rig.serve(stamp)
    assert made == []


@pytest.mark.parametrize('is_on', [True, False])
def test_the_class_table_is_published_once_or_not_at_all(start_node, made, is_on) -> None:
    harness = start_node(publish_class_info=is_on).activate()
    reader = harness.subscribe(PanopticClassInfo, 'camera/panoptic/class_info', LATCHED)
    rig = Rig(harness, ['<camera>/panoptic/image'])
    rig.serve(1)
    if is_on:
        reader.wait(1)
    assert made.count('<camera>/panoptic/class_info') == len(reader.messages) == is_on
    assert not harness.set_parameters(publish_class_info=not is_on).successful


def test_every_message_with_pixels_holds_them_in_an_array_of_bytes(
    start_node, monkeypatch
) -> None:
    harness = start_node(**ALL_ON).activate()
    sent = []
    for publisher in harness.node.parts.outputs['camera'].publishers.values():
        monkeypatch.setattr(publisher, 'publish', sent.append)
    rig = Rig(harness, [output.name for output in OF_IMAGES])
    rig.serve(1)
    pictures = [message for message in sent if isinstance(message, Image)]
    assert len(pictures) == sum(output.kind == 'sensor_msgs/Image' for output in OF_IMAGES)
    for message in pictures:
        assert isinstance(message.data, array) and message.data.typecode == 'B'


# --- overlay and calibration


def test_rate_and_size_are_live_and_nobody_uses_up_the_rate(start_node) -> None:
    harness = start_node(overlay_rate=0.001).activate()
    rig = Rig(harness)
    rig.serve(1)
    rig = Rig(harness, ['<camera>/overlay/image'])
    rig._done = 1
    rig.serve(2)
    rig.serve(3)
    assert harness.set_parameters(overlay_rate=0.0, overlay_scale=0.5).successful
    rig.serve(4)
    first, second = rig.wait('overlay/image', 2)
    assert (first.header.stamp.sec, first.width, first.height) == (2, 8, 6)
    assert (second.header.stamp.sec, second.width, second.height) == (4, 4, 3)


def test_the_overlay_has_a_calibration_of_its_own_size(start_node) -> None:
    topics = ['overlay/image', 'overlay/camera_info', 'panoptic/camera_info']
    rig = Rig(start_node(overlay_scale=0.5).activate(), [f'<camera>/{topic}' for topic in topics])
    rig.calibrate()
    rig.serve(1)
    (overlay,), (scaled,), (info,) = (rig.wait(topic) for topic in topics)
    assert (scaled.height, scaled.width) == (overlay.height, overlay.width) == (3, 4)
    assert (info.height, info.width) == (6, 8)
    assert info.header == scaled.header == overlay.header


def test_a_calibration_of_another_size_is_held_back_until_the_right_one_comes(
    start_node, capfd
) -> None:
    rig = Rig(
        start_node().activate(), ['<camera>/panoptic/image', '<camera>/panoptic/camera_info']
    )
    rig.calibrate()
    rig.serve(1)
    rig.serve(2, height=12, width=16)
    rig.serve(3, height=12, width=16)
    rig.calibrate(16, 12)
    rig.serve(4, height=12, width=16)
    infos = rig.wait('panoptic/camera_info', 2)
    assert [(m.header.stamp.sec, m.width) for m in infos] == [(1, 8), (4, 16)]
    labels = rig.wait('panoptic/image', 4)
    assert [(m.width, m.height) for m in labels] == [(8, 6), *[(16, 12)] * 3]
    log = capfd.readouterr().err
    assert log.count('camera_info is for images of 8x6, the image has 16x12') == 1


# --- vision_msgs


def test_detections_are_published_for_readers_while_they_are_on(start_node, monkeypatch) -> None:
    published = fake_vision_msgs.install_publishers(monkeypatch)
    rig = Rig(start_node(publish_detections=False).activate())
    detections = published['camera/panoptic/detections']
    detections.readers = 1
    rig.serve(1)
    assert rig.harness.set_parameters(publish_detections=True, publish_instances=False).successful
    detections.readers = 0
    rig.serve(2)
    assert detections.messages == []
    detections.readers = 1
    sent = rig.serve(3)
    (message,) = detections.messages
    assert message.header == sent.header
    (car,) = message.detections
    assert (car.header, car.id, car.results[0].hypothesis.class_id) == (sent.header, '3329', '13')
    assert rig.harness.change_state('deactivate') and rig.harness.change_state('cleanup')


def test_the_table_of_vision_msgs_follows_the_threshold(start_node, monkeypatch, made) -> None:
    published = fake_vision_msgs.install_publishers(monkeypatch)
    rig = Rig(start_node().activate())
    table = published['camera/semantic/label_info']
    assert table.qos_profile == LATCHED_QOS
    changes = [{}, {'score_threshold': 0.25}, {}, {'score_threshold': -1.0}]
    for stamp, change in enumerate(changes, start=1):
        assert not change or rig.harness.set_parameters(**change).successful
        rig.serve(stamp)
    assert [message.threshold for message in table.messages] == [0.6, 0.25, 0.6]
    assert all(len(message.class_map) == 19 for message in table.messages)
    assert made.count('<camera>/panoptic/class_info') == 1


def test_tables_switched_off_are_never_made(start_node, monkeypatch, made) -> None:
    published = fake_vision_msgs.install_publishers(monkeypatch)
    rig = Rig(start_node(publish_class_info=False).activate())
    rig.serve(1)
    assert rig.harness.set_parameters(score_threshold=0.25).successful
    rig.serve(2)
    assert made == [] and published['camera/semantic/label_info'].messages == []


if HAS_VISION:  # a test of its own where it is, and none that skips elsewhere

    def test_the_node_publishes_the_real_types(start_node) -> None:
        from vision_msgs.msg import LabelInfo

        rig = Rig(start_node().activate(), ['<camera>/panoptic/detections'])
        table = rig.harness.subscribe(LabelInfo, 'camera/semantic/label_info', LATCHED)
        assert table.wait()[0].class_map[13].class_name == 'car'
        sent = rig.serve(1)
        (message,) = rig.wait('panoptic/detections')
        assert message.header == sent.header
        assert [detection.id for detection in message.detections] == ['3329']

else:

    def test_without_the_package_its_topics_do_not_exist(start_node) -> None:
        harness = start_node().activate()
        topics = {name for name, _ in harness.node.get_topic_names_and_types()}
        assert f'/{harness.namespace}/camera/panoptic/image' in topics
        assert f'/{harness.namespace}/camera/panoptic/detections' not in topics


def test_every_output_of_images_is_made_of_what_its_maker_takes() -> None:
    """A row is complete: its message class can be loaded, its companion and its rate exist."""
    names, values = {output.name for output in OUTPUTS}, NodeParameters()
    for output in OUTPUTS:
        assert hasattr(values, output.switch)
        assert not output.rate or hasattr(values, output.rate)
        assert not output.beside or (output.beside in names and output.made_of == IMAGE)
