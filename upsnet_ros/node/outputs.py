# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The publishers of one camera: a loop over the table of topics.

They exist from configure to cleanup, whatever is switched off: an output can then be switched on
between two frames without waiting for readers to find it, and what a node offers does not change
under the readers' feet. Switched off, or without a reader, no message is made. A volatile
publisher gives a late reader nothing that was published before it was there, so what is not made
for nobody is not missed either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.node.calibration import CalibrationFit
from upsnet_ros.node.messages import ClassTable, FrameTimes, LabelledImage
from upsnet_ros.node.parameters import MODEL_DEFAULT, NodeParameters
from upsnet_ros.node.qos import LATCHED_QOS, OUTPUT_QOS, create_output
from upsnet_ros.node.topics import IMAGE, OUTPUTS, TABLE, TIMES, Output


class CameraOutputs:
    """Creates, uses and destroys the publishers of one camera.

    Attributes:
        publishers: by name of the topic in the table.

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
        self._said_threshold: float | None = None
        self._calibration = CalibrationFit(camera, logger=node.get_logger())
        self._published_at: dict[str, float] = {}
        self.publishers: dict[str, Any] = {}
        self._made_of: dict[str, list[tuple[Output, Any]]] = {IMAGE: [], TABLE: [], TIMES: []}
        try:
            for output in filter(lambda output: output.is_available, OUTPUTS):
                offered = LATCHED_QOS if output.made_of == TABLE else qos
                publisher = create_output(node, output.message_class(), output.of(camera), offered)
                self.publishers[output.name] = publisher
                self._made_of[output.made_of].append((output, publisher))
        except Exception:  # nobody else knows of those that were created
            self.destroy(deadline=time.monotonic())
            raise

    def publish_tables(self, values: NodeParameters) -> None:
        """Publishes the class tables, unless switched off; late subscribers receive them too."""
        self._say_tables(values, lambda output: True)

    def _say_tables(self, values: NodeParameters, are_due: Callable[[Output], bool]) -> None:
        """Publishes the tables that are due; readers or not, since they are kept for late ones."""
        self._said_threshold = self._threshold(values)
        header = Header(stamp=self._node.get_clock().now().to_msg())
        table = ClassTable(header, self._label_set, self._model, self._said_threshold)
        for output, publisher in self._switched_on(TABLE, values):
            if are_due(output):
                publisher.publish(output.make(table))

    def _threshold(self, values: NodeParameters) -> float:
        """The least score of an instance that holds now."""
        is_own = values.score_threshold == MODEL_DEFAULT
        return self._own_threshold if is_own else values.score_threshold

    def publish_result(
        self,
        result: PanopticResult,
        image_bgr: np.ndarray,
        *,
        header: Header,
        camera_info: CameraInfo | None,
        values: NodeParameters,
    ) -> None:
        """Publishes everything that was computed from one image, all with that image's header.

        Args:
            result: the panoptic result.
            image_bgr: the image it was computed from, BGR uint8 [H, W, 3], reduced or not.
            header: of the image's message.
            camera_info: the camera's last calibration, None when it sent none.
            values: the parameters that hold for this image.
        """
        if self._threshold(values) != self._said_threshold:
            self._say_tables(values, lambda output: output.follows_threshold)
        if values.publish_camera_info:
            camera_info = self._calibration.fitting(camera_info, result.label_image.shape)
        image = LabelledImage(
            header,
            image_bgr,
            result,
            self._label_set,
            camera_info,
            values.overlay_alpha,
            values.overlay_scale,
        )
        published: set[str] = set()
        for output, publisher in self._switched_on(IMAGE, values):
            if output.beside and output.beside not in published:
                continue
            if is_wanted(publisher) and self._is_due(output, values):
                message = output.make(image)
                if message is not None:
                    publisher.publish(message)
                    published.add(output.name)

    def publish_timing(
        self, durations_ms: Mapping[str, float], *, header: Header, values: NodeParameters
    ) -> None:
        """Publishes where the time of a frame went, when anyone listens."""
        for output, publisher in self._switched_on(TIMES, values):
            if is_wanted(publisher):
                publisher.publish(output.make(FrameTimes(header, durations_ms)))

    def _switched_on(self, made_of: str, values: NodeParameters) -> Iterator[tuple[Output, Any]]:
        for output, publisher in self._made_of[made_of]:
            if getattr(values, output.switch):
                yield output, publisher

    def _is_due(self, output: Output, values: NodeParameters) -> bool:
        """Whether enough time has passed since an output's last message, by its rate."""
        if not output.rate:
            return True
        rate_hz = getattr(values, output.rate)
        now, last = time.monotonic(), self._published_at.get(output.name)
        if rate_hz and last is not None and now - last < 1 / rate_hz:
            return False
        self._published_at[output.name] = now
        return True

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
            while self.publishers:
                steps.callback(destroy_one, self.publishers.popitem()[1])


def is_wanted(publisher: Any) -> bool:
    """Whether a message would reach a reader that is there, or be kept for a later one.

    `qos_overrides` may have told a publisher to keep its messages (transient_local).
    """
    keeps = publisher.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return keeps or publisher.get_subscription_count() > 0


def destroy_outputs(outputs: dict[str, CameraOutputs], *, receipt_timeout_s: float) -> None:
    """Destroys the publishers of all cameras and empties the dictionary."""
    deadline = time.monotonic() + receipt_timeout_s
    with ExitStack() as steps:
        while outputs:
            steps.callback(outputs.popitem()[1].destroy, deadline=deadline)
