# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node under test in its own executor thread, and a client that talks to it over DDS."""

from __future__ import annotations

import itertools
import os
import threading
import time
from array import array
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from tests.node.fake_pipeline import FakeLoader
from upsnet_ros.node.perception_node import PerceptionNode

DEADLINE_S = 60.0
RELIABLE = QoSProfile(depth=20, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_NUMBERS = itertools.count()
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
}


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Returns when a condition holds; fails the test with its name after the deadline."""
    pause = threading.Event()
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f'still waiting for: {what}'
        pause.wait(0.005)


def message_data(values: np.ndarray) -> array:
    """The bytes of an array as a message takes them; it walks through others one by one."""
    return array('B', values.tobytes())


def image_message(image: np.ndarray, *, encoding: str = 'bgr8', stamp: int = 1) -> Image:
    """A raw image message of uint8 [H, W, C] or [H, W]."""
    message = Image(
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        step=image[0].nbytes,
        data=message_data(image),
    )
    message.header.stamp.sec = stamp
    message.header.stamp.nanosec = 123456789
    message.header.frame_id = 'camera_optical_frame'
    return message


def stamped(stamp_s: float, kind: type = Image, *, size: int = 1) -> Any:
    """A message of a kind of image with a stamp in seconds, and so many bytes of data."""
    message = kind(data=message_data(np.zeros(size, np.uint8)))
    stamp = message.header.stamp
    stamp.sec, stamp.nanosec = divmod(round(stamp_s * 1e9), 10**9)
    return message


def half_blue_image(height: int = 6, width: int = 8, *, columns: int = 3) -> np.ndarray:
    """A black picture, BGR uint8, whose first columns are blue: they are the car."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :columns, 0] = 255
    return image


def labels_of(message: Image) -> np.ndarray:
    """The values of a label image, uint16 [H, W]."""
    return np.frombuffer(message.data, '<u2').reshape(message.height, message.width)


def unique_namespace() -> str:
    """A namespace that no other test uses, in this process or in another one."""
    return f'test_{os.getpid()}_{next(_NUMBERS)}'


class Collector:
    """Messages of one topic, in order of arrival."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._arrived = threading.Condition()

    def __call__(self, message: Any) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def wait(self, count: int = 1) -> list[Any]:
        """The messages, once there are at least so many."""
        return self.wait_for(lambda messages: len(messages) >= count, f'{count} messages')

    def wait_for(
        self, condition: Callable[[list[Any]], bool], what: str, deadline_s: float = DEADLINE_S
    ) -> list[Any]:
        """The messages, once a condition on them holds."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: condition(self.messages), deadline_s)
            assert arrived, f'still waiting for {what}, have {len(self.messages)} messages'
            return list(self.messages)


class Diagnostics(Collector):
    """What a node says of itself."""

    def status(
        self, name: str, *, level: bytes | None = None, text: str = '', **values: str
    ) -> DiagnosticStatus:
        """The newest status of a name, once it has this level, this text and these values."""

        def fits(messages: list[DiagnosticArray]) -> bool:
            status = find_status(messages, name)
            return (
                (level is None or status.level == level)
                and text in status.message
                and status_values(status).items() >= values.items()
            )

        what = f'{name} with {level} {text} {values}'
        return find_status(self.wait_for(fits, what), name)


class SpinThread:
    """An executor that spins in a thread until its context ends."""

    def __init__(self, context: Context) -> None:
        self.executor = SingleThreadedExecutor(context=context)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            while not self._stop.is_set():
                self.executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            return

    def close(self) -> None:
        # An executor that is shut down in the middle of a callback raises at the callback's end.
        self._stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self.executor.shutdown()


class NodeHarness:
    """Starts a `PerceptionNode` with a fake pipeline and given parameters, unconfigured."""

    def __init__(self, *, loader: Any = None, **parameters: Any) -> None:
        self.loader = loader or FakeLoader()
        self.namespace = unique_namespace()
        self._context = Context()
        rclpy.init(context=self._context)
        parameters = {'model_path': 'fake.onnx', **parameters}
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = PerceptionNode(
            load_pipeline=self.loader,
            context=self._context,
            namespace=self.namespace,
            parameter_overrides=overrides,
        )
        self.client = rclpy.create_node(
            'test_client', context=self._context, namespace=self.namespace
        )
        self._threads = [SpinThread(self._context), SpinThread(self._context)]
        self._threads[0].executor.add_node(self.node)
        self._threads[1].executor.add_node(self.client)
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        """Ends both nodes; a frame that still waits is let go first."""
        for pipeline in getattr(self.loader, 'pipelines', []):
            pipeline.gate.set()
        for thread in self._threads:
            thread.close()
        if not self.node.lifecycle.is_finalized:
            self.node.trigger_shutdown()
        self.client.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def call(self, kind: type, service: str, request: Any) -> Any:
        """The response of a service of the node."""
        if service not in self._clients:
            self._clients[service] = self.client.create_client(kind, service)
        client = self._clients[service]
        wait_until(client.service_is_ready, f'service {service}')
        future = client.call_async(request)
        wait_until(future.done, f'answer of {service}')
        return future.result()

    def change_state(self, transition: str) -> bool:
        """Asks for a transition; returns whether it succeeded."""
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[transition]
        return self.call(ChangeState, 'perception_node/change_state', request).success

    def state(self) -> str:
        """The node's lifecycle state, as its service says."""
        response = self.call(GetState, 'perception_node/get_state', GetState.Request())
        return response.current_state.label

    def activate(self) -> NodeHarness:
        """Configures and activates."""
        assert self.change_state('configure')
        assert self.change_state('activate')
        return self

    def subscribe(self, kind: type, topic: str, qos: QoSProfile = RELIABLE) -> Collector:
        """Collects the messages of a topic, once its publisher is connected."""
        collector = Collector()
        subscription = self.client.create_subscription(kind, topic, collector, qos)
        wait_until(lambda: subscription.get_publisher_count() > 0, f'publisher of {topic}')
        return collector

    def publisher(self, kind: type, topic: str, qos: QoSProfile = RELIABLE) -> Any:
        """A publisher, once the node has subscribed to it."""
        publisher = self.client.create_publisher(kind, topic, qos)
        wait_until(lambda: publisher.get_subscription_count() > 0, f'subscriber of {topic}')
        return publisher

    def output(self, topic: str, camera: str = 'camera') -> Any:
        """The node's publisher of a topic below the name of a camera."""
        return self.node.parts.outputs[camera].publishers[f'<camera>/{topic}']

    def set_parameters(self, **values: Any) -> Any:
        """Sets parameters as one; the result says whether and why not."""
        request = SetParametersAtomically.Request(
            parameters=[
                Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
            ]
        )
        service = 'perception_node/set_parameters_atomically'
        return self.call(SetParametersAtomically, service, request).result

    def diagnostics(self) -> Diagnostics:
        """Collects what this node says on /diagnostics, which all nodes of a domain share."""
        own = Diagnostics()

        def keep_own(message: DiagnosticArray) -> None:
            if message.status[0].name.startswith(f'{self.namespace}/'):
                own(message)

        self.client.create_subscription(DiagnosticArray, '/diagnostics', keep_own, RELIABLE)
        return own


def find_status(messages: list[DiagnosticArray], name: str) -> DiagnosticStatus:
    """The newest status whose name ends like this; an empty one when there is none."""
    for message in reversed(messages):
        for status in message.status:
            if status.name.endswith(name):
                return status
    return DiagnosticStatus()


def status_values(status: DiagnosticStatus) -> dict[str, str]:
    """The key-value pairs of a status; the empty text for any other key."""
    return defaultdict(str, {pair.key: pair.value for pair in status.values})
