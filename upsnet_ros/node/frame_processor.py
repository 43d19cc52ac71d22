# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a frame to its published results, with every way it can fail counted and explained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo

from upsnet_ros.core.errors import DeviceLostError, ImageError
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.images.messages import decode_image, describe_encoding
from upsnet_ros.images.video import VideoDecoder
from upsnet_ros.node.camera import WARNING_INTERVAL_S, CameraState
from upsnet_ros.node.outputs import CameraOutputs
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.waiting import Frame
from upsnet_ros.node.worker import CameraFrame, FramesInWork
from upsnet_ros.pipeline import FrameResult, PanopticPipeline


@dataclass(frozen=True)
class DecodedFrame:
    """A frame and its picture.

    Attributes:
        camera: where it came from.
        frame: the message.
        image: BGR uint8 [H, W, 3].
        view: what is looked at of it, and whether it was decoded smaller.
        taken_at: when work on it began, seconds of the steady clock.
        decode_ms: how long decoding took.
    """

    camera: CameraState
    frame: Frame
    image: np.ndarray
    view: ImageView
    taken_at: float
    decode_ms: float


@dataclass(frozen=True)
class ModelFailures:
    """Runs of the network that failed, or gave an answer that cannot be used.

    Attributes:
        total: since the node was configured.
        in_a_row: since the last frame that got its labels.
        reason: of the last one; empty after a success.
        device_is_lost: whether it was one that no run after it can overcome.
    """

    total: int = 0
    in_a_row: int = 0
    reason: str = ''
    device_is_lost: bool = False


class FrameProcessor:
    """Works on the frames that were taken together, in the worker's thread.

    Attributes:
        failures: of the model so far; replaced as a whole by the worker's thread.
        camera_infos: the last calibration of each camera; written by the executor's thread.

    Args:
        pipeline: from image to result.
        outputs: publishers by camera name.
        views: what is looked at of each camera's images, by its name.
        parameters: gives the values that hold now.
        timing: receives the durations of each frame.
        ros_time_s: the node's clock in seconds, which the stamps of images follow.
        logger: the node's logger.
    """

    def __init__(
        self,
        pipeline: PanopticPipeline,
        *,
        outputs: Mapping[str, CameraOutputs],
        views: Mapping[str, ImageView],
        parameters: Callable[[], NodeParameters],
        timing: NodeTiming,
        ros_time_s: Callable[[], float],
        logger: RcutilsLogger,
    ) -> None:
        self._pipeline = pipeline
        self._outputs = outputs
        self._views = views
        self._parameters = parameters
        self._timing = timing
        self._ros_time_s = ros_time_s
        self._logger = logger
        self.failures = ModelFailures()
        self.camera_infos: dict[str, CameraInfo] = {}
        self._videos: dict[str, VideoDecoder] = {}

    def begin_anew(self) -> None:
        """Forgets what a new activation is not to be judged by, before its worker starts."""
        self.failures = ModelFailures(self.failures.total)
        self.camera_infos.clear()  # meanwhile another camera may have taken the place
        self._videos = {}

    def __call__(self, taken: Sequence[CameraFrame], in_work: FramesInWork) -> None:
        """Processes frames and publishes them if that is still allowed; raises no Exception."""
        decoded = [
            found
            for camera, frame in taken
            if (found := self._decode(camera, frame, in_work)) is not None
        ]
        if not decoded:
            return
        answers = list(zip(decoded, self._infer(decoded), strict=True))
        for item, result in answers:
            if not isinstance(result, Exception):
                self._publish(item, result, in_work)
        # After those that succeeded, which would else make the failure forgotten at once.
        failed = [(item, error) for item, error in answers if isinstance(error, Exception)]
        if not in_work.is_given_up:
            self._judge([error for _, error in failed])
        for item, error in failed:
            self._lose(item.camera, error, in_work)

    def _decode(
        self, camera: CameraState, frame: Frame, in_work: FramesInWork
    ) -> DecodedFrame | None:
        """The picture of a frame; None when it has none, which is counted and explained."""
        taken = time.monotonic()
        values, view = self._parameters(), self._views[camera.name]
        size = view.shown_in(self._pipeline.backend.input_size) if values.reduce_jpeg else None
        try:
            limit = values.max_image_pixels
            video = self._video(camera, frame, max_pixels=limit) if frame.is_video else None
            image, reduction = decode_image(
                frame.message, max_pixels=limit, shown_in=size, video=video
            )
        except Exception as error:  # a frame must not end the node
            self._lose(camera, error, in_work)
            return None
        view = replace(view, reduction=reduction)
        return DecodedFrame(camera, frame, image, view, taken, (time.monotonic() - taken) * 1e3)

    def _video(self, camera: CameraState, frame: Frame, *, max_pixels: int) -> VideoDecoder:
        """The camera's decoder, given all packets before that of the frame."""
        video = self._videos.setdefault(camera.name, VideoDecoder())
        if frame.follows_loss:
            video.lose('the video was joined in its middle, or too many packets waited')
        for packet in frame.before:
            video.pass_by(packet.message, max_pixels=max_pixels)
        return video

    def _infer(self, decoded: Sequence[DecodedFrame]) -> Sequence[FrameResult | Exception]:
        """For each picture its result, or why it has none."""
        images = [item.image for item in decoded]
        views = [item.view for item in decoded]
        try:
            if len(images) > 1:
                return self._pipeline.process_batch(images, views)
            return [self._pipeline.process(images[0], views[0])]
        except Exception as error:  # a frame must not end the node
            return [error] * len(images)

    def _judge(self, errors: Sequence[Exception]) -> None:
        """Holds against the model what failed in one run of it."""
        reasons = [explain(error) for error in errors if not isinstance(error, ImageError)]
        if reasons:
            before = self.failures
            is_lost = any(isinstance(error, DeviceLostError) for error in errors)
            self.failures = ModelFailures(
                before.total + 1, before.in_a_row + 1, reasons[0], is_lost
            )

    def _publish(self, decoded: DecodedFrame, result: FrameResult, in_work: FramesInWork) -> None:
        """Publishes the result of a frame; one whose loss was counted is forgotten."""
        camera, frame = decoded.camera, decoded.frame
        began = time.monotonic()
        values, size = self._parameters(), decoded.view.whole_size(decoded.image)
        with in_work.claim(camera) as is_ours:
            if not is_ours:
                return
            try:
                self._outputs[camera.name].publish_result(
                    result.panoptic,
                    decoded.image,
                    header=frame.header,
                    camera_info=self.camera_infos.get(camera.name),
                    values=values,
                )
            except Exception as error:  # a frame must not end the node
                self._count_loss(camera, error)
                return
            if self.failures.in_a_row:
                self.failures = ModelFailures(self.failures.total)
            camera.record_processed(encoding=describe_encoding(frame.message), image_size=size)
            self._record_times(decoded, result, began, values)

    def _record_times(
        self, decoded: DecodedFrame, result: FrameResult, began: float, values: NodeParameters
    ) -> None:
        """Keeps and publishes the times of a frame whose publication began then and just ended.

        The frame has its result and is counted: what fails here is logged, and nothing more.
        """
        frame, published = decoded.frame, time.monotonic()
        try:
            durations_ms = self._durations_ms(decoded, result, began, published)
            self._timing.add(decoded.camera.name, durations_ms, since=frame.received_at)
            self._outputs[decoded.camera.name].publish_timing(
                durations_ms, header=frame.header, values=values
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

    def _lose(self, camera: CameraState, error: Exception, in_work: FramesInWork) -> None:
        """Counts and explains a frame that gave no result, unless that was done already."""
        with in_work.claim(camera) as is_ours:
            if is_ours:
                self._count_loss(camera, error)

    def _count_loss(self, camera: CameraState, error: Exception) -> None:
        """Counts and explains a frame that gave no result: unreadable, or failed on."""
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
