# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the chance changes of training images; every key is off where it is left out."""

from dataclasses import dataclass

from training.recipe.errors import require


@dataclass(frozen=True, kw_only=True)
class AugmentationRecipe:
    """Chance changes of a sample beyond its mirror image and the listed sizes.

    Amounts are drawn evenly between none and the given one, in either direction where there are
    two. The published models were trained with none of them.
    """

    # Where in the image, and how large
    crop: float = 1.0  # least share of height and of width that a window keeps
    scale_jitter: tuple[float, ...] = (1.0, 1.0)  # least and greatest factor on the step's size
    cut_out: int = 0  # most rectangles that hide a part of the image; no class, no object there
    cut_out_side: float = 0.2  # longest side of such a rectangle, as a share of the image's
    # Light and colour
    share: float = 1.0  # of the samples that get any of what follows
    brightness: float = 0.0  # most added or taken, as a share of white
    contrast: float = 0.0  # factor around the image's mean from 1 - c to 1 + c
    gamma: float = 0.0  # exponent from exp(-g) to exp(g)
    channel_gain: float = 0.0  # factor of blue, green and red from exp(-g) to exp(g), each alone
    saturation: float = 0.0  # factor from 1 - s to 1 + s
    hue: float = 0.0  # largest turn [degrees]
    # Lens, sensor and transport
    blur: float = 0.0  # largest standard deviation [input pixels]
    noise: float = 0.0  # largest standard deviation [levels]
    jpeg_quality: int = 0  # lowest quality, 1 to 100; 0 = never compressed

    def __post_init__(self) -> None:
        self._require('crop', 0.0 < self.crop <= 1.0, 'above 0, at most 1 (whole images)')
        factors = self.scale_jitter
        right = len(factors) == 2 and 0.1 <= factors[0] <= factors[1] <= 10.0
        self._require('scale_jitter', right, 'two factors from 0.1 to 10, the least one first')
        self._require('cut_out', 0 <= self.cut_out <= 100, '0 to 100 rectangles')
        self._require('cut_out_side', 0.0 < self.cut_out_side <= 1.0, 'above 0, at most 1')
        self._require('share', 0.0 <= self.share <= 1.0, '0 to 1')
        for key in ('brightness', 'contrast', 'saturation'):
            self._require(key, 0.0 <= getattr(self, key) <= 1.0, '0 to 1')
        for key in ('gamma', 'channel_gain'):
            self._require(key, 0.0 <= getattr(self, key) <= 2.0, '0 to 2')
        self._require('hue', 0.0 <= self.hue <= 180.0, '0 to 180 degrees')
        self._require('blur', 0.0 <= self.blur <= 10.0, '0 to 10 pixels')
        self._require('noise', 0.0 <= self.noise <= 64.0, '0 to 64 levels')
        self._require('jpeg_quality', 0 <= self.jpeg_quality <= 100, '0 to 100')

    def _require(self, key: str, condition: bool, expected: str) -> None:
        require(condition, f'data.augmentation.{key}', getattr(self, key), expected)
