# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that the node of the soak talks to: cameras, readers of all outputs, a lifecycle manager."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from benchmarks.node_parts.soak_accounts import Accounts
from benchmarks.node_parts.soak_images import SoakCamera, camera_info
from upsnet_ros.msg import FrameTiming, PanopticClassInfo, PanopticInstanceArray

NODE = 'perception_node'
DEADLINE_S = 30.0
PATIENCE_S = 5.0  # for the answer to an image
SETTLE_S = 0.5  # both sides of a connection do not know of it at once
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
}
OUTPUTS = {
    'labels': (Image, '{camera}/panoptic/image'),
    'instances': (PanopticInstanceArray, '{camera}/panoptic/instances'),
    'class tables': (PanopticClassInfo, '{camera}/panoptic/class_info'),
    'calibrations': (CameraInfo, '{camera}/panoptic/camera_info'),
    'class images': (Image, '{camera}/semantic/image'),
    'overlays': (Image, '{camera}/overlay/image'),
    'times': (FrameTiming, f'{NODE}/debug/{{camera}}/timing'),
}


class CameraLink:
    """One camera: it sends its next image when the last was answered, or too late.

    Attributes:
        name: of the camera.
        images: publisher of its images.
        infos: publisher of its calibration.
    """

    def __init__(self, node: Any, camera: SoakCamera) -> None:
        self.name = camera.name
        self.images = node.create_publisher(
            type(camera.messages[0]), camera.topic, QoSProfile(depth=1)
        )
        self.infos = node.create_publisher(CameraInfo, f'{camera.name}/camera_info', 1)
        self._messages = cycle(camera.messages)
        self._info = camera_info()
        self._awaited: tuple[int, int] | None = None
        self._sent_at = 0.0

    @property
    def is_free(self) -> bool:
        """No answer is to be waited for."""
        return self._awaited is None or time.monotonic() - self._sent_at > PATIENCE_S

    def send(self, header: Header) -> None:
        """Send the next image and the calibration."""
        message = next(self._messages)
        message.header = self._info.header = header
        self._awaited = (header.stamp.sec, header.stamp.nanosec)
        self._sent_at = time.monotonic()
        self.infos.publish(self._info)
        self.images.publish(message)

    def receive(self, header: Header) -> None:
        """Take note of an answer."""
        if (header.stamp.sec, header.stamp.nanosec) == self._awaited:
            self._awaited = None


class SoakClient:
    """Drives one node; all its callbacks run within its methods.

    Attributes:
        accounts: what was sent and read.

    Args:
        cameras: what is sent.
        domain: of the node.
    """

    def __init__(self, cameras: Sequence[SoakCamera], *, domain: int) -> None:
        self.accounts = Accounts()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node('soak', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._links = [CameraLink(self._node, camera) for camera in cameras]
        self._subscriptions = [
            self._subscribe(kind, link, name, topic)
            for link in self._links
            for name, (kind, topic) in OUTPUTS.items()
        ]
        self._status: DiagnosticArray | None = None
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, 10)
        self._change = self._node.create_client(ChangeState, f'{NODE}/change_state')
        self._set = self._node.create_client(
            SetParametersAtomically, f'{NODE}/set_parameters_atomically'
        )

    def close(self) -> None:
        """End."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _subscribe(self, kind: type, link: CameraLink, name: str, topic: str) -> Any:
        """Read an output, without a look at more than its header."""
        self.accounts.read[name] = 0

        def note(serialized: bytes) -> None:
            self.accounts.read[name] += 1
            if name == 'labels':
                # Every message begins with its header.
                link.receive(deserialize_message(serialized, Header))

        qos = QoSProfile(depth=10)
        return self._node.create_subscription(
            kind, topic.format(camera=link.name), note, qos, raw=True
        )

    def _on_status(self, status: DiagnosticArray) -> None:
        self.accounts.read['diagnostics'] += 1
        self._status = status

    # --- time

    def pump(self, seconds: float) -> None:
        """Send images as fast as they are answered, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for link in self._links:
                if link.is_free:
                    self.accounts.sent += 1
                    link.send(Header(stamp=self._node.get_clock().now().to_msg()))
            self._executor.spin_once(timeout_sec=0.05)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Serve callbacks until a condition holds."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f'still waiting for {what} after {DEADLINE_S:g} s')
            self._executor.spin_once(timeout_sec=0.05)

    def _call(self, client: Any, request: Any) -> Any:
        """The answer of a service."""
        self._wait(client.service_is_ready, client.srv_name)
        future = client.call_async(request)
        self._wait(future.done, client.srv_name)
        return future.result()

    # --- lifecycle and parameters

    def change_state(self, name: str) -> None:
        """Ask for a transition, which must succeed."""
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[name]
        if not self._call(self._change, request).success:
            raise SystemExit(f'{name} failed')

    def activate(self) -> None:
        """Ask for it, and wait until all are connected."""
        self.change_state('activate')
        for link in self._links:
            for publisher in (link.images, link.infos):
                self._wait(partial(publisher.get_subscription_count), publisher.topic)
        for subscription in self._subscriptions:
            self._wait(partial(subscription.get_publisher_count), subscription.topic_name)
        self._settle()

    def drain(self) -> None:
        """Wait until every image that was sent is answered."""
        self._wait(lambda: all(link.is_free for link in self._links), 'the last answers')

    def deactivate(self) -> None:
        """Ask for it when every image was answered."""
        self.drain()
        self._settle()
        self.change_state('deactivate')

    def clean_up(self) -> None:
        """Ask for it, and keep the counters that end with it."""
        self._status = None
        self._wait(lambda: self._status is not None, 'diagnostics')
        for status in self._status.status:
            if ': camera ' in status.name:
                self.accounts.add_status({pair.key: pair.value for pair in status.values})
        self.change_state('cleanup')

    def _settle(self) -> None:
        """Serve callbacks for a moment."""
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.05)

    def set_parameters(self, **values: Any) -> None:
        """Set parameters as one, which must be accepted."""
        request = SetParametersAtomically.Request(
            parameters=[
                Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
            ]
        )
        result = self._call(self._set, request).result
        if not result.successful:
            raise SystemExit(f'parameters {values} were refused: {result.reason}')
