# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0


from pathlib import Path

import pytest
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from tests.node.fake_pipeline import FakeLoader, missing_model
from tests.node.node_harness import (
    LATCHED,
    half_blue_image,
    image_message,
    wait_until,
)
from upsnet_ros.msg import PanopticClassInfo
from upsnet_ros.node import diagnostics, intake


def serve_one(harness, stamp: int) -> None:
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    harness.publisher(Image, 'camera/image_raw').publish(
        image_message(half_blue_image(), stamp=stamp)
    )
    assert labels.wait()[-1].header.stamp.sec == stamp


def test_all_transitions_work_twice(start_node) -> None:
    harness = start_node()
    assert harness.state() == 'unconfigured'
    for round_number in (1, 2):
        assert harness.change_state('configure')
        assert harness.state() == 'inactive'
        for activation in (1, 2):
            assert harness.change_state('activate')
            assert harness.state() == 'active'
            serve_one(harness, stamp=10 * round_number + activation)
            assert harness.change_state('deactivate')
            assert harness.state() == 'inactive'
        assert harness.change_state('cleanup')
        assert harness.state() == 'unconfigured'
    assert len(harness.loader.pipelines) == 2
    assert [pipeline.closed for pipeline in harness.loader.pipelines] == [1, 1]


def test_configure_passes_the_parameters_to_the_loader(start_node, tmp_path) -> None:
    path = str(tmp_path / 'model.onnx')
    harness = start_node(model_path=path)
    given = {
        'backend': 'openvino',
        'device': 'gpu',
        'precision': 'fp32',
        'num_threads': 2,
        'stale_engine': 'onnxruntime',
        'cache_folder': '/var/cache/upsnet_ros',
        'labels_on': 'cpu',
    }
    defaults = dict.fromkeys(('backend', 'device', 'precision', 'labels_on'), 'auto')
    assert harness.change_state('configure') and harness.change_state('cleanup')
    assert harness.set_parameters(**given).successful and harness.change_state('configure')
    assert harness.loader.calls == [
        (
            Path(path),
            defaults | {'num_threads': 0, 'stale_engine': 'refuse', 'cache_folder': None},
        ),
        (Path(path), given),
    ]


def test_a_missing_model_fails_configure_and_a_second_try_succeeds(start_node) -> None:
    loader = FakeLoader()
    loader.refusal = missing_model()
    harness = start_node(loader=loader, model_path='/nowhere/model.onnx', diagnostics_period=0.05)
    diagnostics = harness.diagnostics()
    assert not harness.change_state('configure')
    assert harness.state() == 'unconfigured'
    diagnostics.status('engine', level=b'\x02', text='/nowhere/model.onnx')
    loader.refusal = None
    harness.activate()
    serve_one(harness, stamp=3)


def test_an_unforeseen_error_in_configure_leaves_nothing_behind(start_node) -> None:
    loader = FakeLoader()
    loader.refusal = RuntimeError('out of luck')
    harness = start_node(loader=loader, model_path='x')
    for _ in range(2):
        assert not harness.change_state('configure')
        assert harness.state() == 'unconfigured'
        topics = {
            name
            for name, _ in harness.node.get_publisher_names_and_types_by_node(
                'perception_node', f'/{harness.namespace}'
            )
        }
        assert not any(topic.endswith('panoptic/image') for topic in topics)
    loader.refusal = None
    assert harness.change_state('configure')


def test_deactivated_node_has_no_subscription_and_no_waiting_frame(start_node) -> None:
    harness = start_node().activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(Image, 'camera/image_raw')
    assert harness.change_state('deactivate')
    wait_until(lambda: publisher.get_subscription_count() == 0, 'end of the subscription')
    publisher.publish(image_message(half_blue_image(), stamp=1))
    assert harness.change_state('activate')
    wait_until(lambda: publisher.get_subscription_count() == 1, 'the new subscription')
    publisher.publish(image_message(half_blue_image(), stamp=2))
    assert [message.header.stamp.sec for message in labels.wait()] == [2]
    assert len(harness.loader.pipeline.images) == 1


@pytest.mark.parametrize('steps', [[], ['cleanup', 'configure']], ids=['same', 'new pipeline'])
def test_a_frame_that_outlives_its_activation_runs_alone_and_is_never_published(
    start_node, monkeypatch, steps
) -> None:
    monkeypatch.setattr('upsnet_ros.node.configured_parts.WORKER_TIMEOUT_S', 0.05)
    harness = start_node().activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(Image, 'camera/image_raw')
    blocked = harness.loader.pipeline
    blocked.gate.clear()
    publisher.publish(image_message(half_blue_image(), stamp=1))
    assert blocked.started.acquire(timeout=60)
    for step in ('deactivate', *steps, 'activate'):
        assert harness.change_state(step)
    wait_until(lambda: publisher.get_subscription_count() == 1, 'the new subscription')
    wait_until(lambda: len(harness.node.parts.cameras) == 1, 'the camera')
    camera, before = (
        harness.node.parts.cameras[0],
        harness.node.parts.cameras[0].snapshot().received,
    )
    publisher.publish(image_message(half_blue_image(), stamp=2))
    wait_until(lambda: camera.snapshot().received == before + 1, 'arrival of the second image')
    assert not harness.loader.pipeline.started.acquire(timeout=0.2)
    wait_until(lambda: labels_publisher_count(harness) == 1, 'the publisher')
    blocked.gate.set()
    assert harness.loader.pipeline.started.acquire(timeout=60)
    assert [message.header.stamp.sec for message in labels.wait()] == [2]


def labels_publisher_count(harness) -> int:
    """Publishers that the client knows of."""
    return harness.client.count_publishers('camera/panoptic/image')


@pytest.mark.parametrize('times', [1, 2], ids=['once', 'in error processing too'])
def test_a_transition_that_breaks_down_releases_everything(start_node, monkeypatch, times) -> None:
    harness = start_node(diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    node, pipeline = harness.node, harness.loader.pipeline
    publisher = harness.client.create_publisher(Image, 'camera/image_raw', 1)
    parts = node.parts
    whole, calls = parts.intake.close, []

    def close() -> None:
        whole()
        calls.append(1)
        if len(calls) <= times:
            raise OSError('out of handles')

    monkeypatch.setattr(parts.intake, 'close', close)
    assert not harness.change_state('deactivate')
    wait_until(lambda: pipeline.closed == 1, 'the release')
    wait_until(lambda: publisher.get_subscription_count() == 0, 'no subscription')
    diagnostics.status('engine', level=b'\x02', text='out of handles')
    assert (node.parts, parts.outputs) == (None, {})
    assert node.lifecycle.is_finalized == (times == 2)
    if times == 1:
        assert harness.state() == 'unconfigured'
        harness.activate()
        serve_one(harness, stamp=3)


def test_late_subscriber_receives_the_class_table(start_node) -> None:
    harness = start_node().activate()
    table = harness.subscribe(PanopticClassInfo, 'camera/panoptic/class_info', LATCHED).wait()[0]
    assert table.label_set == 'cityscapes'
    assert table.model == 'fake_model'
    assert (table.unknown_label, table.unknown_class, table.instance_bits) == (65535, 255, 8)
    assert [entry.class_id for entry in table.classes] == list(range(19))
    car = table.classes[13]
    assert (car.name, car.is_thing, list(car.colour)) == ('car', True, [0, 0, 142])
    assert not table.classes[0].is_thing


def test_enable_service_closes_and_opens_intake(start_node) -> None:
    harness = start_node(diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(Image, 'camera/image_raw')
    response = harness.call(SetBool, 'perception_node/enable', SetBool.Request(data=False))
    assert response.success and 'off' in response.message
    publisher.publish(image_message(half_blue_image(), stamp=5))
    diagnostics.status('camera camera', state='closed')
    diagnostics.status('engine', enabled='False')
    response = harness.call(SetBool, 'perception_node/enable', SetBool.Request(data=True))
    assert response.success and 'on' in response.message
    publisher.publish(image_message(half_blue_image(), stamp=6))
    assert [message.header.stamp.sec for message in labels.wait()] == [6]


def entities(node) -> tuple[int, int]:
    """Subscriptions and guard conditions of a node."""
    return len(list(node.subscriptions)), len(list(node.guards))


@pytest.mark.parametrize('failing', ['camera/image_raw/compressed', 'camera/camera_info'])
def test_an_activation_that_fails_half_way_leaves_no_subscription(
    start_node, monkeypatch, failing
) -> None:
    whole = intake.create_input

    def create(node, kind, topic, *arguments, **options):
        if topic == failing:
            raise RuntimeError('no memory for a subscription')
        return whole(node, kind, topic, *arguments, **options)

    harness = start_node()
    assert harness.change_state('configure')
    before = entities(harness.node)
    monkeypatch.setattr(intake, 'create_input', create)
    for _ in range(2):
        assert not harness.change_state('activate')
        assert harness.state() == 'inactive'
        assert entities(harness.node) == before
    monkeypatch.undo()
    assert harness.change_state('activate')
    serve_one(harness, stamp=1)


def test_diagnostics_that_fail_do_not_undo_a_transition(start_node, monkeypatch) -> None:
    harness = start_node()

    def fail(*arguments) -> None:
        raise ValueError('a value that no message takes')

    monkeypatch.setattr(diagnostics, 'node_statuses', fail)
    assert harness.change_state('configure')
    assert harness.state() == 'inactive'
    monkeypatch.undo()
    assert harness.change_state('activate')
    serve_one(harness, stamp=1)
