# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each switch switches, and that nothing is made for nobody."""

from array import array

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

from tests.node.fake_pipeline import CAR_LABEL, expected_labels
from tests.node.node_harness import LATCHED, half_blue_image, image_message, wait_until
from upsnet_ros.msg import FrameTiming, PanopticClassInfo, PanopticInstanceArray
from upsnet_ros.node import calibration, outputs, overlay_output

# Switch, type, topic, and what makes its message where.
OUTPUTS = {
    'publish_panoptic': (Image, 'panoptic/image', outputs, 'label_message'),
    'publish_instances': (
        PanopticInstanceArray,
        'panoptic/instances',
        outputs,
        'instances_message',
    ),
    'publish_unknown_mask': (Image, 'panoptic/unknown_mask', outputs, 'unknown_message'),
    'publish_confidence': (Image, 'panoptic/confidence', outputs, 'confidence_message'),
    'publish_semantic': (Image, 'semantic/image', outputs, 'semantic_message'),
    'publish_overlay': (Image, 'overlay/image', overlay_output, 'draw_overlay'),
    'publish_camera_info': (CameraInfo, 'overlay/camera_info', calibration, '_resized'),
    'publish_timing': (FrameTiming, '', outputs, 'timing_message'),
}
TIMING = 'perception_node/debug/camera/timing'
ALL_ON = dict.fromkeys(OUTPUTS, True)


def full_topic(topic: str) -> str:
    return f'camera/{topic}' if topic else TIMING


class Counted:
    """How often each kind of message was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = dict.fromkeys(OUTPUTS, 0)
        for switch, (_, _, module, name) in OUTPUTS.items():
            monkeypatch.setattr(module, name, self._counting(switch, getattr(module, name)))

    def _counting(self, switch, make):
        def counted(*args, **options):
            self.made[switch] += 1
            return make(*args, **options)

        return counted


class Rig:
    """An active node, its readers, and a camera."""

    def __init__(self, harness, topics) -> None:
        self.harness = harness
        self.readers = {
            switch: harness.subscribe(OUTPUTS[switch][0], full_topic(OUTPUTS[switch][1]))
            for switch in topics
        }
        for publisher in harness.node.parts.outputs['camera']._publishers:
            topic = publisher.topic_name.removeprefix(f'/{harness.namespace}/')
            if topic in {full_topic(OUTPUTS[switch][1]) for switch in topics}:
                wait_until(lambda publisher=publisher: publisher.get_subscription_count(), topic)
        self._done = 0
        self._last_step = harness.node.parts.outputs['camera'].publish_timing
        harness.node.parts.outputs['camera'].publish_timing = self._end
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

    def serve(self, stamp: int, **size) -> None:
        self._images.publish(image_message(half_blue_image(**size), stamp=stamp))
        wait_until(lambda: self._done == stamp, f'frame {stamp}')

    def stamps(self, switch: str) -> list[int]:
        return [message.header.stamp.sec for message in self.readers[switch].messages]


@pytest.mark.parametrize('switch', OUTPUTS)
def test_switched_off_an_output_is_not_made_and_the_others_are(
    start_node, monkeypatch, switch
) -> None:
    counted = Counted(monkeypatch)
    rig = Rig(start_node(**{**ALL_ON, switch: False}).activate(), OUTPUTS)
    rig.calibrate()
    rig.serve(1)
    unmade = {switch, 'publish_camera_info'} if switch == 'publish_overlay' else {switch}
    for other in OUTPUTS:
        if other not in unmade:
            rig.readers[other].wait(1)
    assert {name for name, count in counted.made.items() if not count} == unmade
    assert rig.harness.set_parameters(**{switch: True}).successful
    rig.serve(2)
    rig.readers[switch].wait(1)
    assert rig.stamps(switch) == [2]
    assert rig.harness.set_parameters(**{switch: False}).successful
    before = counted.made[switch]
    rig.serve(3)
    assert counted.made[switch] == before


def test_for_nobody_nothing_is_made(start_node, monkeypatch) -> None:
    counted = Counted(monkeypatch)
    rig = Rig(start_node(**ALL_ON).activate(), [])
    rig.calibrate()
    for stamp in (1, 2, 3):
        rig.serve(stamp)
    assert set(counted.made.values()) == {0}


@pytest.mark.parametrize('is_on', [True, False])
def test_the_class_table_is_published_once_or_not_at_all(start_node, monkeypatch, is_on) -> None:
    made = []
    make = outputs.class_info_message
    monkeypatch.setattr(
        outputs, 'class_info_message', lambda *args, **to: made.append(1) or make(*args, **to)
    )
    harness = start_node(publish_class_info=is_on).activate()
    reader = harness.subscribe(PanopticClassInfo, 'camera/panoptic/class_info', LATCHED)
    rig = Rig(harness, ['publish_panoptic'])
    rig.serve(1)
    rig.readers['publish_panoptic'].wait(1)
    if is_on:
        reader.wait(1)
    assert len(made) == len(reader.messages) == is_on
    assert not harness.set_parameters(publish_class_info=not is_on).successful


def test_mask_and_confidence_say_what_is_known(start_node) -> None:
    rig = Rig(start_node(**ALL_ON).activate(), ['publish_unknown_mask', 'publish_confidence'])
    rig.serve(1)
    labels = expected_labels(half_blue_image())
    (mask,) = rig.readers['publish_unknown_mask'].wait(1)
    assert (mask.encoding, mask.step, bytes(mask.data)) == ('mono8', 8, bytes(48))
    (confidence,) = rig.readers['publish_confidence'].wait(1)
    assert (confidence.encoding, confidence.step) == ('32FC1', 32)
    assert mask.header == confidence.header == image_message(half_blue_image(), stamp=1).header
    values = np.frombuffer(confidence.data, '<f4').reshape(6, 8)
    np.testing.assert_array_equal(
        values, np.where(labels == CAR_LABEL, np.float32(0.9), np.float32(np.nan))
    )


def test_every_message_with_pixels_holds_them_in_an_array_of_bytes(
    start_node, monkeypatch
) -> None:
    harness = start_node(**ALL_ON).activate()
    sent = []
    for publisher in harness.node.parts.outputs['camera']._publishers:
        monkeypatch.setattr(publisher, 'publish', sent.append)
    rig = Rig(harness, OUTPUTS)
    rig.calibrate()
    rig.serve(1)
    pictures = [message for message in sent if isinstance(message, Image)]
    assert len(pictures) == 5
    for message in pictures:
        assert isinstance(message.data, array) and message.data.typecode == 'B'


def test_the_overlay_has_a_calibration_of_its_own_size(start_node) -> None:
    rig = Rig(
        start_node(overlay_scale=0.5).activate(),
        ['publish_panoptic', 'publish_overlay', 'publish_camera_info'],
    )
    beside_labels = rig.harness.subscribe(CameraInfo, 'camera/panoptic/camera_info')
    publisher = rig.harness.node.parts.outputs['camera']._calibration._labels
    wait_until(publisher.get_subscription_count, 'match')
    rig.calibrate()
    rig.serve(1)
    (overlay,) = rig.readers['publish_overlay'].wait(1)
    (scaled,) = rig.readers['publish_camera_info'].wait(1)
    assert (scaled.height, scaled.width) == (overlay.height, overlay.width) == (3, 4)
    (info,) = beside_labels.wait(1)
    assert (info.height, info.width) == (6, 8)
    assert info.header == scaled.header == overlay.header


def test_a_calibration_of_another_size_is_held_back_until_the_right_one_comes(
    start_node, capfd
) -> None:
    rig = Rig(start_node().activate(), ['publish_panoptic'])
    infos = rig.harness.subscribe(CameraInfo, 'camera/panoptic/camera_info')
    publisher = rig.harness.node.parts.outputs['camera']._calibration._labels
    wait_until(publisher.get_subscription_count, 'match')
    rig.calibrate()
    rig.serve(1)
    rig.serve(2, height=12, width=16)
    rig.serve(3, height=12, width=16)
    rig.calibrate(16, 12)
    rig.serve(4, height=12, width=16)
    infos.wait(2)
    assert [(m.header.stamp.sec, m.width) for m in infos.messages] == [(1, 8), (4, 16)]
    labels = rig.readers['publish_panoptic'].wait(4)
    assert [(m.width, m.height) for m in labels] == [(8, 6), *[(16, 12)] * 3]
    log = capfd.readouterr().err
    assert log.count('camera_info is for images of 8x6, the image has 16x12') == 1
