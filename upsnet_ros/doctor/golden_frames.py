# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images on which a model is tried: the user's, those of the package, or a drawn one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError, ParameterError
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.installed_files import find_installed

BUNDLED = 'config/golden_frames'
ENDINGS = ('.jpg', '.jpeg', '.png')
DRAWN_SIZE = (512, 1024)  # height, width


def read_frames(subject: Subject) -> list[np.ndarray]:
    """Images to run the model on, uint8 [H, W, 3] BGR of any sizes, at least one.

    Raises:
        ImageError: the user's folder has none, or one cannot be decoded.
        ParameterError: no image is asked for.
    """
    if subject.frames < 1:
        raise ParameterError(f'--frames is {subject.frames}, expected at least 1')
    folder = subject.images or find_installed(BUNDLED)
    if folder is None:
        return [draw_frame()]
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in ENDINGS)
    if not paths:
        raise ImageError(
            f"'{folder}' has no image, expected JPEG or PNG files of the camera; check --images"
        )
    count = min(subject.frames, len(paths))
    return [_read(paths[index * len(paths) // count]) for index in range(count)]


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(
            f"'{path}' cannot be decoded, expected a JPEG or PNG file; remove it or --images"
        )
    return image


def draw_frame() -> np.ndarray:
    """An image that is the same everywhere, uint8 [H, W, 3] BGR: sky, ground, blocks, texture."""
    height, width = DRAWN_SIZE
    rows, columns = np.mgrid[:height, :width]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.where(rows < height // 2, 230 - rows // 4, 90)
    image[..., 1] = np.where(rows < height // 2, 190 - rows // 6, 90 + columns // 64)
    image[..., 2] = np.where(rows < height // 2, 150, 95 + (rows // 8 + columns // 8) % 2)
    for index, left in enumerate(range(64, width - 160, 224)):
        top, size = height // 2 - 16, 64 + 24 * index
        image[top : top + size, left : left + size] = (30 + 50 * index, 40, 200 - 40 * index)
    return image
