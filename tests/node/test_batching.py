# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from sensor_msgs.msg import Image

from tests.node.fake_pipeline import batch_loader, expected_labels
from tests.node.node_harness import (
    half_blue_image,
    image_message,
    labels_of,
    stamped,
    wait_until,
)
from upsnet_ros.node.camera import ALIVE_S, CameraState
from upsnet_ros.node.worker import BatchLimits, FrameSelector

PAIRS = BatchLimits(size=2, tolerance_s=0.05)
MANY = BatchLimits(size=8, tolerance_s=0.05)


class Rig:
    """Cameras a, b, c on a clock that is set by hand, and their selector."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cameras = [CameraState(name, clock=lambda: self.now) for name in 'abc']
        self.selector = FrameSelector(self.cameras)

    def offer(self, **stamps: float) -> None:
        for camera in self.cameras:
            if camera.name in stamps:
                assert camera.offer(stamped(stamps[camera.name]))

    def take(self, limits: BatchLimits) -> str:
        """Names of the cameras whose frames are taken, or how long to wait for more."""
        taken, patience = self.selector.take(limits, self.now)
        if taken:
            assert patience is None
            return ''.join(camera.name for camera, _ in taken)
        return 'nothing' if patience is None else f'{patience * 1e3:.0f} ms'


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize('limits', [BatchLimits(), BatchLimits(8, 0.0), BatchLimits(1, 0.5)])
def test_without_batches_cameras_are_served_in_turn(rig, limits) -> None:
    assert rig.take(limits) == 'nothing'
    rig.offer(a=1, b=1, c=1)
    assert rig.take(limits) == 'a'
    rig.offer(a=1.1)
    assert [rig.take(limits) for _ in range(4)] == ['b', 'c', 'a', 'nothing']


def test_frames_of_one_moment_are_taken_together_and_others_in_turn(rig) -> None:
    rig.offer(a=1.0, b=1.2, c=1.05)
    assert [rig.take(MANY) for _ in range(2)] == ['ac', '50 ms']
    rig.now += 0.05
    assert [rig.take(MANY) for _ in range(2)] == ['b', 'nothing']
    rig.offer(a=2.0, b=2.0, c=2.0)
    assert [rig.take(MANY) for _ in range(2)] == ['cab', 'nothing']


def test_cameras_out_of_step_do_not_hold_each_other_up(rig) -> None:
    waits = []
    for step in range(10):
        stamp = 10 + 0.2 * step
        for stamps, expected in (
            ({'a': stamp}, 'a'),
            ({'b': stamp + 0.1, 'c': stamp + 0.12}, 'bc'),
        ):
            rig.offer(**stamps)
            taken = rig.take(MANY)
            waits.append(taken == '50 ms')
            rig.now += 0.1
            assert (rig.take(MANY) if waits[-1] else taken) == expected
    # Until each was seen twice, nobody knows.
    assert not any(waits[4:])


def test_no_more_than_fit_are_taken_and_the_rest_comes_first(rig) -> None:
    rig.offer(a=1, b=1, c=1)
    assert [rig.take(PAIRS) for _ in range(2)] == ['ab', '50 ms']
    rig.now += 0.05
    assert rig.take(PAIRS) == 'c'


def test_frames_that_belong_together_are_waited_for_no_longer_than_the_tolerance(rig) -> None:
    rig.offer(a=1, b=1, c=1)
    assert rig.take(MANY) == 'abc'
    rig.now += 0.1
    rig.offer(b=1.1)
    assert rig.take(MANY) == '50 ms'
    rig.now += 0.03
    rig.offer(a=1.1)
    assert rig.take(MANY) == '20 ms'
    rig.now += 0.03
    assert rig.take(MANY) == 'ba'


def test_a_frame_that_is_replaced_while_others_are_waited_for_begins_no_new_wait(rig) -> None:
    rig.offer(a=1, b=1, c=1)
    assert rig.take(MANY) == 'abc'
    rig.now += 0.1
    rig.offer(a=1.1)
    assert rig.take(MANY) == '50 ms'
    rig.now += 0.04
    rig.offer(a=1.14)
    assert rig.take(MANY) == '10 ms'
    rig.now += 0.04
    assert rig.take(MANY) == 'a'


def test_a_camera_that_is_silent_or_never_came_is_not_waited_for(rig) -> None:
    rig.offer(a=1)
    assert rig.take(MANY) == 'a'
    rig.offer(b=1)
    assert rig.take(MANY) == '50 ms'  # a may have another one
    rig.now += ALIVE_S
    assert rig.take(MANY) == 'b'
    rig.offer(c=3)
    assert rig.take(MANY) == 'c'


NAMES = ['a', 'b', 'c']


def publish_all(harness, publishers, stamp: int, *, spoiled: str = '') -> dict[str, np.ndarray]:
    """Sends an image of another picture with one stamp over each camera."""
    images = {name: half_blue_image(columns=n + 1) for n, name in enumerate(publishers)}
    for name, publisher in publishers.items():
        message = image_message(images[name], stamp=stamp)
        if name == spoiled:
            message.encoding = '64FC9'
        publisher.publish(message)
    return images


@pytest.fixture
def cameras(start_node, monkeypatch):
    monkeypatch.setattr('upsnet_ros.node.camera.ALIVE_S', 60.0)  # however slow the machine is
    harness = start_node(
        loader=batch_loader(), camera_names=NAMES, batch_tolerance=1.0, input_qos='reliable'
    ).activate()
    labels = {name: harness.subscribe(Image, f'{name}/panoptic/image') for name in NAMES}
    publishers = {name: harness.publisher(Image, f'{name}/image_raw') for name in NAMES}
    # All cameras are alive from now on, so that each is waited for.
    publish_all(harness, publishers, 1)
    for collector in labels.values():
        collector.wait()
    harness.loader.pipeline.batches.clear()
    return harness, labels, publishers


def test_images_of_one_moment_run_together_and_keep_their_cameras(cameras) -> None:
    harness, labels, publishers = cameras
    images = publish_all(harness, publishers, 5)
    for name in NAMES:
        message = labels[name].wait(2)[-1]
        assert message.header.stamp.sec == 5
        np.testing.assert_array_equal(labels_of(message), expected_labels(images[name]))
    assert harness.loader.pipeline.batches == [3]


def test_a_broken_image_costs_only_its_camera(cameras) -> None:
    harness, labels, publishers = cameras
    publish_all(harness, publishers, 5, spoiled='b')
    for name in 'ac':
        assert labels[name].wait(2)[-1].header.stamp.sec == 5
    assert harness.loader.pipeline.batches == [2]
    rejected = {c.name: c.snapshot().rejected for c in harness.node.parts.cameras}
    assert rejected == {'a': 0, 'b': 1, 'c': 0}
    assert len(labels['b'].messages) == 1


def test_a_run_that_fails_costs_the_frames_that_were_in_it(cameras) -> None:
    harness, labels, publishers = cameras
    harness.loader.pipeline.error = RuntimeError('device lost')
    publish_all(harness, publishers, 5)
    states = harness.node.parts.cameras
    wait_until(lambda: [c.snapshot().failed for c in states] == [1, 1, 1], 'the failures')
    assert harness.node.parts.processor.failures.total == 1
    harness.loader.pipeline.error = None
    publish_all(harness, publishers, 9)
    for name in NAMES:
        assert labels[name].wait(2)[-1].header.stamp.sec == 9


def test_batches_are_switched_off_live(cameras) -> None:
    harness, labels, publishers = cameras
    assert harness.set_parameters(batch_tolerance=0.0).successful
    publish_all(harness, publishers, 5)
    for name in NAMES:
        assert labels[name].wait(2)[-1].header.stamp.sec == 5
    assert harness.loader.pipeline.batches == []
