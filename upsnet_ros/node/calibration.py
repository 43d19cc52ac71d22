# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of a camera beside its labels, and beside overlays that were made smaller."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from upsnet_ros.node.messages import LabelledImage


class CalibrationFit:
    """Holds back a calibration of another size than the image's, which would mislead its readers.

    That is logged once, and lasts after a change of size until the camera has sent the new one.

    Args:
        camera: its name.
        logger: the node's logger.
    """

    def __init__(self, camera: str, *, logger: RcutilsLogger) -> None:
        self._camera = camera
        self._logger = logger
        self._misfit: tuple[Any, ...] | None = None

    def fitting(self, info: CameraInfo | None, image_size: tuple[int, int]) -> CameraInfo | None:
        """The calibration if it belongs to images of this height and width, else None."""
        if info is None or describes(info, image_size):
            self._misfit = None
            return info
        described = described_size(info)
        if self._misfit != (described, image_size):
            self._misfit = described, image_size
            self._logger.warning(
                f"camera '{self._camera}': camera_info is for images of {described[1]:g}x"
                f'{described[0]:g}, the image has {image_size[1]}x{image_size[0]}; camera_info '
                'is not published until they agree'
            )
        return None


def described_size(info: CameraInfo) -> tuple[float, float]:
    """Height and width in pixels of the images that a calibration belongs to; 0 where not said.

    A camera may read out a part of its sensor, and several sensor pixels as one.
    """
    has_roi = info.roi.width and info.roi.height
    height, width = (info.roi.height, info.roi.width) if has_roi else (info.height, info.width)
    return height / max(1, info.binning_y), width / max(1, info.binning_x)


def describes(info: CameraInfo, image_size: tuple[int, int]) -> bool:
    """Whether a calibration belongs to images of this height and width.

    One without a size belongs to all. Where the sensor's pixels do not divide evenly, some
    cameras drop the rest and some fill it up.
    """
    return all(
        not wanted or abs(wanted - pixels) < 1
        for wanted, pixels in zip(described_size(info), image_size, strict=True)
    )


def calibration_message(image: LabelledImage) -> CameraInfo | None:
    """The camera's calibration with the stamp of the image; None where there is none that fits."""
    if image.camera_info is None:
        return None
    stamped = copy(image.camera_info)
    stamped.header = image.header
    return stamped


def overlay_calibration_message(image: LabelledImage) -> CameraInfo | None:
    """The calibration of the image's overlay."""
    stamped, size = calibration_message(image), image.image_size
    if stamped is None or image.overlay_size == size:
        return stamped
    return resized_calibration(stamped, image_size=size, new_size=image.overlay_size)


def resized_calibration(
    info: CameraInfo, *, image_size: tuple[int, int], new_size: tuple[int, int]
) -> CameraInfo:
    """The calibration of images that were resized.

    The region read out and the binning of the sensor are worked into the matrices, since both are
    whole numbers of the sensor's pixels, which the resized image no longer has. Pixel coordinates
    count from the centre of the first pixel. The distortion has no unit and stays.

    Args:
        info: the calibration of the images as they came.
        image_size: their height and width.
        new_size: height and width after resizing.
    """
    has_roi = info.roi.width and info.roi.height
    left, top = (info.roi.x_offset, info.roi.y_offset) if has_roi else (0, 0)
    scale_y = new_size[0] / (image_size[0] * max(1, info.binning_y))
    scale_x = new_size[1] / (image_size[1] * max(1, info.binning_x))
    to_new = np.array(
        [
            [scale_x, 0, (0.5 - left) * scale_x - 0.5],
            [0, scale_y, (0.5 - top) * scale_y - 0.5],
            [0, 0, 1],
        ]
    )
    resized = copy(info)
    resized.height, resized.width = new_size
    resized.k = (to_new @ np.reshape(info.k, (3, 3))).ravel()
    resized.p = (to_new @ np.reshape(info.p, (3, 4))).ravel()
    resized.binning_x = resized.binning_y = 0
    resized.roi = RegionOfInterest(do_rectify=info.roi.do_rectify)
    return resized
