# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The PNGs of the COCO panoptic format: segment ids as colours, R + 256 G + 65536 B."""

from pathlib import Path

import cv2
import numpy as np

from training.data.frames import read_rgb_png

# Labels are flat areas, for which the fastest compression is hardly larger than the best.
FAST_PNG = (
    cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE
)  # fmt: skip


def read_segment_png(path: Path) -> np.ndarray:
    """Segment ids of a PNG.

    Args:
        path: PNG with three channels of 8 bits.

    Returns:
        uint32 ``[H, W]``, 0 where there is no segment.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else.
    """
    colours = read_rgb_png(path)
    return cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA).view(np.uint32)[:, :, 0] & 0xFFFFFF


def write_segment_png(path: Path, ids: np.ndarray) -> None:
    """Write segment ids, where :func:`read_segment_png` finds them again.

    Args:
        path: The file; its folder is made.
        ids: Integers ``[H, W]`` from 0 to 2^24 - 1.

    Raises:
        OSError: If the file cannot be written.
    """
    ids = np.ascontiguousarray(ids, np.uint32)
    colours = cv2.cvtColor(ids.view(np.uint8).reshape(*ids.shape, 4), cv2.COLOR_RGBA2BGR)
    write_png(path, colours, FAST_PNG)


def write_png(path: Path, pixels: np.ndarray, options: tuple[int, ...] = FAST_PNG) -> None:
    """Write a PNG.

    Args:
        path: The file; its folder is made.
        pixels: ``[H, W]`` or ``[H, W, 3]`` BGR, uint8 or uint16.
        options: Of OpenCV's encoder.

    Raises:
        OSError: If the file cannot be written.
    """
    # By way of memory, because `imwrite` does not say why a file cannot be written.
    done, data = cv2.imencode('.png', pixels, options)
    if not done:
        raise OSError(f'cannot encode {path}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
