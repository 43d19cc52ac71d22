# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the images and labels."""

from dataclasses import dataclass
from typing import Literal

from training.data.formats import READERS
from training.data.frames import Places
from training.recipe.augmentation import AugmentationRecipe
from training.recipe.errors import require, require_choice
from upsnet_ros.core.geometry import SIDE_MULTIPLE
from upsnet_ros.core.labels import LabelSet

LARGEST_SIDE = 4096  # pixels, of an exported network's input


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Images and labels."""

    format: str  # layout of the folder: 'cityscapes', 'coco_panoptic' (docs/data_sets.md)
    label_set: LabelSet  # 'cityscapes', 'coco', or the path of a YAML file with the classes
    # Folders below the data set where they are not those of the format; SPLIT is the split's name
    images: str = ''
    truth: str = ''
    train_split: str = 'train'
    validation_split: str = 'val'  # looked at only where monitoring asks for it
    train_short_sides: tuple[int, ...]  # pixels
    short_side_choice: Literal['listed', 'range']  # one of them; any whole number between
    max_long_side: int  # pixels, training
    train_crop: int = 0  # side in pixels of a random square crop; 0 = whole images (UPSNet)
    test_short_side: int  # pixels
    test_max_long_side: int  # pixels
    # 'drop': never trained on (published); 'keep': background
    images_without_things: Literal['drop', 'keep']
    augmentation: AugmentationRecipe = AugmentationRecipe()  # chance changes of the images
    input_height: int  # of the exported network, pixels, a multiple of 32
    input_width: int

    @property
    def places(self) -> Places:
        """Where the files of a split lie."""
        return Places(self.images, self.truth)

    def __post_init__(self) -> None:
        for key in ('train_split', 'validation_split'):
            require(bool(getattr(self, key)), f'data.{key}', '', 'the name of a split')
        require_choice('data.format', self.format, tuple(READERS))
        sides = self.train_short_sides
        right = bool(sides) and min(sides) >= 32
        require(right, 'data.train_short_sides', sides, 'sides from 32 up')
        require(
            self.short_side_choice == 'listed' or len(sides) == 2,
            'data.train_short_sides',
            sides,
            "the shortest and the longest, because data.short_side_choice is 'range'",
        )
        longest = self.max_long_side
        reason = 'at least the longest of data.train_short_sides'
        require(longest >= max(sides), 'data.max_long_side', longest, reason)
        crop = self.train_crop
        require(
            crop == 0 or (crop >= 64 and crop % 8 == 0),
            'data.train_crop',
            crop,
            '0, or a multiple of 8 from 64 up',
        )
        require(self.test_short_side >= 32, 'data.test_short_side', self.test_short_side, '>= 32')
        require(
            self.test_max_long_side >= self.test_short_side,
            'data.test_max_long_side',
            self.test_max_long_side,
            'at least data.test_short_side',
        )
        for key in ('input_height', 'input_width'):
            value = getattr(self, key)
            expected = f'a multiple of {SIDE_MULTIPLE} up to {LARGEST_SIDE}'
            require(is_input_side(value), f'data.{key}', value, expected)


def is_input_side(pixels: int) -> bool:
    """Whether the input of an exported network may have this height or width."""
    return 0 < pixels <= LARGEST_SIDE and pixels % SIDE_MULTIPLE == 0
