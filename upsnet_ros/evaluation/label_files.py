# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Label images of a replay as 16-bit PNGs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError

FOLDER = 'labels'
# Label images are flat areas: the run-length strategy packs them as well as the default, faster.
PNG_FLAGS = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, 3]


def camera_in_a_file_name(camera: str) -> str:
    """The name of a camera without slashes; no two cameras share one, as topics have no dots."""
    return camera.replace('/', '.')


def label_path(folder: Path, camera: str, stamp_ns: int) -> Path:
    """Where the label image of a frame lies below the output of a run."""
    return folder / FOLDER / camera_in_a_file_name(camera) / f'{stamp_ns}.png'


def write_label(folder: Path, camera: str, stamp_ns: int, labels: np.ndarray) -> Path:
    """Write a label image, uint16 [H, W], and return its path.

    Raises:
        EvaluationError: it cannot be written.
    """
    path = label_path(folder, camera, stamp_ns)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), labels, PNG_FLAGS):
        raise EvaluationError(f'{path} could not be written. Is the disk full?')
    return path
