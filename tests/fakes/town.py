# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a tiny data set in Cityscapes layout, and where their files lie."""

from pathlib import Path

import cv2
import numpy as np

THINGS = {24: (60, 20, 220), 26: (140, 0, 0), 33: (30, 120, 30)}  # label id: BGR


def write_frame(root: Path, split: str, index: int, *, size: tuple[int, int]) -> None:
    """Sky over road with three rectangles, in Cityscapes layout and encodings."""
    height, width = size
    generator = np.random.default_rng(index)
    image = np.full((height, width, 3), 90, np.uint8)
    ids = np.full((height, width), 7, np.uint16)
    image[: height // 3], ids[: height // 3] = (200, 150, 80), 23
    for label, colour in THINGS.items():
        x, y = int(generator.integers(0, width // 2)), int(generator.integers(0, height // 2))
        cv2.rectangle(image, (x, y), (x + width // 4, y + height // 3), colour, -1)
        ids[y : y + height // 3 + 1, x : x + width // 4 + 1] = label * 1000
    for file_of, pixels in ((image_of, image), (truth_of, ids)):
        path = file_of(root, index, split=split)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)


def image_of(data: Path, index: int, *, split: str = 'train') -> Path:
    return data / f'leftImg8bit/{split}/town/town_{index:06d}_000000_leftImg8bit.png'


def truth_of(data: Path, index: int, *, split: str = 'train') -> Path:
    return data / f'gtFine/{split}/town/town_{index:06d}_000000_gtFine_instanceIds.png'
