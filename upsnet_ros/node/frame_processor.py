# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a frame to its published results, with every way it can fail counted and explained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo

from upsnet_ros.core.errors import ImageError, UpsnetError
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.images.messages import describe_encoding, image_to_bgr
from upsnet_ros.node.camera import WARNING_INTERVAL_S, CameraState
from upsnet_ros.node.output_settings import OutputSettings
from upsnet_ros.node.outputs import CameraOutputs
from upsnet_ros.node.publish_permit import PublishPermit
from upsnet_ros.node.recovery import Recovery
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.waiting import Frame
from upsnet_ros.node.worker import CameraFrame


class FrameResult(Protocol):
    """What a pipeline returns for one image."""

    panoptic: PanopticResult
    timing_ms: Mapping[str, float]


class FramePipeline(Protocol):
    """The part of a pipeline that is used for each frame."""

    def process(self, image_bgr: np.ndarray) -> FrameResult:
        """The result for one image, BGR uint8 [H, W, 3]."""

    def process_batch(
        self, images_bgr: Sequence[np.ndarray]
    ) -> Sequence[FrameResult | UpsnetError]:
        """The results for several in one run, or why one of them has none."""


@dataclass(frozen=True)
class DecodedFrame:
    """A frame and its picture.

    Attributes:
        camera: where it came from.
        frame: the message.
        image: BGR uint8 [H, W, 3].
        seen: what the network looks at of it, BGR uint8 [h, w, 3].
        taken_at: when work on it began, seconds of the steady clock.
        decode_ms: how long decoding took.
    """

    camera: CameraState
    frame: Frame
    image: np.ndarray
    seen: np.ndarray
    taken_at: float
    decode_ms: float


class FrameProcessor:
    """Works on the frames that were taken together, in the worker's thread.

    Args:
        pipeline: gives the one in use, from image to result.
        outputs: publishers by camera name.
        views: what is looked at of each camera's images, by its name.
        max_image_pixels: greatest size of the first frames.
        settings: what is published of the first frames.
        timing: receives the durations of each frame.
        recovery: is told whether inference succeeded.
        ros_time_s: the node's clock in seconds, which the stamps of images follow.
        logger: the node's logger.
    """

    def __init__(
        self,
        pipeline: Callable[[], FramePipeline],
        *,
        outputs: Mapping[str, CameraOutputs],
        views: Mapping[str, ImageView],
        max_image_pixels: int,
        settings: OutputSettings,
        timing: NodeTiming,
        recovery: Recovery,
        ros_time_s: Callable[[], float],
        logger: RcutilsLogger,
    ) -> None:
        self._pipeline = pipeline
        self._outputs = outputs
        self._views = views
        self._timing = timing
        self._recovery = recovery
        self._ros_time_s = ros_time_s
        self._logger = logger
        self.camera_infos: dict[str, CameraInfo] = {}
        # Replaced as wholes by the executor's thread and read once a frame by the worker's.
        self.settings = settings
        self.max_image_pixels = max_image_pixels

    def __call__(self, taken: Sequence[CameraFrame], permit: PublishPermit) -> None:
        """Processes frames and publishes them if that is still allowed; raises no Exception."""
        decoded = [
            found
            for camera, frame in taken
            if (found := self._decode(camera, frame, permit)) is not None
        ]
        if not decoded:
            return
        results = self._infer(decoded)
        for item, result in zip(decoded, results, strict=True):
            if not isinstance(result, Exception):
                self._publish(item, result, permit)
        # After those that succeeded, which would else make it forgotten at once.
        self._judge(results, permit)
        for item, result in zip(decoded, results, strict=True):
            if isinstance(result, Exception):
                self._lose(item.camera, result, permit)

    def _decode(
        self, camera: CameraState, frame: Frame, permit: PublishPermit
    ) -> DecodedFrame | None:
        """The picture of a frame; None when it has none, which is counted and explained."""
        taken = time.monotonic()
        try:
            image = image_to_bgr(frame.message, max_pixels=self.max_image_pixels)
            seen = self._views[camera.name].look(image)
        except Exception as error:  # a frame must not end the node
            self._lose(camera, error, permit)
            return None
        return DecodedFrame(camera, frame, image, seen, taken, (time.monotonic() - taken) * 1e3)

    def _infer(self, decoded: Sequence[DecodedFrame]) -> Sequence[FrameResult | Exception]:
        """For each picture its result, or why it has none."""
        images = [item.seen for item in decoded]
        try:
            pipeline = self._pipeline()
            if len(images) > 1:
                return pipeline.process_batch(images)
            return [pipeline.process(images[0])]
        except Exception as error:  # a frame must not end the node
            return [error] * len(images)

    def _judge(self, results: Sequence[FrameResult | Exception], permit: PublishPermit) -> None:
        """Holds against the model what failed in one run of it, unless it was given up."""
        failures = [
            result
            for result in results
            if isinstance(result, Exception) and not isinstance(result, ImageError)
        ]
        if failures and not permit.is_withdrawn:
            self._recovery.record_failure(explain(failures[0]))

    def _publish(self, decoded: DecodedFrame, result: FrameResult, permit: PublishPermit) -> None:
        """Publishes the result of a frame; one whose loss was logged is forgotten."""
        camera, frame = decoded.camera, decoded.frame
        began = time.monotonic()
        try:
            view, size = self._views[camera.name], decoded.image.shape[:2]
            panoptic = view.restore(result.panoptic, size)
            with permit.held() as is_allowed:
                if not is_allowed:
                    return
                self._outputs[camera.name].publish_result(
                    panoptic,
                    decoded.image,
                    header=frame.message.header,
                    camera_info=self.camera_infos.get(camera.name),
                    settings=self.settings,
                )
                if permit.in_work.settle(camera):
                    self._recovery.record_success()
                    encoding = describe_encoding(frame.message)
                    camera.record_processed(encoding=encoding, image_size=size)
                self._record_times(decoded, result, began)
        except Exception as error:  # a frame must not end the node
            self._lose(camera, error, permit)

    def _record_times(self, decoded: DecodedFrame, result: FrameResult, began: float) -> None:
        """Keeps and publishes the times of a frame whose publication began then and just ended.

        The frame has its result and is counted: what fails here is logged, and nothing more.
        """
        frame, published = decoded.frame, time.monotonic()
        try:
            durations_ms = self._durations_ms(decoded, result, began, published)
            self._timing.add(decoded.camera.name, durations_ms, since=frame.received_at)
            self._outputs[decoded.camera.name].publish_timing(
                durations_ms, header=frame.message.header, settings=self.settings
            )
        except Exception as error:
            self._logger.error(
                f"camera '{decoded.camera.name}': the times of a frame are lost: {explain(error)}",
                throttle_duration_sec=WARNING_INTERVAL_S,
            )

    def _durations_ms(
        self, decoded: DecodedFrame, result: FrameResult, began: float, published: float
    ) -> dict[str, float]:
        """The milliseconds of each stage; began and published in seconds of the steady clock."""
        frame = decoded.frame
        age_ms = self._ros_time_s() * 1e3 - frame.stamp_ns * 1e-6
        return {
            'receive': age_ms - (published - frame.received_at) * 1e3,
            'wait': (decoded.taken_at - frame.received_at) * 1e3,
            'decode': decoded.decode_ms,
            **{stage: value for stage, value in result.timing_ms.items() if stage != 'total'},
            'publish': (published - began) * 1e3,
            'total': (published - decoded.taken_at) * 1e3,
            'age': age_ms,
        }

    def _lose(self, camera: CameraState, error: Exception, permit: PublishPermit) -> None:
        """Counts and explains a frame that gave no result: unreadable, or failed on."""
        if not permit.in_work.settle(camera):
            return
        reason = explain(error)
        if isinstance(error, ImageError):
            if camera.record_rejected(reason):
                self._logger.warning(f"camera '{camera.name}': frame rejected: {reason}")
        elif camera.record_failed(reason):
            self._logger.error(f"camera '{camera.name}': frame lost: {reason}")


def explain(error: Exception) -> str:
    """An error in one line, with its type where it was not raised on purpose."""
    if isinstance(error, MemoryError):
        return 'MemoryError: out of memory; use smaller images, fewer cameras or a smaller model'
    if isinstance(error, ImageError):
        return str(error) or type(error).__name__
    return f'{type(error).__name__}: {error}'
