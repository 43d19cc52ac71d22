# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tiny data set and a tiny recipe that the training tests share."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.fakes.small_recipe import make_small_recipe
from training.recipe.recipe import Recipe

# The networks are so small that threads wait for each other longer than they compute; processes
# that tests start inherit it.
torch.set_num_threads(1)
os.environ['OMP_NUM_THREADS'] = '1'

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
    name = f'town_{index:06d}_000000'
    for folder, suffix, pixels in (
        ('leftImg8bit', 'leftImg8bit', image),
        ('gtFine', 'gtFine_instanceIds', ids),
    ):
        path = root / folder / split / 'town' / f'{name}_{suffix}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)


@pytest.fixture(scope='session')
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set of three training frames and two validation frames of 160x96 pixels."""
    root = tmp_path_factory.mktemp('town')
    for index in range(3):
        write_frame(root, 'train', index, size=(96, 160))
    for index in range(3, 5):
        write_frame(root, 'val', index, size=(96, 160))
    return root


@pytest.fixture(scope='session')
def small_recipe() -> Recipe:
    """See :func:`tests.fakes.small_recipe.make_small_recipe`."""
    return make_small_recipe()
