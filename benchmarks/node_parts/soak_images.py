# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The images that the cameras of the soak send: raw and compressed, in several encodings."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

WIDTH, HEIGHT = 1280, 720


@dataclass(frozen=True)
class SoakCamera:
    """A camera and what it sends in turn.

    Attributes:
        name: prefix of its topics.
        messages: images of one transport, sent again and again with new stamps.
    """

    name: str
    messages: Sequence[Image | CompressedImage]

    @property
    def topic(self) -> str:
        """Where its images are sent."""
        kind = '/compressed' if isinstance(self.messages[0], CompressedImage) else ''
        return f'{self.name}/image_raw{kind}'


def soak_cameras(width: int = WIDTH, height: int = HEIGHT) -> tuple[SoakCamera, ...]:
    """Two raw and two compressed cameras; each changes its encoding with every image."""
    picture = _picture(width, height)
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return (
        SoakCamera('front', [_raw(picture, 'bgr8')]),
        SoakCamera('rear', [_raw(rgb, 'rgb8'), _raw(grey, 'mono8')]),
        SoakCamera('left', [_compressed(picture, 'jpeg')]),
        SoakCamera('right', [*[_compressed(picture, 'jpeg')] * 7, _compressed(grey, 'png')]),
    )


def camera_info(width: int = WIDTH, height: int = HEIGHT) -> CameraInfo:
    """A calibration for images of this size."""
    focal = float(width)
    matrix = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(
        width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5, k=matrix
    )


def _picture(width: int, height: int) -> np.ndarray:
    """Smooth colours with some noise, as a decoder has to do with; BGR uint8 [H, W, 3]."""
    coarse = np.random.default_rng(6).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(7).integers(0, 8, smooth.shape, dtype=np.uint8)
    return cv2.add(smooth, noise)


def _raw(values: np.ndarray, encoding: str) -> Image:
    height, width = values.shape[:2]
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        step=values[0].nbytes,
        data=array('B', values.tobytes()),
    )


def _compressed(values: np.ndarray, kind: str) -> CompressedImage:
    is_written, data = cv2.imencode(f'.{kind}', values)
    assert is_written
    return CompressedImage(format=kind, data=array('B', data.tobytes()))
