# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: start, signals, exit status, and images between two processes."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.node.fake_node import UNLUCKY
from tests.node.fake_pipeline import expected_labels
from tests.node.node_harness import (
    RELIABLE,
    Collector,
    find_status,
    half_blue_image,
    image_message,
    status_values,
    wait_until,
)
from upsnet_ros.node.process import ExitStatus

ROOT = Path(__file__).parents[2]
FAKE_NODE = [sys.executable, '-m', 'tests.node.fake_node']
# The node ends within two seconds of a signal; a busy machine may take longer to show it.
END_S = 10.0


@pytest.fixture
def run(namespace):
    """Starts a process; kills what a failed test leaves behind."""
    processes = []

    def start(command: list[str], **parameters) -> subprocess.Popen:
        arguments = ['--ros-args', '-r', f'__ns:=/{namespace}', '-p', 'model_path:=fake.onnx']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_node(client) -> None:
    wait_until(lambda: client.count_subscribers('camera/image_raw') == 1, 'the active node')


def connect(publisher, labels: Collector) -> None:
    """Publishes small images until one is answered, and then the last one.

    Best effort loses what is sent before both sides know each other.
    """
    sent = itertools.count(1)

    def answered() -> bool:
        publisher.publish(image_message(half_blue_image(), stamp=next(sent)))
        return bool(labels.messages)

    wait_until(answered, 'first answer')
    last = next(sent)
    publisher.publish(image_message(half_blue_image(), stamp=last))
    labels.wait_for(lambda seen: seen[-1].header.stamp.sec == last, 'the last small image')


def stop(process: subprocess.Popen, number: int) -> tuple[int, float]:
    """Exit status and seconds after a signal."""
    started = time.monotonic()
    process.send_signal(number)
    process.wait(20)
    return process.returncode, time.monotonic() - started


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly(run, client, number) -> None:
    process = run(FAKE_NODE)
    wait_for_node(client)
    status, seconds = stop(process, number)
    assert (status, seconds < END_S) == (0, True), seconds
    assert 'Traceback' not in process.stderr.read()


def test_a_signal_that_comes_twice_at_once_is_one(run, client) -> None:
    process = run(FAKE_NODE)
    wait_for_node(client)
    process.send_signal(signal.SIGINT)
    status, seconds = stop(process, signal.SIGINT)
    assert (status, seconds < END_S) == (0, True), seconds


def test_a_signal_ends_the_node_while_a_frame_is_in_work(run, client) -> None:
    process = run([*FAKE_NODE, '--blocked'], diagnostics_period=0.05)
    wait_for_node(client)
    diagnostics = Collector()
    client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics, RELIABLE)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    wait_until(lambda: publisher.get_subscription_count() == 1, 'match')
    name = f'{client.get_namespace().lstrip("/")}/perception_node: camera camera'

    def waiting_frames() -> int:
        """Received frames that were not dropped: one in work and one in the slot, at most."""
        counts = status_values(find_status(diagnostics.messages, name))
        return int(counts['received'] or 0) - int(counts['dropped'] or 0)

    stamps = itertools.count(1)

    def is_in_work() -> bool:
        publisher.publish(image_message(half_blue_image(), stamp=next(stamps)))
        return waiting_frames() == 2

    wait_until(is_in_work, 'a frame in work')
    status, seconds = stop(process, signal.SIGTERM)
    assert (status, seconds < END_S) == (0, True), seconds
    assert 'takes longer than' in process.stderr.read()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_while_it_loads_its_model(run, client, number) -> None:
    """The load would take ten minutes."""
    process = run([*FAKE_NODE, '--loading'], diagnostics_period=0.05)
    diagnostics = Collector()
    client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics, RELIABLE)
    name = f'{client.get_namespace().lstrip("/")}/perception_node: engine'

    def is_loading() -> bool:
        values = status_values(find_status(diagnostics.messages, name))
        return float(values['loading_for_s'] or 0) > 0

    wait_until(is_loading, 'diagnostics while the model is loaded')
    status, seconds = stop(process, number)
    assert (status, seconds < END_S) == (0, True), seconds
    errors = process.stderr.read()
    assert 'asked to end' in errors and 'did not start' not in errors


STUCK = """
import time
from upsnet_ros.node.process import StopSignal
stop = StopSignal(grace_s=0.2)
print('ready', flush=True)
while True:
    time.sleep(0.01)
"""


def test_a_signal_ends_a_process_that_does_not_come_to_its_end(run) -> None:
    process = run([sys.executable, '-c', STUCK])
    assert process.stdout.readline() == 'ready\n'
    assert stop(process, signal.SIGTERM)[0] == ExitStatus.ASKED_TO_END


def test_a_signal_ends_a_node_that_was_told_to_configure(run, client) -> None:
    process = run([*FAKE_NODE, '--loading'], autostart='false', diagnostics_period=0.05)
    service = client.create_client(ChangeState, 'perception_node/change_state')
    wait_until(service.service_is_ready, 'the service')
    request = ChangeState.Request()
    request.transition.id = Transition.TRANSITION_CONFIGURE
    service.call_async(request)
    assert process.stdout.readline() == 'loading\n'
    status, seconds = stop(process, signal.SIGTERM)
    assert (status, seconds < END_S) == (0, True), seconds


def test_a_callback_that_raises_costs_one_image(run, client) -> None:
    process = run([*FAKE_NODE, '--raising'], diagnostics_period=0.05)
    wait_for_node(client)
    labels, diagnostics = Collector(), Collector()
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics, RELIABLE)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    connect(publisher, labels)
    image = half_blue_image()
    image[0, 0, 2] = UNLUCKY
    publisher.publish(image_message(image, stamp=1000))
    name = f'{client.get_namespace().lstrip("/")}/perception_node: engine'

    def failures() -> str:
        return status_values(find_status(diagnostics.messages, name))['last_callback_failure']

    wait_until(lambda: 'nobody foresaw' in (failures() or ''), 'the failure')
    publisher.publish(image_message(half_blue_image(), stamp=1001))
    labels.wait_for(lambda seen: seen[-1].header.stamp.sec == 1001, 'the next image')
    assert stop(process, signal.SIGTERM)[0] == 0
    assert 'ZeroDivisionError: a fault that nobody foresaw' in process.stderr.read()


@pytest.mark.parametrize(
    ('options', 'parameters', 'status', 'reason'),
    [
        (['--failing'], {'max_consecutive_failures': 2}, ExitStatus.MODEL_FAILED, 'no memory on'),
        # Where the clean end breaks down as well, the reason of it all stays.
        (
            ['--failing', '--broken'],
            {'max_consecutive_failures': 1},
            ExitStatus.MODEL_FAILED,
            'no memory on',
        ),
        (['--dying'], {}, ExitStatus.WORKER_DIED, 'no way to go on'),
        (['--blocked'], {'watchdog_timeout': 0.3}, ExitStatus.NO_PROGRESS, 'limit 0.3 s'),
    ],
)
def test_a_fault_ends_the_process_with_its_status_and_its_reason(
    run, client, options, parameters, status, reason
) -> None:
    process = run([*FAKE_NODE, *options], **parameters)
    diagnostics = Collector()
    client.create_subscription(DiagnosticArray, '/diagnostics', diagnostics, RELIABLE)
    wait_for_node(client)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    stamps = itertools.count(1)

    def has_ended() -> bool:
        publisher.publish(image_message(half_blue_image(), stamp=next(stamps)))
        return process.poll() is not None

    wait_until(has_ended, 'the end of the process')
    errors = process.stderr.read()
    assert process.returncode == status, errors
    assert reason in errors and 'to be started anew' in errors
    name = f'{client.get_namespace().lstrip("/")}/perception_node: engine'
    diagnostics.wait_for(
        lambda seen: reason in find_status(seen, name).message, 'the reason in the diagnostics'
    )


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_are_imported_ends_the_node_quietly(run, number) -> None:
    """The second line that Python says of its imports comes long before the last."""
    process = run([sys.executable, '-v', '-m', 'upsnet_ros.node.main'])
    for line in process.stderr:
        if line.startswith("import 'rclpy"):
            break
    process.send_signal(number)
    _, errors = process.communicate(timeout=END_S)
    assert process.returncode == 0
    assert 'Traceback' not in errors and 'KeyboardInterrupt' not in errors


def test_a_node_that_nothing_helps_ends_with_its_reason_and_status(run, client) -> None:
    process = run([*FAKE_NODE, '--broken'])
    wait_for_node(client)
    service = client.create_client(ChangeState, 'perception_node/change_state')
    wait_until(service.service_is_ready, 'the service')
    request = ChangeState.Request()
    request.transition.id = Transition.TRANSITION_DEACTIVATE
    service.call_async(request)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert 'error processing failed: OSError: out of handles' in errors


def test_without_autostart_the_node_waits_unconfigured(run, client) -> None:
    process = run(FAKE_NODE, autostart='false')
    name = ('perception_node', client.get_namespace())
    wait_until(lambda: name in client.get_node_names_and_namespaces(), 'the node')
    assert client.count_subscribers('camera/image_raw') == 0
    assert stop(process, signal.SIGTERM)[0] == 0
    assert 'configure' not in process.stderr.read()


@pytest.mark.parametrize(
    ('parameters', 'status', 'texts'),
    [
        ({'score_threshold': 2.0}, 2, ['score_threshold', '2.0', '0.0 to 1.0']),
        ({'camera_names': '[a, a]'}, 2, ['camera_names', 'more than once']),
        ({'model_path': '/nowhere/model.onnx'}, 1, ['/nowhere/model.onnx', 'did not start']),
    ],
)
def test_an_impossible_start_ends_with_a_reason(run, parameters, status, texts) -> None:
    process = run([sys.executable, '-m', 'upsnet_ros.node.main'], **parameters)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    for text in texts:
        assert text in errors
    assert 'Traceback' not in errors


@pytest.mark.parametrize(
    'arguments',
    [
        ['-p', 'without_a_value'],
        ['--nonsense'],
        ['-r', '__node:=9x'],
        ['--params-file', '/no.yaml'],
    ],
)
def test_impossible_ros_arguments_end_with_one_line(arguments) -> None:
    command = [sys.executable, '-m', 'upsnet_ros.node.main', '--ros-args', *arguments]
    ended = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 2
    own = [line for line in ended.stderr.splitlines() if '[rcl]' not in line]
    assert len(own) == 1, ended.stderr
    assert own[0].startswith('perception_node: ROS did not start: ')
    assert arguments[-1] in own[0]


def test_the_installed_executable_is_found_as_ros2_run_does(run) -> None:
    places = [
        Path(prefix) / 'lib' / 'upsnet_ros' / 'perception_node'
        for prefix in os.environ['AMENT_PREFIX_PATH'].split(os.pathsep)
    ]
    (executable,) = [place for place in places if os.access(place, os.X_OK)]
    process = run([str(executable)], score_threshold=3.0)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert 'score_threshold' in errors


@pytest.mark.parametrize(
    ('width', 'height'), [(1024, 512), (2048, 1024)], ids=['1.5 MB', '6.3 MB']
)
@pytest.mark.parametrize('reliability', ['BEST_EFFORT', 'RELIABLE'])
def test_large_images_all_arrive_between_two_processes(
    run, client, width, height, reliability
) -> None:
    """Each image is sent when the answer to the last has come, so none may be dropped."""
    run(FAKE_NODE)
    wait_for_node(client)
    labels = Collector()
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    profile = QoSProfile(depth=1, reliability=getattr(ReliabilityPolicy, reliability))
    publisher = client.create_publisher(Image, 'camera/image_raw', profile)
    connect(publisher, labels)
    image = half_blue_image(height, width, columns=width // 3)
    before = len(labels.messages)
    for count in range(1, 11):
        publisher.publish(image_message(image, stamp=1000 + count))
        assert labels.wait(before + count)[-1].header.stamp.sec == 1000 + count
    received = np.frombuffer(labels.messages[-1].data, '<u2').reshape(height, width)
    np.testing.assert_array_equal(received, expected_labels(image))
