# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The subscriptions of one camera, which exist while the node is active."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from upsnet_ros.node.camera import CameraState

BEST_EFFORT_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


def image_topics(camera: str, transport: str) -> list[tuple[type, str]]:
    """Message type and topic of each image topic to read; transport raw, compressed or auto."""
    topics = {
        'raw': (Image, f'{camera}/image_raw'),
        'compressed': (CompressedImage, f'{camera}/image_raw/compressed'),
    }
    return list(topics.values()) if transport == 'auto' else [topics[transport]]


def input_profile(node: Node, topic: str, input_qos: str) -> QoSProfile:
    """The quality of service to subscribe with.

    With 'auto' the node asks for reliable transmission only where every publisher offers it: a
    best-effort subscription receives from all of them.
    """
    if input_qos != 'auto':
        return RELIABLE_QOS if input_qos == 'reliable' else BEST_EFFORT_QOS
    publishers = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
    offered = {publisher.qos_profile.reliability for publisher in publishers}
    return RELIABLE_QOS if offered == {ReliabilityPolicy.RELIABLE} else BEST_EFFORT_QOS


class CameraSubscriptions:
    """Creates and destroys the subscriptions of one camera.

    Args:
        node: the node to subscribe with.
        camera: receives the incompatibilities of publishers.
        transport: raw, compressed or auto.
        input_qos: auto, sensor_data or reliable.
        on_image: called with each image message, in the executor's thread.
        on_camera_info: called with each calibration message.
    """

    def __init__(
        self,
        node: Node,
        camera: CameraState,
        *,
        transport: str,
        input_qos: str,
        on_image: Callable[[Any], None],
        on_camera_info: Callable[[CameraInfo], None],
    ) -> None:
        self._node = node
        self._camera = camera
        self._subscriptions: list[Subscription] = [
            node.create_subscription(
                kind,
                topic,
                on_image,
                input_profile(node, topic, input_qos),
                event_callbacks=self._event_callbacks(topic),
            )
            for kind, topic in image_topics(camera.name, transport)
        ]
        self._subscriptions.append(
            node.create_subscription(
                CameraInfo, f'{camera.name}/camera_info', on_camera_info, BEST_EFFORT_QOS
            )
        )

    def _event_callbacks(self, topic: str) -> SubscriptionEventCallbacks:
        """Reports publishers that are refused for their quality of service."""

        def incompatible(event: Any) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self._camera.record_qos_problem(policy)
            self._node.get_logger().warning(
                f"topic '{topic}': a publisher offers another {policy} than this node asks for, "
                "so nothing is received from it; set the parameter 'input_qos' to auto or "
                'sensor_data'
            )

        return SubscriptionEventCallbacks(
            incompatible_qos=incompatible, use_default_callbacks=False
        )

    def destroy(self) -> None:
        """Destroys the subscriptions; only from the executor's thread."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
