# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The publishers of one camera.

They exist from configure to cleanup, whatever is switched off: an output can then be switched on
between two frames without waiting for readers to find it, and what a node offers does not change
under the readers' feet. Switched off, or without a reader, no message is made (see `demand`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
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
from upsnet_ros.node.calibration import CalibrationOutput
from upsnet_ros.node.demand import publish_wanted
from upsnet_ros.node.messages import (
    class_info_message,
    confidence_message,
    instances_message,
    label_message,
    semantic_message,
    timing_message,
    unknown_message,
)
from upsnet_ros.node.output_settings import OutputSettings
from upsnet_ros.node.overlay_output import OverlayOutput
from upsnet_ros.node.parameter_rule import MODEL_DEFAULT
from upsnet_ros.node.qos import LATCHED_QOS, OUTPUT_QOS, create_output
from upsnet_ros.node.vision_outputs import VisionOutputs, vision_msgs_is_installed


class CameraOutputs:
    """Creates, uses and destroys the publishers of one camera.

    Args:
        node: the lifecycle node; nothing leaves the publishers unless it is active.
        camera: prefix of the topics.
        label_set: the classes of the model.
        model: name of the model.
        score_threshold: the model's own least score of an instance.
        qos: of all outputs but the latched ones.

    Raises:
        ParameterError: a quality of service asked for an output is impossible.
    """

    def __init__(
        self,
        node: LifecycleNode,
        *,
        camera: str,
        label_set: LabelSet,
        model: str,
        score_threshold: float,
        qos: QoSProfile = OUTPUT_QOS,
    ) -> None:
        self._node = node
        self._label_set = label_set
        self._model = model
        self._own_threshold = score_threshold

        self._qos = qos
        self._publishers: list[Any] = []
        try:
            self._create_publishers(camera)
        except Exception:  # nobody else knows of those that were created
            self.destroy(deadline=time.monotonic())
            raise

    def _create_publishers(self, camera: str) -> None:
        """Creates every publisher."""
        create = self._create
        self._panoptic = create(Image, f'{camera}/panoptic/image')
        self._instances = create(PanopticInstanceArray, f'{camera}/panoptic/instances')
        self._class_info = create(PanopticClassInfo, f'{camera}/panoptic/class_info', LATCHED_QOS)
        self._unknown_mask = create(Image, f'{camera}/panoptic/unknown_mask')
        self._confidence = create(Image, f'{camera}/panoptic/confidence')
        self._semantic = create(Image, f'{camera}/semantic/image')
        self._overlay = create(Image, f'{camera}/overlay/image')
        self._overlays = OverlayOutput(self._overlay, self._label_set)
        self._timing = create(FrameTiming, f'~/debug/{camera}/timing')
        self._calibration = CalibrationOutput(create, camera, logger=self._node.get_logger())
        self._vision = VisionOutputs(create, camera) if vision_msgs_is_installed() else None

    def _create(self, kind: type, topic: str, qos: QoSProfile | None = None) -> Any:
        """A publisher that is destroyed with the others."""
        self._publishers.append(create_output(self._node, kind, topic, qos or self._qos))
        return self._publishers[-1]

    def publish_class_info(self, settings: OutputSettings) -> None:
        """Publishes the class table once, unless switched off; late subscribers receive it too."""
        if not settings.publish_class_info:
            return
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._class_info.publish(
            class_info_message(self._label_set, model=self._model, header=header)
        )
        self._publish_label_info(settings)

    def _publish_label_info(self, settings: OutputSettings) -> None:
        """Publishes the table of vision_msgs, if its threshold is not what was said last."""
        threshold = settings.score_threshold
        if threshold == MODEL_DEFAULT:
            threshold = self._own_threshold
        is_on = self._vision is not None and settings.publish_class_info
        if is_on and threshold != self._vision.threshold:
            header = Header(stamp=self._node.get_clock().now().to_msg())
            self._vision.publish_label_info(self._label_set, header, threshold)

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
        self._publish_label_info(settings)
        labels, on = result.label_image, settings
        publish_wanted(self._panoptic, on.publish_panoptic, lambda: label_message(labels, header))
        publish_wanted(
            self._instances, on.publish_instances, lambda: instances_message(result, header)
        )
        if self._vision is not None and on.publish_detections:
            self._vision.publish_detections(result, header)
        publish_wanted(
            self._semantic, on.publish_semantic, lambda: semantic_message(labels, header)
        )
        publish_wanted(
            self._unknown_mask, on.publish_unknown_mask, lambda: unknown_message(labels, header)
        )
        publish_wanted(
            self._confidence, on.publish_confidence, lambda: confidence_message(result, header)
        )
        overlay_size = self._publish_overlay(result, image_bgr, header, settings)
        if on.publish_camera_info:
            self._calibration.publish(
                camera_info, image_size=labels.shape, overlay_size=overlay_size, header=header
            )

    def _publish_overlay(
        self,
        result: PanopticResult,
        image_bgr: np.ndarray,
        header: Header,
        settings: OutputSettings,
    ) -> tuple[int, int] | None:
        """Draws and publishes the overlay; height and width of what was published, or None."""
        if not settings.publish_overlay:
            return None
        return self._overlays.publish(
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
        publish_wanted(
            self._timing, settings.publish_timing, lambda: timing_message(durations_ms, header)
        )

    def destroy(self, *, deadline: float) -> None:
        """Destroys the publishers.

        What was published last would be lost with them, so its receipt is waited for.

        Args:
            deadline: until when, seconds of the steady clock.
        """

        def destroy_one(publisher: Any) -> None:
            left_s = max(0.0, deadline - time.monotonic())
            try:
                publisher.wait_for_all_acked(Duration(seconds=left_s))
            finally:
                self._node.destroy_lifecycle_publisher(publisher)

        with ExitStack() as steps:  # each is taken, whatever becomes of those before
            for publisher in reversed(self._publishers):
                steps.callback(destroy_one, publisher)


def destroy_outputs(outputs: dict[str, CameraOutputs], *, receipt_timeout_s: float) -> None:
    """Destroys the publishers of all cameras and empties the dictionary."""
    deadline = time.monotonic() + receipt_timeout_s
    with ExitStack() as steps:
        while outputs:
            steps.callback(outputs.popitem()[1].destroy, deadline=deadline)
