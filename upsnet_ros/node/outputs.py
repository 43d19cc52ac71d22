# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The publishers of one camera."""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.msg import FrameTiming, PanopticClassInfo, PanopticInstanceArray
from upsnet_ros.node.image_messages import label_message, semantic_message
from upsnet_ros.node.overlay_output import OverlayOutput
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.publication_qos import LATCHED_QOS, OUTPUT_QOS
from upsnet_ros.node.result_messages import (
    class_info_message,
    instances_message,
    timing_message,
)
from upsnet_ros.node.vision_outputs import VisionOutputs, vision_msgs_is_installed


@dataclass(frozen=True)
class OutputSettings:
    """What is published and how; may change between two frames.

    Attributes:
        publish_semantic: publish the class image.
        publish_instances: publish the instances.
        publish_timing: publish where the time of each frame went.
        overlay_alpha: opacity of the colours in the overlay, 0 to 1.
        overlay_rate: most overlays per second, 0 for one of each image.
        overlay_scale: size of the overlay as a share of the image's, above 0 to 1.
    """

    publish_semantic: bool
    publish_instances: bool
    publish_timing: bool
    overlay_alpha: float
    overlay_rate: float
    overlay_scale: float

    @classmethod
    def of(cls, parameters: NodeParameters) -> OutputSettings:
        """What the parameters say of the outputs."""
        return cls(**{field.name: getattr(parameters, field.name) for field in fields(cls)})


class CameraOutputs:
    """Creates, uses and destroys the publishers of one camera.

    Args:
        node: the lifecycle node; nothing leaves the publishers unless it is active.
        camera: prefix of the topics.
        label_set: the classes of the model.
        model: name of the model.
        qos: of all outputs but the latched ones.
    """

    def __init__(
        self,
        node: LifecycleNode,
        *,
        camera: str,
        label_set: LabelSet,
        model: str,
        qos: QoSProfile = OUTPUT_QOS,
    ) -> None:
        self._node = node
        self._label_set = label_set
        self._model = model
        create = node.create_lifecycle_publisher
        self._panoptic = create(Image, f'{camera}/panoptic/image', qos)
        self._instances = create(PanopticInstanceArray, f'{camera}/panoptic/instances', qos)
        self._class_info = create(PanopticClassInfo, f'{camera}/panoptic/class_info', LATCHED_QOS)
        self._camera_info = create(CameraInfo, f'{camera}/panoptic/camera_info', qos)
        self._semantic = create(Image, f'{camera}/semantic/image', qos)
        self._overlay = create(Image, f'{camera}/overlay/image', qos)
        self._overlays = OverlayOutput(self._overlay, label_set)
        self._timing = create(FrameTiming, f'~/debug/{camera}/timing', qos)
        self._vision = VisionOutputs(node, camera, qos) if vision_msgs_is_installed() else None

    def publish_class_info(self) -> None:
        """Publishes the class table once; late subscribers receive it on joining."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._class_info.publish(
            class_info_message(self._label_set, model=self._model, header=header)
        )
        if self._vision is not None:
            self._vision.publish_label_info(self._label_set, header)

    def publish_result(
        self,
        result: PanopticResult,
        image_bgr: np.ndarray,
        *,
        header: Header,
        camera_info: CameraInfo | None,
        settings: OutputSettings,
    ) -> None:
        """Publishes everything that was computed from one image, all with that image's header.

        Args:
            result: the panoptic result.
            image_bgr: the image it was computed from, BGR uint8 [H, W, 3].
            header: of the image's message.
            camera_info: the camera's last calibration, None when it sent none.
            settings: what to publish.
        """
        self._panoptic.publish(label_message(result.label_image, header))
        if settings.publish_instances:
            self._instances.publish(instances_message(result, header))
            if self._vision is not None:
                self._vision.publish_detections(result, header)
        if camera_info is not None:
            stamped = copy(camera_info)
            stamped.header = header
            self._camera_info.publish(stamped)
        if settings.publish_semantic and self._semantic.get_subscription_count():
            self._semantic.publish(semantic_message(result.label_image, header))
        self._overlays.publish(
            image_bgr,
            result.label_image,
            header=header,
            alpha=settings.overlay_alpha,
            rate_hz=settings.overlay_rate,
            scale=settings.overlay_scale,
        )

    def publish_timing(
        self, durations_ms: Mapping[str, float], *, header: Header, settings: OutputSettings
    ) -> None:
        """Publishes where the time of a frame went, when anyone listens."""
        if settings.publish_timing and self._timing.get_subscription_count():
            self._timing.publish(timing_message(durations_ms, header))

    @property
    def _publishers(self) -> tuple[Any, ...]:
        """All publishers."""
        return (
            self._panoptic,
            self._instances,
            self._class_info,
            self._camera_info,
            self._semantic,
            self._overlay,
            self._timing,
            *(self._vision.publishers if self._vision is not None else ()),
        )

    def destroy(self, *, deadline: float) -> None:
        """Destroys the publishers.

        What was published last would be lost with them, so its receipt is waited for.

        Args:
            deadline: until when, seconds of the steady clock.
        """
        for publisher in self._publishers:
            left_s = max(0.0, deadline - time.monotonic())
            publisher.wait_for_all_acked(Duration(seconds=left_s))
            self._node.destroy_lifecycle_publisher(publisher)


def destroy_outputs(outputs: dict[str, CameraOutputs], *, receipt_timeout_s: float) -> None:
    """Destroys the publishers of all cameras and empties the dictionary."""
    deadline = time.monotonic() + receipt_timeout_s
    while outputs:
        outputs.popitem()[1].destroy(deadline=deadline)
