# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way of image messages into the node: open while it is active, and switched by a service.

What `qos_overrides` says of a topic goes before what the node would ask for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.images.video import video_codec
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.process import forget_destroyed
from upsnet_ros.node.qos import (
    LATCHED_QOS,
    SUBSCRIPTION,
    create_input,
    parameter_name,
    topic_overrides,
    unused_overrides,
)
from upsnet_ros.node.topics import CALIBRATION, VIDEO_TRANSPORTS, input_topics
from upsnet_ros.node.waiting import AdmissionRules, WaitingFrames

BEST_EFFORT_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Where every frame counts, and of video: what arrives while the executor is busy with something
# else.
DEEP_DEPTH = 32


def check_input_overrides(
    node: Node, cameras: Sequence[str], *, transport: str, process_all: bool
) -> None:
    """Refuses impossible overrides before any subscription exists; warns of those without effect.

    Called once the publishers exist, so that what is left over belongs to nobody.

    Raises:
        ParameterError: an override of an input is impossible, or would lose images where every
            one is asked for.
    """
    images = [topic for camera in cameras for _, topic in input_topics(camera, transport)]
    calibrations = [CALIBRATION.of(camera) for camera in cameras]
    for topic in (*images, *calibrations):
        asked = topic_overrides(node, topic, SUBSCRIPTION)
        if process_all and topic in images and asked.get('reliability') == 'best_effort':
            name = parameter_name(node, topic, SUBSCRIPTION, 'reliability')
            raise ParameterError(
                f"parameter '{name}' is 'best_effort' while 'process_all' is true, expected "
                'reliable: best-effort transmission loses images'
            )
    for name in unused_overrides(node, [*images, *calibrations]):
        node.get_logger().warning(
            f"parameter '{name}' has no effect: no topic of this node that can be overridden has "
            'that name; expected the full name after namespace and remapping, publisher for '
            'outputs and subscription for inputs'
        )


class CameraSubscriptions:
    """Creates and destroys the subscriptions of one camera.

    Args:
        node: the node to subscribe with.
        camera: receives the incompatibilities of publishers.
        values: the parameters that hold at this activation.
        on_image: called with each image message, in the executor's thread.
        on_camera_info: called with each calibration message.
    """

    def __init__(
        self,
        node: Node,
        camera: CameraState,
        values: NodeParameters,
        *,
        on_image: Callable[[Any], None],
        on_camera_info: Callable[[CameraInfo], None],
    ) -> None:
        self._node = node
        self._camera = camera
        self._receive = on_image
        self._values = values
        self._refusing: set[str] = set()
        self._to_deepen: set[str] = set()
        # An event's callback must not destroy the subscription that it belongs to.
        self._change_soon = node.create_guard_condition(self._change)
        self._kinds = {
            topic: kind for kind, topic in input_topics(camera.name, values.image_transport)
        }
        is_video = values.image_transport in VIDEO_TRANSPORTS
        self._videos: set[str] = set(self._kinds) if is_video else set()
        camera.record_qos_problem('')
        self._images: dict[str, Subscription] = {}
        self._camera_info: list[Subscription] = []
        try:
            for topic in self._kinds:
                self._images[topic] = self._subscribe(topic, self._wished(topic))
            self._subscribe_to_calibration(on_camera_info)
        except BaseException:  # nobody else could destroy what is there by now
            self.destroy()
            raise

    def _subscribe_to_calibration(self, callback: Callable[[CameraInfo], None]) -> None:
        """Subscribes to the calibration, and to what was published of it before.

        A latched one, published once, reaches only a reader that asks for what was kept; a reader
        that asks for it has nothing of a publisher that keeps nothing, and gets each warned of the
        other. So a second subscription is made once a publisher is there that keeps.
        """
        topic = CALIBRATION.of(self._camera.name)

        def ask_for_kept(event: Any) -> None:
            publishers = self._node.get_publishers_info_by_topic(topic)
            is_kept = any(
                publisher.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
                and publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE
                for publisher in publishers
            )
            if is_kept and len(self._camera_info) == 1:
                self._camera_info.append(
                    create_input(self._node, CameraInfo, topic, callback, LATCHED_QOS)
                )

        is_asked = topic_overrides(self._node, topic, SUBSCRIPTION)
        self._camera_info.append(
            create_input(
                self._node,
                CameraInfo,
                topic,
                callback,
                BEST_EFFORT_QOS,
                event_callbacks=None
                if is_asked
                else SubscriptionEventCallbacks(matched=ask_for_kept),
            )
        )

    def _wished(self, topic: str) -> ReliabilityPolicy:
        """The reliability to ask for.

        With 'auto' the node asks for reliable transmission until a publisher is there that does
        not offer it: a best-effort subscription receives from all of them. So it makes no
        difference whether cameras or node are started first.
        """
        is_reliable = self._values.input_qos == 'reliable'
        if self._values.input_qos == 'auto':
            publishers = self._node.get_publishers_info_by_topic(topic)
            offered = {publisher.qos_profile.reliability for publisher in publishers}
            is_reliable = offered <= {ReliabilityPolicy.RELIABLE}
        return ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT

    def _subscribe(self, topic: str, wished: ReliabilityPolicy) -> Subscription:
        """A subscription to an image topic that reports the publishers it refuses."""
        asked = topic_overrides(self._node, topic, SUBSCRIPTION)
        is_relaxed = asked.get('reliability', wished.name.lower()) == 'best_effort'
        is_auto = self._values.input_qos == 'auto' and 'reliability' not in asked

        def incompatible(event: Any) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            if is_auto and not is_relaxed and policy == 'RELIABILITY':
                self._refusing.add(topic)
                self._change_soon.trigger()
            else:
                self._report(topic, policy, is_asked=policy.lower() in asked)

        if is_relaxed and self._values.process_all:
            self._node.get_logger().warning(
                f"topic '{topic}': its publisher is not reliable, so images may be lost on the "
                "way although 'process_all' is true; let it offer RELIABLE"
            )
        needs_all = self._values.process_all or topic in self._videos
        callbacks = SubscriptionEventCallbacks(
            incompatible_qos=incompatible, use_default_callbacks=False
        )
        return create_input(
            self._node,
            self._kinds[topic],
            topic,
            partial(self._on_image, topic),
            QoSProfile(depth=DEEP_DEPTH if needs_all else 1, reliability=wished),
            event_callbacks=callbacks,
        )

    def _report(self, topic: str, policy: str, *, is_asked: bool) -> None:
        """Says that a publisher is refused for its quality of service, and what asked for it."""
        self._camera.record_qos_problem(policy)
        name = parameter_name(self._node, topic, SUBSCRIPTION, policy)
        remedy = (
            f"change the parameter '{name}' and start the node anew"
            if is_asked
            else "set the parameter 'input_qos' to auto or sensor_data while the node is "
            'unconfigured'
        )
        self._node.get_logger().warning(
            f"topic '{topic}': a publisher offers another {policy} than this node asks for, "
            f'so nothing is received from it; {remedy}'
        )

    def _on_image(self, topic: str, message: Any) -> None:
        """Hands a message on; video from now on with a queue, as none of it may be lost."""
        has_queue = self._values.process_all or topic in self._videos
        if not has_queue and video_codec(message) is not None:
            self._videos.add(topic)
            self._to_deepen.add(topic)
            self._change_soon.trigger()
        self._receive(message)

    def _change(self) -> None:
        """Subscribes again: best effort, as a publisher is not reliable; or with a queue."""
        while self._to_deepen:
            topic = self._to_deepen.pop()
            wished = self._images[topic].qos_profile.reliability
            self._node.destroy_subscription(self._images[topic])
            self._images[topic] = self._subscribe(topic, wished)
        while self._refusing:
            topic = self._refusing.pop()
            self._node.destroy_subscription(self._images[topic])
            self._images[topic] = self._subscribe(topic, ReliabilityPolicy.BEST_EFFORT)
            self._node.get_logger().info(
                f"topic '{topic}': a best-effort publisher appeared; best effort from now on"
            )

    def destroy(self) -> None:
        """Destroys the subscriptions; only from the executor's thread."""
        self._refusing.clear()
        self._to_deepen.clear()
        self._node.destroy_guard_condition(self._change_soon)
        for subscription in (*self._images.values(), *self._camera_info):
            self._node.destroy_subscription(subscription)
        self._images.clear()
        self._camera_info.clear()
        forget_destroyed(self._node.default_callback_group)


MEBIBYTE = 1 << 20


def frame_store(parameters: NodeParameters) -> WaitingFrames:
    """Where the frames of one camera wait; the cameras share the memory evenly."""
    if not parameters.process_all:
        return WaitingFrames()
    share = parameters.process_all_memory * MEBIBYTE // len(parameters.camera_names)
    return WaitingFrames(share)


def admission_rules(parameters: NodeParameters) -> AdmissionRules:
    """Which messages become frames; all of them where all are to be processed."""
    return AdmissionRules(
        switch_after_s=parameters.stale_after,
        drop_out_of_order=parameters.drop_out_of_order and not parameters.process_all,
        max_rate_hz=parameters.max_rate,
    )


class Intake:
    """Subscribes to the cameras and lets their frames wait. Nothing is decoded here.

    All calls come from the executor's thread.

    Args:
        node: the node to subscribe with.
        cameras: receive the frames.
        parameters: gives the values that hold now.
        on_frame: called after a frame began to wait.
        on_camera_info: receives a camera's name and its calibration.

    Raises:
        ParameterError: a quality of service asked for an input is impossible.
    """

    def __init__(
        self,
        node: Node,
        cameras: Sequence[CameraState],
        *,
        parameters: Callable[[], NodeParameters],
        on_frame: Callable[[], None],
        on_camera_info: Callable[[str, CameraInfo], None],
    ) -> None:
        self._node = node
        self._cameras = tuple(cameras)
        self._parameters = parameters
        self._on_frame = on_frame
        self._on_camera_info = on_camera_info
        self._subscriptions: list[CameraSubscriptions] = []
        self._is_enabled = True
        check_input_overrides(
            node,
            [camera.name for camera in cameras],
            transport=parameters().image_transport,
            process_all=parameters().process_all,
        )

    def open(self) -> None:
        """Subscribes to every camera; the wait for the first image of each begins."""
        self._discard()
        for camera in self._cameras:
            self._subscriptions.append(self._subscribe(camera))

    def close(self) -> None:
        """Unsubscribes and discards waiting frames; may be called again."""
        for subscriptions in self._subscriptions:
            subscriptions.destroy()
        self._subscriptions.clear()
        self._discard()

    def enable(self, is_enabled: bool) -> None:
        """Lets messages in or not, while subscribed; nothing changes where that is so already."""
        if is_enabled != self._is_enabled:
            self._is_enabled = is_enabled
            self._discard()

    def begin_anew(self) -> None:
        """The clock was set back: the stamps to come have nothing to do with those before."""
        for camera in self._cameras:
            camera.begin_anew()

    def _discard(self) -> None:
        for camera in self._cameras:
            camera.discard()

    def _subscribe(self, camera: CameraState) -> CameraSubscriptions:
        """The subscriptions of one camera."""

        def on_image(message: Any) -> None:
            if not self._is_enabled:
                return
            if camera.offer(message, rules=admission_rules(self._parameters())):
                self._on_frame()

        return CameraSubscriptions(
            self._node,
            camera,
            self._parameters(),
            on_image=on_image,
            on_camera_info=lambda message: self._on_camera_info(camera.name, message),
        )
