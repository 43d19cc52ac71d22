# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from tests.bags.small_drive import truth_of
from tests.node.node_harness import RELIABLE, wait_until
from upsnet_ros.bags.definitions import header_stamp_ns
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.images.messages import label_image
from upsnet_ros.msg import (
    PanopticClass,
    PanopticClassInfo,
    PanopticInstance,
    PanopticInstanceArray,
)
from upsnet_ros.node import result_recorder
from upsnet_ros.node.result_recorder import Arrival, BagWriting, main, recorded_topics, watch

OFFERED = (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)


def label_bytes(index: int, stamp_ns: int) -> bytes:
    label = truth_of(index)
    message = Image(height=96, width=192, encoding='16UC1', step=384, data=label.tobytes())
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return bytes(serialize_message(message))


def test_topics_of_a_camera_follow_its_name() -> None:
    assert [topic.name for topic in recorded_topics(['/rear/left/'])] == [
        '/rear/left/panoptic/image',
        '/rear/left/panoptic/instances',
        '/rear/left/panoptic/class_info',
        '/perception_node/debug/rear/left/timing',
        '/diagnostics',
    ]
    *_, timing, _ = recorded_topics(['front'], node='/car/see')
    assert timing.name == '/car/see/debug/front/timing'


def test_what_arrives_is_written_byte_for_byte_with_its_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label, instances, info, _, diagnostics = recorded_topics(['camera'])
    found = PanopticInstance(label=3329, class_id=13, class_name='car', score=0.5, area=7)
    classes = [PanopticClass(class_id=0, name='road', colour=[128, 64, 128])]
    writing = BagWriting(tmp_path / 'bag', [label, instances, info, diagnostics])
    sent = [label_bytes(index, 5_000 + index) for index in range(30)]
    for index, data in enumerate(sent):
        writing.arrivals.put(Arrival(label, 1000 + index, data))
    array = PanopticInstanceArray(instances=[found], unknown_share=0.25)
    writing.arrivals.put(Arrival(instances, 2000, bytes(serialize_message(array))))
    table = PanopticClassInfo(label_set='cityscapes', classes=classes)
    writing.arrivals.put(Arrival(info, 3000, bytes(serialize_message(table))))
    assert writing.close() == 32

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event['event'] for event in events] == ['label'] * 30 + ['class_info']
    assert events[7]['stamp_ns'] == 5_007
    assert events[7]['received_ns'] == 1007
    with BagReader(tmp_path / 'bag') as bag:
        for index, message in enumerate(bag.messages([label.name])):
            assert (message.data, message.recorded_ns) == (sent[index], 1000 + index)
            assert header_stamp_ns(message.data) == 5_000 + index
            labels = label_image(bag.decode(label.name, message.data))
            np.testing.assert_array_equal(labels, truth_of(index))
        assert index == 29
        (message,) = bag.messages([instances.name])
        read = bag.decode(instances.name, message.data)
        assert read.unknown_share == 0.25
        assert (read.instances[0].class_name, read.instances[0].area) == ('car', 7)
        (message,) = bag.messages([info.name])
        assert list(bag.decode(info.name, message.data).classes[0].colour) == [128, 64, 128]


def test_what_the_node_says_of_itself_is_told_as_it_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, topic = recorded_topics([])
    own, second, foreign = (
        DiagnosticStatus(name=name, hardware_id='front')
        for name in ('car/see: camera front', 'car/see_too: camera front', 'memory')
    )
    own.values = [KeyValue(key='received', value='7')]
    writing = BagWriting(tmp_path / 'bag', [topic], node='/car/see')
    reports = ([foreign, own, second], [second], [foreign], [])
    for statuses in reports:
        data = bytes(serialize_message(DiagnosticArray(status=statuses)))
        writing.arrivals.put(Arrival(topic, 4000, data))
    assert writing.close() == len(reports)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        'event': 'diagnostics',
        'received_ns': 4000,
        'statuses': {
            'car/see: camera front': {'hardware_id': 'front', 'values': {'received': '7'}}
        },
    }


@pytest.fixture
def watcher() -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    """A node that nobody spins, and its executor."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('watcher', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def mono_image(stamp: int) -> Image:
    image = Image(height=1, width=1, encoding='mono8', step=1, data=b'0')
    image.header.stamp.sec = stamp
    return image


@pytest.mark.parametrize('offered', list(OFFERED), ids=lambda kind: kind.name.lower())
def test_images_are_watched_whatever_their_publisher_offers(
    offered: ReliabilityPolicy,
    watcher: tuple[Node, SingleThreadedExecutor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    node, executor = watcher
    profile = QoSProfile(depth=10, reliability=offered)
    publisher = node.create_publisher(Image, '/front/image_raw', profile)
    watch(node, '/front/image_raw')
    events, deadline = '', time.monotonic() + 60
    while not events and time.monotonic() < deadline:
        publisher.publish(mono_image(7))
        executor.spin_once(timeout_sec=0.1)
        events += capsys.readouterr().out
    told = json.loads(events.splitlines()[0])
    assert (told['event'], told['topic']) == ('image', '/front/image_raw')
    assert told['stamp_ns'] == 7 * 10**9


def test_an_image_that_waits_for_a_busy_recorder_has_the_time_of_its_arrival(
    watcher: tuple[Node, SingleThreadedExecutor], capsys: pytest.CaptureFixture[str]
) -> None:
    node, executor = watcher
    publisher = node.create_publisher(Image, '/front/image_raw', RELIABLE)
    watch(node, '/front/image_raw')
    wait_until(lambda: publisher.get_subscription_count() == 1, 'the watcher')
    publisher.publish(mono_image(7))
    assert publisher.wait_for_all_acked(Duration(seconds=60))
    arrived_before, events = time.time_ns(), ''
    while not events:
        executor.spin_once(timeout_sec=0.1)
        events += capsys.readouterr().out
    assert json.loads(events)['received_ns'] <= arrived_before


def test_a_recording_of_nothing_is_a_readable_bag(tmp_path: Path) -> None:
    writing = BagWriting(tmp_path / 'bag', list(recorded_topics(['camera'])))
    assert writing.close() == 0
    with BagReader(tmp_path / 'bag', may_be_empty=True) as bag:
        assert bag.count('/camera/panoptic/image') == 0 and bag.problems == []


def test_an_existing_recording_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EvaluationError, match='exists already'):
        BagWriting(tmp_path, [])
    assert main(['--cameras', 'camera', '--output', str(tmp_path)]) == 1
    assert 'exists already' in json.loads(capsys.readouterr().out)['message']


def test_a_full_disk_ends_the_recording_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(result_recorder.ResultBag, 'write', full)
    created = result_recorder.BagWriting

    def with_an_arrival(output: Path, topics: list, **options: object) -> BagWriting:
        writing = created(output, topics, **options)
        writing.arrivals.put(Arrival(topics[0], 1000, label_bytes(0, 1)))
        return writing

    monkeypatch.setattr(result_recorder, 'BagWriting', with_an_arrival)
    monkeypatch.setattr(result_recorder, 'input_is_over', lambda: False)
    assert main(['--cameras', 'camera', '--output', str(tmp_path / 'bag')]) == 1
    *_, event = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert event['event'] == 'error' and 'No space left' in event['message']


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_ends_the_recording_as_the_end_of_its_input_does(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, '-m', 'upsnet_ros.node.result_recorder', '--cameras', 'camera']
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, '--output', str(tmp_path / 'bag')], stdin=pipe, stdout=pipe, stderr=pipe
    ) as recorder:
        assert json.loads(recorder.stdout.readline())['event'] == 'ready'
        recorder.send_signal(number)
        assert json.loads(recorder.stdout.readline())['event'] == 'done'
        assert recorder.stderr.read() == b'' and recorder.wait() == 0
    with BagReader(tmp_path / 'bag', may_be_empty=True) as bag:
        assert bag.problems == []
