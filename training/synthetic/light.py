# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sun, sky light and haze of one world."""

import math
from dataclasses import dataclass
from typing import overload

import numpy as np

WEATHERS = ('clear', 'overcast', 'hazy', 'evening')


def rgb(red: float, green: float, blue: float) -> np.ndarray:
    """A colour in the order of the image (BGR), float64 [3], 0..255."""
    return np.array([blue, green, red], np.float64)


@dataclass(frozen=True)
class Light:
    """How surfaces are lit. Colours are BGR factors or BGR values (0..255).

    Attributes:
        weather: one of WEATHERS.
        to_sun: unit vector towards the sun, street coordinates.
        sun, ambient: BGR factors of direct and of scattered light.
        haze: BGR colour that far things fade to.
        haze_distance: distance at which 1/e of a thing's own colour is left [m].
        sky_top, sky_bottom: BGR colours of the sky.
        cloud_cover: 0 (blue) to 1 (closed).
        shadow: how much of the light a cast shadow takes, 0..1.
        exposure: factor of the whole picture.
    """

    weather: str
    to_sun: np.ndarray
    sun: np.ndarray
    ambient: np.ndarray
    haze: np.ndarray
    haze_distance: float
    sky_top: np.ndarray
    sky_bottom: np.ndarray
    cloud_cover: float
    shadow: float
    exposure: float

    def factor(self, normal: np.ndarray) -> np.ndarray:
        """BGR light factor of a surface with this unit normal."""
        facing = max(0.0, float(np.dot(normal, self.to_sun)))
        upward = 0.9 + 0.1 * float(normal[1])
        return self.ambient * upward + self.sun * facing

    @overload
    def own_share(self, depth: float) -> float: ...
    @overload
    def own_share(self, depth: np.ndarray) -> np.ndarray: ...
    def own_share(self, depth: float | np.ndarray) -> float | np.ndarray:
        """Share of a surface's own colour left after the haze in between, 0..1."""
        return np.exp(-np.maximum(depth, 0) / self.haze_distance)

    def seen(self, colour: np.ndarray, factor: np.ndarray, depth: float) -> tuple[float, ...]:
        """BGR value of a lit surface seen through the haze."""
        share = math.exp(-max(depth, 0.0) / self.haze_distance)
        mixed = (colour * factor * share + self.haze * (1 - share)).tolist()
        return tuple([min(max(value, 0.0), 255.0) for value in mixed])


def make_light(rng: np.random.Generator) -> Light:
    """Draws the weather and the sun of a world."""
    weather = WEATHERS[rng.choice(4, p=(0.42, 0.28, 0.14, 0.16))]
    elevation = np.deg2rad(rng.uniform(10, 22) if weather == 'evening' else rng.uniform(28, 62))
    azimuth = rng.uniform(-np.pi, np.pi)
    to_sun = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ]
    )
    warm = rng.uniform(-0.03, 0.05)
    table = {
        'clear': (
            0.62,
            rgb(1.06, 1.0, 0.92),
            rgb(0.64, 0.67, 0.74),
            rgb(196, 212, 228),
            rng.uniform(190, 420),
            rgb(104, 156, 214),
            rgb(196, 217, 236),
            rng.uniform(0, 0.5),
        ),
        'overcast': (
            0.08,
            rgb(1.0, 1.0, 1.0),
            rgb(0.86, 0.88, 0.90),
            rgb(198, 203, 208),
            rng.uniform(120, 260),
            rgb(168, 177, 188),
            rgb(214, 218, 222),
            0.95,
        ),
        'hazy': (
            0.28,
            rgb(1.04, 1.0, 0.94),
            rgb(0.74, 0.76, 0.78),
            rgb(206, 208, 206),
            rng.uniform(80, 140),
            rgb(160, 182, 205),
            rgb(220, 222, 220),
            rng.uniform(0.3, 0.7),
        ),
        'evening': (
            0.60,
            rgb(1.16, 0.92, 0.66),
            rgb(0.66, 0.65, 0.70),
            rgb(226, 200, 172),
            rng.uniform(130, 260),
            rgb(122, 152, 198),
            rgb(244, 208, 164),
            rng.uniform(0.1, 0.6),
        ),
    }
    strength, sun, ambient, haze, distance, top, bottom, cover = table[weather]
    shadow = {'clear': 0.52, 'overcast': 0.0, 'hazy': 0.26, 'evening': 0.46}[weather]
    tint = rgb(1 + warm, 1.0, 1 - warm)
    return Light(
        weather,
        to_sun,
        sun * strength * tint,
        ambient * tint,
        haze,
        distance,
        top,
        bottom,
        float(cover),
        shadow,
        float(rng.uniform(0.94, 1.16)),
    )
