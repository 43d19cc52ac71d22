# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of one camera beside the images that are made of its own."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from upsnet_ros.node.camera_calibration import described_size, describes, resized_calibration
from upsnet_ros.node.demand import publish_wanted


class CalibrationOutput:
    """Publishes the calibration with the stamp of each image, for labels and for overlays.

    A calibration of another size than the image's would have its readers project wrongly, so it
    is held back and that is logged: after a change of size until the camera has sent the new one.

    Args:
        create: makes a publisher of a type and a topic.
        camera: prefix of the topics.
        logger: the node's logger.
    """

    def __init__(self, create: Callable[..., Any], camera: str, *, logger: RcutilsLogger) -> None:
        self._camera = camera
        self._logger = logger
        self._labels = create(CameraInfo, f'{camera}/panoptic/camera_info')
        self._overlay = create(CameraInfo, f'{camera}/overlay/camera_info')
        self._misfit: tuple[Any, ...] | None = None

    def publish(
        self,
        info: CameraInfo | None,
        *,
        image_size: tuple[int, int],
        overlay_size: tuple[int, int] | None,
        header: Header,
    ) -> None:
        """Publishes the calibration that belongs to an image.

        Args:
            info: the camera's last calibration, None when it sent none.
            image_size: height and width of the image and its labels.
            overlay_size: height and width of the overlay that was made of it, None for none.
            header: of the image's message.
        """
        if info is None or not self._fits(info, image_size):
            return
        stamped = copy(info)
        stamped.header = header
        publish_wanted(self._labels, True, lambda: stamped)
        if overlay_size is not None:
            publish_wanted(
                self._overlay, True, lambda: _resized(stamped, image_size, overlay_size)
            )

    def _fits(self, info: CameraInfo, image_size: tuple[int, int]) -> bool:
        """Whether a calibration belongs to images of this size; says once when it does not."""
        if describes(info, image_size):
            self._misfit = None
            return True
        described = described_size(info)
        if self._misfit != (described, image_size):
            self._misfit = described, image_size
            self._logger.warning(
                f"camera '{self._camera}': camera_info is for images of {described[1]:g}x"
                f'{described[0]:g}, the image has {image_size[1]}x{image_size[0]}; camera_info '
                'is not published until they agree'
            )
        return False


def _resized(
    info: CameraInfo, image_size: tuple[int, int], new_size: tuple[int, int]
) -> CameraInfo:
    """The calibration of a resized image; as it is where the size stayed."""
    if new_size == image_size:
        return info
    return resized_calibration(info, image_size=image_size, new_size=new_size)
