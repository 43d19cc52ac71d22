# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way of image messages into the node: open while it is active, and switched by a service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from upsnet_ros.node.admission import AdmissionRules
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.frame_store import AllFrames, FrameStore, NewestFrame
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.subscriptions import CameraSubscriptions, check_input_overrides

MEBIBYTE = 1 << 20


def frame_store(parameters: NodeParameters) -> FrameStore:
    """Where the frames of one camera wait; the cameras share the memory evenly."""
    if not parameters.process_all:
        return NewestFrame()
    share = parameters.process_all_memory * MEBIBYTE // len(parameters.camera_names)
    return AllFrames(share)


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
        """Discards waiting frames and what is known of the last ones."""
        for camera in self._cameras:
            camera.discard()

    def _subscribe(self, camera: CameraState) -> CameraSubscriptions:
        """The subscriptions of one camera."""

        def on_image(message: Any) -> None:
            if not self._is_enabled:
                return
            if camera.offer(message, rules=admission_rules(self._parameters())):
                self._on_frame()

        parameters = self._parameters()
        return CameraSubscriptions(
            self._node,
            camera,
            transport=parameters.image_transport,
            input_qos=parameters.input_qos,
            process_all=parameters.process_all,
            on_image=on_image,
            on_camera_info=lambda message: self._on_camera_info(camera.name, message),
        )
