# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a frame to its published results, with every way it can fail counted and explained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo

from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.conversions import describe_encoding, image_to_bgr
from upsnet_ros.node.frame_store import Frame
from upsnet_ros.node.outputs import CameraOutputs, OutputSettings
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.worker import PublishPermit


class FrameResult(Protocol):
    """What a pipeline returns for one image."""

    panoptic: PanopticResult
    timing_ms: Mapping[str, float]


class FramePipeline(Protocol):
    """The part of a pipeline that is used for each frame."""

    def process(self, image_bgr: np.ndarray) -> FrameResult:
        """The result for one image, BGR uint8 [H, W, 3]."""


class FrameProcessor:
    """Works on one frame at a time, in the worker's thread.

    Args:
        pipeline: from image to result.
        outputs: publishers by camera name.
        views: what is looked at of each camera's images, by its name.
        max_image_pixels: greatest size of the first frames.
        settings: what is published of the first frames.
        timing: receives the durations of each frame.
        ros_time_s: the node's clock in seconds, which the stamps of images follow.
        logger: the node's logger.
    """

    def __init__(
        self,
        pipeline: FramePipeline,
        *,
        outputs: Mapping[str, CameraOutputs],
        views: Mapping[str, ImageView],
        max_image_pixels: int,
        settings: OutputSettings,
        timing: NodeTiming,
        ros_time_s: Callable[[], float],
        logger: RcutilsLogger,
    ) -> None:
        self._pipeline = pipeline
        self._outputs = outputs
        self._views = views
        self._timing = timing
        self._ros_time_s = ros_time_s
        self._logger = logger
        self.camera_infos: dict[str, CameraInfo] = {}
        # Replaced as wholes by the executor's thread and read once a frame by the worker's.
        self.settings = settings
        self.max_image_pixels = max_image_pixels

    def __call__(self, camera: CameraState, frame: Frame, permit: PublishPermit) -> None:
        """Processes one frame and publishes it if that is still allowed; never raises."""
        try:
            self._process(camera, frame, permit)
        except ImageError as error:
            if camera.record_rejected(str(error)):
                self._logger.warning(f"camera '{camera.name}': frame rejected: {error}")
        except Exception as error:  # the one boundary of the worker: a frame must not end the node
            reason = f'{type(error).__name__}: {error}'
            if camera.record_failed(reason):
                self._logger.error(f"camera '{camera.name}': frame lost: {reason}")

    def _process(self, camera: CameraState, frame: Frame, permit: PublishPermit) -> None:
        """Processes and publishes one frame; one whose loss was logged is forgotten."""
        taken = time.monotonic()
        image = image_to_bgr(frame.message, max_pixels=self.max_image_pixels)
        view = self._views[camera.name]
        seen = view.look(image)
        decoded = time.monotonic()
        result = self._pipeline.process(seen)
        panoptic = view.restore(result.panoptic, image.shape[:2])
        processed = time.monotonic()
        with permit.held() as is_allowed:
            if not is_allowed:
                return
            self._publish(camera, frame, image, panoptic)
        published = time.monotonic()
        camera.record_processed(
            encoding=describe_encoding(frame.message), image_size=image.shape[:2]
        )
        age_ms = self._age_ms(frame)
        durations_ms = {
            'receive': age_ms - (published - frame.received_at) * 1e3,
            'wait': (taken - frame.received_at) * 1e3,
            'decode': (decoded - taken) * 1e3,
            **{stage: value for stage, value in result.timing_ms.items() if stage != 'total'},
            'publish': (published - processed) * 1e3,
            'total': (published - taken) * 1e3,
            'age': age_ms,
        }
        self._timing.add(camera.name, durations_ms)
        self._outputs[camera.name].publish_timing(
            durations_ms, header=frame.message.header, settings=self.settings
        )

    def _publish(
        self, camera: CameraState, frame: Frame, image: np.ndarray, result: PanopticResult
    ) -> None:
        """Publishes the result of an image, BGR uint8 [H, W, 3], as the settings say."""
        self._outputs[camera.name].publish_result(
            result,
            image,
            header=frame.message.header,
            camera_info=self.camera_infos.get(camera.name),
            settings=self.settings,
        )

    def _age_ms(self, frame: Frame) -> float:
        """Milliseconds since the stamp of a frame, by the node's clock."""
        stamp = frame.message.header.stamp
        return (self._ros_time_s() - stamp.sec - stamp.nanosec * 1e-9) * 1e3
