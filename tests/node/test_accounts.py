# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever happens, every image that arrived is in one counter, and in one only."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from tests.node.fake_pipeline import FakePipeline, batch_loader
from tests.node.fault_rig import check_accounts
from tests.node.node_harness import (
    NodeHarness,
    half_blue_image,
    image_message,
    wait_until,
)
from upsnet_ros.core.errors import ModelError
from upsnet_ros.node.camera import CameraSnapshot
from upsnet_ros.node.outputs import CameraOutputs

OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'


class Stream:
    """An active node, and a publisher for each of its cameras."""

    def __init__(self, harness: NodeHarness) -> None:
        self.harness = harness
        names = harness.node.parameters.camera_names
        self.publishers = [harness.publisher(Image, f'{name}/image_raw') for name in names]

    @property
    def cameras(self) -> list[CameraSnapshot]:
        return [camera.snapshot() for camera in self.harness.node.parts.cameras]

    @property
    def pipeline(self) -> FakePipeline:
        return self.harness.loader.pipeline

    def send(self, *stamps: int) -> None:
        """Sends an image over every camera for each stamp, when those before have arrived."""
        for stamp in stamps:
            count = sum(camera.received for camera in self.cameras) + len(self.publishers)
            for publisher in self.publishers:
                publisher.publish(image_message(half_blue_image(), stamp=stamp))
            self.wait_for(received=count)

    def hold(self, *stamps: int) -> None:
        """Sends images while the first of them is in work and does not end."""
        self.pipeline.gate.clear()
        self.send(stamps[0])
        assert self.pipeline.started.acquire(timeout=60)
        if stamps[1:]:
            self.send(*stamps[1:])

    def wait_for(self, **counts: int) -> None:
        """Waits for the counters of all cameras together."""
        wait_until(
            lambda: all(
                sum(getattr(c, name) for c in self.cameras) == count
                for name, count in counts.items()
            ),
            f'{counts}',
        )

    def enable(self, data: bool) -> None:
        """Calls the service that switches intake."""
        request = SetBool.Request(data=data)
        assert self.harness.call(SetBool, 'perception_node/enable', request).success


@pytest.fixture
def start(start_node) -> Iterator[Callable[..., Stream]]:
    streams = []

    def start(**options) -> Stream:
        harness = start_node(diagnostics_period=0.05, input_qos='reliable', **options)
        streams.append(Stream(harness.activate()))
        return streams[-1]

    yield start
    for stream in streams:
        check_accounts(stream.harness)


@pytest.fixture
def start_pair(start, monkeypatch) -> Callable[..., Stream]:
    """Starts a node with two cameras whose images run together from the second moment on."""
    monkeypatch.setattr('upsnet_ros.node.camera.ALIVE_S', 60.0)  # however slow the machine is

    def start_pair(**options) -> Stream:
        pair = start(
            loader=batch_loader(), camera_names=['a', 'b'], batch_tolerance=1.0, **options
        )
        pair.send(1)
        pair.wait_for(processed=2)
        return pair

    return start_pair


@pytest.mark.parametrize('process_all', [True, False])
def test_a_recording_that_begins_again_loses_no_frame_where_all_are_processed(
    start, process_all: bool
) -> None:
    stream = start(process_all=process_all, use_sim_time=True)
    labels = stream.harness.subscribe(Image, 'camera/panoptic/image')
    clock = stream.harness.client.create_publisher(Clock, '/clock', 10)
    wait_until(lambda: clock.get_subscription_count() == 1, 'the clock')
    stream.hold(7, 8, 9)
    now = stream.harness.node.get_clock().now
    for seconds in (9, 7):
        message = Clock()
        message.clock.sec = seconds
        clock.publish(message)
        wait_until(lambda seconds=seconds: now().nanoseconds == seconds * 10**9, 'the time')
    wait_until(lambda: stream.harness.node._clock_jumps > 0, 'the jump')
    stream.send(7)
    stream.pipeline.gate.set()
    stamps = [7, 8, 9, 7] if process_all else [7, 7]
    assert [message.header.stamp.sec for message in labels.wait(len(stamps))] == stamps
    stream.wait_for(processed=len(stamps), discarded=0 if process_all else 1)


def test_what_is_discarded_is_counted_and_enabling_what_is_enabled_changes_nothing(start) -> None:
    stream = start(process_all=True)
    diagnostics = stream.harness.diagnostics()
    stream.hold(1, 2, 3)
    stream.enable(True)
    stream.wait_for(waiting=2, discarded=0)
    stream.enable(False)
    stream.enable(False)
    stream.wait_for(waiting=0, discarded=2)
    diagnostics.status('camera camera', discarded='2')
    stream.enable(True)
    stream.send(4, 5)
    assert stream.harness.change_state('deactivate')
    stream.wait_for(processed=0, failed=1, discarded=4)


def test_a_frame_that_its_activation_did_not_wait_for_is_counted_with_the_reason(start) -> None:
    stream = start()
    stream.hold(1)
    assert stream.harness.change_state('deactivate')
    stream.wait_for(failed=1)
    assert 'its activation ended' in stream.cameras[0].last_reason
    stream.pipeline.gate.set()
    assert stream.harness.change_state('activate')
    wait_until(lambda: stream.publishers[0].get_subscription_count() == 1, 'subscription')
    stream.send(2)
    stream.wait_for(processed=1, failed=1)


@pytest.mark.parametrize('error', [RuntimeError('no'), ModelError(), MemoryError()])
def test_times_that_cannot_be_published_cost_neither_the_frame_nor_the_worker(
    start, monkeypatch, error: Exception, capfd
) -> None:
    stream = start()

    def fail(*arguments, **options) -> None:
        raise error

    monkeypatch.setattr(CameraOutputs, 'publish_timing', fail)
    for stamp in (1, 2):
        stream.send(stamp)
        stream.wait_for(processed=stamp, failed=0)
    assert stream.harness.node.parts.worker.death == ''
    wait_until(lambda: 'times of a frame are lost' in capfd.readouterr().err, 'the reason')


def test_labels_that_cannot_be_published_fail_only_their_frame(start_pair, monkeypatch) -> None:
    pair = start_pair()
    publish = CameraOutputs.publish_result

    def fail(outputs: CameraOutputs, *arguments, **options) -> None:
        if outputs is pair.harness.node.parts.outputs['b']:
            raise RuntimeError('no')
        publish(outputs, *arguments, **options)

    monkeypatch.setattr(CameraOutputs, 'publish_result', fail)
    pair.send(2)
    pair.wait_for(processed=3, failed=1)


def test_a_worker_that_dies_in_a_batch_counts_no_frame_twice(start_pair, monkeypatch) -> None:
    pair = start_pair()
    publish, calls = CameraOutputs.publish_result, itertools.count()

    def die(*arguments, **options) -> None:
        if next(calls):  # the second of the batch
            raise KeyboardInterrupt
        publish(*arguments, **options)

    monkeypatch.setattr(CameraOutputs, 'publish_result', die)
    pair.send(2)
    pair.wait_for(processed=3, failed=1)
    wait_until(lambda: pair.harness.node.fault is not None, 'the fault')


def test_one_answer_of_a_batch_that_cannot_be_used_is_held_against_the_model(
    start_pair, monkeypatch
) -> None:
    pair = start_pair()
    diagnostics = pair.harness.diagnostics()
    whole = pair.pipeline.process_batch
    monkeypatch.setattr(
        pair.pipeline, 'process_batch', lambda *given: [ModelError('NaN'), *whole(*given)[1:]]
    )
    pair.send(2)
    pair.wait_for(processed=3, failed=1)
    diagnostics.status('worker', level=ERROR, text='NaN')
    monkeypatch.undo()
    pair.send(3)
    diagnostics.status('worker', level=OK)


def test_an_overflow_is_counted_and_forgotten_as_an_error(start, monkeypatch) -> None:
    monkeypatch.setattr('upsnet_ros.node.camera.RATE_WINDOW_S', 60.0)
    stream = start(process_all=True, process_all_memory=1, stale_after=60.0)
    diagnostics = stream.harness.diagnostics()
    stream.hold(1)
    large = half_blue_image(500, 500)  # 750 kB: one fits
    for stamp in (2, 3):
        stream.publishers[0].publish(image_message(large, stamp=stamp))
    stream.wait_for(overflowed=1, waiting=1)
    diagnostics.status('camera camera', level=ERROR)
    stream.pipeline.gate.set()
    stream.wait_for(processed=2)
    monkeypatch.setattr('upsnet_ros.node.camera.RATE_WINDOW_S', 0.0)
    diagnostics.status('camera camera', level=WARN, text='1 frames lost')
