# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: start, signals, exit status, and images between two processes."""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Log
from rclpy.logging import LoggingSeverity
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.fakes.tiny_model import write_tiny_model
from tests.node.fake_node import UNLUCKY
from tests.node.fake_pipeline import expected_labels
from tests.node.node_harness import (
    RELIABLE,
    Collector,
    find_status,
    half_blue_image,
    image_message,
    labels_of,
    status_values,
    wait_until,
)
from upsnet_ros.node.process import ExitStatus

ROOT = Path(__file__).parents[2]
FAKE_NODE = [sys.executable, '-m', 'tests.node.fake_node']
# The node ends within two seconds of a signal, and what it is kept from would take ten minutes: a
# busy machine may take its time to show which of them it was.
END_S = 60.0


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


def watched(client, part: str) -> Callable[[], DiagnosticStatus]:
    """What the node said last of a part of itself."""
    messages = Collector()
    client.create_subscription(DiagnosticArray, '/diagnostics', messages, RELIABLE)
    name = f'{client.get_namespace().lstrip("/")}/perception_node: {part}'
    return lambda: find_status(list(messages.messages), name)


def sender(client) -> Callable[[], None]:
    """Sends a small image, each time a later one, to the active node."""
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    wait_until(lambda: publisher.get_subscription_count() == 1, 'the active node')
    stamps = itertools.count(1)
    return lambda: publisher.publish(image_message(half_blue_image(), stamp=next(stamps)))


def ask(client, transition: int) -> None:
    """Asks the node for a transition, and does not wait for the answer."""
    service = client.create_client(ChangeState, 'perception_node/change_state')
    wait_until(service.service_is_ready, 'the service')
    request = ChangeState.Request()
    request.transition.id = transition
    service.call_async(request)


def stop(process: subprocess.Popen, number: int) -> int:
    """Exit status after a signal."""
    process.send_signal(number)
    return process.wait(END_S)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly(run, client, number) -> None:
    process = run(FAKE_NODE)
    wait_for_node(client)
    assert stop(process, number) == 0
    assert 'Traceback' not in process.stderr.read()


def test_a_signal_that_comes_twice_at_once_is_one(run, client) -> None:
    process = run(FAKE_NODE)
    wait_for_node(client)
    process.send_signal(signal.SIGINT)
    assert stop(process, signal.SIGINT) == 0


def test_a_signal_ends_the_node_while_a_frame_is_in_work(run, client) -> None:
    process = run([*FAKE_NODE, '--blocked'], diagnostics_period=0.05)
    camera, send = watched(client, 'camera camera'), sender(client)

    def is_in_work() -> bool:
        """Of the received frames that were not dropped one is in work and one in the slot."""
        send()
        counts = status_values(camera())
        return int(counts['received'] or 0) - int(counts['dropped'] or 0) == 2

    wait_until(is_in_work, 'a frame in work')
    assert stop(process, signal.SIGTERM) == 0
    assert 'takes longer than' in process.stderr.read()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_while_it_loads_its_model(run, client, number) -> None:
    """The load would take ten minutes."""
    process = run([*FAKE_NODE, '--loading'], diagnostics_period=0.05)
    engine = watched(client, 'engine')
    wait_until(
        lambda: float(status_values(engine())['loading_for_s'] or 0) > 0,
        'diagnostics while the model is loaded',
    )
    assert stop(process, number) == 0
    errors = process.stderr.read()
    assert 'asked to end' in errors and 'did not start' not in errors


@pytest.mark.parametrize(
    ('number', 'delay_s'), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.15), (signal.SIGINT, 0.29)]
)
def test_while_images_pour_in_the_frame_in_work_is_still_published_at_the_end(
    run, client, number, delay_s
) -> None:
    process = run([*FAKE_NODE, '--slow'])
    labels = Collector()
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    wait_until(lambda: publisher.get_subscription_count() == 1, 'the active node')
    wait_until(lambda: client.count_publishers('camera/panoptic/image') == 1, 'its labels')
    image = half_blue_image(720, 1280, columns=640)
    stamps = itertools.count(1)

    def send() -> None:
        image[0, 0, 2] = stamp = min(next(stamps), 255)  # the node tells it as work begins
        publisher.publish(image_message(image, stamp=stamp))

    client.create_timer(1 / 30, send)
    begun = [int(process.stdout.readline()) for _ in range(3)]
    labels.wait(1)
    time.sleep(delay_s)  # the moment within the work on a frame at which the signal comes
    assert stop(process, number) == 0
    assert 'Traceback' not in process.stderr.read()
    last = [*begun, *map(int, process.stdout.read().split())][-1]
    seen = labels.wait_for(
        lambda seen: seen[-1].header.stamp.sec == last, f'the labels of frame {last}'
    )
    np.testing.assert_array_equal(np.unique(labels_of(seen[-1]) >> 8), [0, 13])


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
    assert stop(process, signal.SIGTERM) == ExitStatus.ASKED_TO_END


def test_a_signal_ends_a_node_that_was_told_to_configure(run, client) -> None:
    process = run([*FAKE_NODE, '--loading'], autostart='false', diagnostics_period=0.05)
    ask(client, Transition.TRANSITION_CONFIGURE)
    assert process.stdout.readline() == 'loading\n'
    assert stop(process, signal.SIGTERM) == 0


def test_a_callback_that_raises_costs_one_image(run, client) -> None:
    process = run([*FAKE_NODE, '--raising'], diagnostics_period=0.05)
    wait_for_node(client)
    labels, engine = Collector(), watched(client, 'engine')
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    connect(publisher, labels)
    image = half_blue_image()
    image[0, 0, 2] = UNLUCKY
    publisher.publish(image_message(image, stamp=1000))
    wait_until(
        lambda: 'nobody foresaw' in status_values(engine())['last_callback_failure'],
        'the failure',
    )
    publisher.publish(image_message(half_blue_image(), stamp=1001))
    labels.wait_for(lambda seen: seen[-1].header.stamp.sec == 1001, 'the next image')
    assert stop(process, signal.SIGTERM) == 0
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
    engine, send = watched(client, 'engine'), sender(client)

    def has_ended() -> bool:
        send()
        return process.poll() is not None

    wait_until(has_ended, 'the end of the process')
    errors = process.stderr.read()
    assert process.returncode == status, errors
    assert reason in errors and 'to be started anew' in errors
    wait_until(lambda: reason in engine().message, 'the reason in the diagnostics')


def stop_event_thread(process: subprocess.Popen) -> None:
    """Has the thread of Fast DDS stand still that makes all that is due at some time."""
    threads = Path(f'/proc/{process.pid}/task').iterdir()
    (thread,) = [t for t in threads if (t / 'comm').read_text().startswith('dds.ev')]
    # Asleep: in the middle of its work it would hold what others wait for.
    wait_until(lambda: (thread / 'stat').read_text().split()[2] == 'S', 'the thread to wait')
    assert ctypes.CDLL(None).tgkill(process.pid, int(thread.name), signal.SIGUSR1) == 0


@pytest.mark.parametrize('state', ['active', 'unconfigured'])
def test_a_middleware_that_stands_still_ends_the_process(run, client, state) -> None:
    process = run(FAKE_NODE, watchdog_timeout=0.3, autostart=str(state == 'active').lower())
    engine = watched(client, 'engine')

    def is_watched() -> bool:
        values = status_values(engine())
        silent_s = values['middleware_silent_s'] or 'not watched'
        return values['lifecycle_state'] == state and silent_s != 'not watched'

    wait_until(is_watched, 'the first sign of life')
    stop_event_thread(process)
    _, errors = process.communicate(timeout=END_S)
    assert process.returncode == ExitStatus.NO_PROGRESS, errors
    assert 'the middleware (rmw_fastrtps_cpp) has given no sign of life' in errors
    assert 'limit 0.3 s' in errors and 'to be started anew' in errors


def test_a_node_that_was_stopped_as_a_whole_goes_on(run, client) -> None:
    process = run(FAKE_NODE, watchdog_timeout=0.3)
    labels = Collector()
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    publisher = client.create_publisher(Image, 'camera/image_raw', RELIABLE)
    connect(publisher, labels)
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.0)  # the limit several times over
    process.send_signal(signal.SIGCONT)
    seen = len(labels.messages)
    publisher.publish(image_message(half_blue_image(), stamp=1000))
    labels.wait(seen + 1)
    assert stop(process, signal.SIGTERM) == 0


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
    ask(client, Transition.TRANSITION_DEACTIVATE)
    _, errors = process.communicate(timeout=END_S)
    assert process.returncode == 1
    assert 'error processing failed: OSError: out of handles' in errors


def test_what_the_network_library_has_to_say_is_in_the_log_of_the_node(
    run, client, tmp_path
) -> None:
    no_folder = tmp_path / 'cache'
    no_folder.write_text('')
    said = Collector()
    # Latched: what the node says before it and the client know each other is not lost.
    kept = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    client.create_subscription(Log, '/rosout', said, kept)
    run(
        [sys.executable, '-m', 'upsnet_ros.node.main'],
        autostart='false',
        model_path=write_tiny_model(tmp_path),
        backend='openvino',
        cache_folder=no_folder,
    )
    ask(client, Transition.TRANSITION_CONFIGURE)

    def is_told() -> bool:
        return any(
            str(no_folder) in entry.msg and entry.level == LoggingSeverity.WARN
            for entry in list(said.messages)
        )

    wait_until(is_told, 'the warning about the cache')


def test_without_autostart_the_node_waits_unconfigured(run, client) -> None:
    process = run(FAKE_NODE, autostart='false')
    name = ('perception_node', client.get_namespace())
    wait_until(lambda: name in client.get_node_names_and_namespaces(), 'the node')
    assert client.count_subscribers('camera/image_raw') == 0
    assert stop(process, signal.SIGTERM) == 0
    assert 'configure' not in process.stderr.read()


@pytest.mark.parametrize(
    ('parameters', 'status', 'texts'),
    [
        ({'camera_names': '[a, a]'}, 2, ['camera_names', 'more than once']),
        ({'model_path': '/nowhere/model.onnx'}, 1, ['/nowhere/model.onnx', 'did not start']),
    ],
)
def test_an_impossible_start_ends_with_a_reason(run, parameters, status, texts) -> None:
    process = run([sys.executable, '-m', 'upsnet_ros.node.main'], **parameters)
    _, errors = process.communicate(timeout=END_S)
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
    _, errors = process.communicate(timeout=END_S)
    assert process.returncode == 2
    assert 'score_threshold' in errors


@pytest.mark.parametrize('reliability', ['BEST_EFFORT', 'RELIABLE'])
def test_large_images_all_arrive_between_two_processes(run, client, reliability) -> None:
    """Each image is sent when the answer to the last has come, so none may be dropped."""
    run(FAKE_NODE)
    wait_for_node(client)
    labels = Collector()
    client.create_subscription(Image, 'camera/panoptic/image', labels, RELIABLE)
    profile = QoSProfile(depth=1, reliability=getattr(ReliabilityPolicy, reliability))
    publisher = client.create_publisher(Image, 'camera/image_raw', profile)
    connect(publisher, labels)
    image = half_blue_image(1024, 2048, columns=700)  # 6.3 MB
    before = len(labels.messages)
    for count in range(1, 11):
        publisher.publish(image_message(image, stamp=1000 + count))
        assert labels.wait(before + count)[-1].header.stamp.sec == 1000 + count
    np.testing.assert_array_equal(labels_of(labels.messages[-1]), expected_labels(image))
