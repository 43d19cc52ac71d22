# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chance changes of a training image: its window and size, what hides it, light, lens, sensor."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from training.recipe.augmentation import AugmentationRecipe
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL

LEAST_WINDOW = 32  # pixels of a side
NOISE_TILE = 1024  # side of the stored noise [px]
NOISE_LEVELS = 24.0  # its standard deviation
LUMA = np.array([0.114, 0.587, 0.299])  # of blue, green, red (BT.601)


@dataclass(frozen=True)
class Window:
    """A part of an image, and the factor that it is resized by."""

    rows: slice
    columns: slice
    scale: float


class Variation:
    """The changes of one sample; equal generators make equal ones.

    Args:
        recipe: Which changes, and how strong.
        generator: Decides them. Every choice is drawn whether its change is on or not, so
            switching one on leaves the others as they are.
    """

    def __init__(self, recipe: AugmentationRecipe, generator: np.random.Generator) -> None:
        self._recipe = recipe
        where, hidden, light, sensor = generator.spawn(4)
        self._where, self._hidden, self._light, self._sensor = where, hidden, light, sensor
        self._changes_pixels = bool(light.random() < recipe.share)

    def window(self, size: tuple[int, int], *, short_side: int, max_long_side: int) -> Window:
        """Draw what is looked at of an image, and at which scale.

        A window of random height and width gets the step's size; a factor makes it larger, of
        which as much is kept as the step's size holds, or smaller.

        Args:
            size: Height and width of the image in pixels.
            short_side: Of the step, in pixels.
            max_long_side: In pixels.
        """
        draws, recipe = self._where.random(5), self._recipe
        shares = recipe.crop + (1.0 - recipe.crop) * draws[:2]
        kept = [max(round(side * share), 1) for side, share in zip(size, shares, strict=True)]
        whole = InputGeometry.for_short_side(
            (kept[0], kept[1]), short_side=short_side, max_long_side=max_long_side
        )
        low, high = (math.log(factor) for factor in recipe.scale_jitter)
        factor = math.exp(low + (high - low) * draws[2])
        if factor > 1.0:
            kept = [max(round(side / factor), 1) for side in kept]
        kept = [max(side, min(LEAST_WINDOW, most)) for side, most in zip(kept, size, strict=True)]
        top, left = (
            int(draw * (most - side + 1))
            for draw, most, side in zip(draws[3:], size, kept, strict=True)
        )
        return Window(
            slice(top, top + kept[0]), slice(left, left + kept[1]), whole.scale * factor
        )

    def hide(self, image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cover rectangles with one colour or with noise; what they cover is void.

        Args:
            image: uint8 ``[H, W, 3]`` BGR.
            labels: uint16 ``[H, W]`` label image.

        Returns:
            The arrays themselves where nothing is hidden, changed copies otherwise.
        """
        draws, recipe = self._hidden, self._recipe
        count = int(draws.integers(0, recipe.cut_out, endpoint=True))
        if not count:
            return image, labels
        image, labels = image.copy(), labels.copy()
        for _ in range(count):
            sides = [max(int(side * recipe.cut_out_side * draws.uniform(0.2, 1.0)), 1)
                     for side in labels.shape]  # fmt: skip
            top, left = (int(draws.integers(0, most - side + 1))
                         for most, side in zip(labels.shape, sides, strict=True))  # fmt: skip
            place = slice(top, top + sides[0]), slice(left, left + sides[1])
            colour = draws.integers(0, 256, 3, dtype=np.uint8)
            noisy = draws.random() < 0.5
            image[place] = draws.integers(0, 256, (*sides, 3), np.uint8) if noisy else colour
            labels[place] = UNKNOWN_LABEL
        return image, labels

    def alter(self, image: np.ndarray) -> np.ndarray:
        """Change colour and light, blur, add noise, compress.

        Args:
            image: uint8 ``[H, W, 3]`` BGR of the sample's size.

        Returns:
            The same type and shape; the image itself where nothing changes.
        """
        if not self._changes_pixels:
            return image
        return self._sensed(self._coloured(image))

    def _coloured(self, image: np.ndarray) -> np.ndarray:
        draws, recipe = self._light.uniform(-1.0, 1.0, 8), self._recipe
        hue, saturation = math.radians(recipe.hue * draws[0]), 1.0 + recipe.saturation * draws[1]
        if hue or saturation != 1.0:
            image = cv2.transform(image, _colour_matrix(hue, saturation))
        gains = np.exp(recipe.channel_gain * draws[2:5])
        gamma = math.exp(recipe.gamma * draws[5])
        contrast, added = 1.0 + recipe.contrast * draws[6], 255.0 * recipe.brightness * draws[7]
        if recipe.channel_gain or recipe.gamma or recipe.contrast or recipe.brightness:
            levels = 255.0 * (np.arange(256) / 255.0) ** gamma
            mean = float(levels[image[::8, ::8]].mean())
            levels = (levels - mean) * contrast + mean + added
            table = np.clip(np.rint(levels[:, None] * gains), 0, 255).astype(np.uint8)
            image = cv2.LUT(image, table[None])
        return image

    def _sensed(self, image: np.ndarray) -> np.ndarray:
        draws, recipe = self._sensor.random(3), self._recipe
        blur, noise = recipe.blur * draws[0], recipe.noise * draws[1]
        row, column = self._sensor.integers(0, NOISE_TILE, 2)
        if blur > 0.1:  # less changes nothing that eight bits could show
            image = cv2.GaussianBlur(image, (0, 0), blur)
        if noise > 0.0:
            height, width = image.shape[:2]
            tile = _noise(-(-height // NOISE_TILE) + 1, -(-width // NOISE_TILE) + 1)
            patch = tile[row : row + height, column : column + width]
            share = noise / NOISE_LEVELS
            image = cv2.addWeighted(image, 1.0, patch, share, -128.0 * share)
        if recipe.jpeg_quality:
            quality = round(100 - (100 - recipe.jpeg_quality) * draws[2])
            _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)  # None only for no picture at all
            image = decoded
        return image


def _colour_matrix(hue: float, saturation: float) -> np.ndarray:
    """Turns colours around grey by an angle [rad] and stretches them away from it; float [3, 3].

    Brightness (the luma of BT.601) and greys stay what they are.
    """
    axis = np.full(3, 1 / math.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turned = np.eye(3) + math.sin(hue) * cross + (1 - math.cos(hue)) * (cross @ cross)
    grey = np.outer(np.ones(3), LUMA)
    return grey + saturation * (turned - np.outer(np.ones(3), LUMA @ turned))


@lru_cache(maxsize=4)
def _noise(rows: int, columns: int) -> np.ndarray:
    """Repeated Gaussian noise around 128; uint8 [rows * 1024, columns * 1024, 3]."""
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((NOISE_TILE, NOISE_TILE, 3), dtype=np.float32)
    tile = np.clip(np.rint(128 + NOISE_LEVELS * noise), 0, 255).astype(np.uint8)
    return np.tile(tile, (rows, columns, 1))
