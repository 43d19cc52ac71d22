# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a world departs from the demo's look: what is seen by which camera, in which light, of what.

A network learns the style of its pictures before the shapes in them, so one that has to see real
streets is trained on many. The demo's own style is :data:`PLAIN`; everything else is drawn.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .camera import FOCAL_PER_WIDTH, HORIZON
from .light import Light, rgb

KINDS = ('plain', 'varied', 'wild')
# Shares of the training worlds of a varied data set.
SHARES = (0.22, 0.60, 0.18)


@dataclass(frozen=True)
class Lens:
    """Camera, sensor and what becomes of the picture afterwards.

    Attributes:
        focal, horizon: see :class:`Camera`.
        height: of the camera above that of the demo's [m].
        yaw, pitch: how it is mounted [rad].
        distortion: radial displacement at the left and right edge, as a share of half the width;
            positive pulls inwards (a barrel).
        brightness: mean level that the automatic exposure aims at, 0 for none; the street
            decides it, so a bright sky burns out.
        balance: BGR factors of the white balance.
        gamma: exponent of the tone curve.
        contrast: slope of an S-shaped curve through mid grey; 1 is a straight line.
        black: level that black is lifted to [levels].
        noise: standard deviation [levels]; rows: the same of whole rows.
        blur: standard deviation [px at 1024 columns].
        jpeg: quality, 0 for none.
        vignette: loss of light in the corners, 0..1.
        glare: veil of light from above, 0..1.
        dirt: number of smears on the glass.
        bonnet: height of the own car's bonnet at the lower edge, as a share of the image.
    """

    focal: float = FOCAL_PER_WIDTH
    horizon: float = HORIZON
    height: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    distortion: float = 0.0
    brightness: float = 0.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    black: float = 0.0
    noise: float = 0.0
    rows: float = 0.0
    blur: float = 0.0
    jpeg: int = 0
    vignette: float = 0.0
    glare: float = 0.0
    dirt: int = 0
    bonnet: float = 0.0


@dataclass(frozen=True)
class Style:
    """What makes a world look as it does.

    Attributes:
        kind: one of KINDS.
        lens: camera and sensor.
        surface: strength of the 1/f unevenness of every material, 0 for the demo's.
        tint: spread of the factor that each material's colour gets.
        segments: spread of the factor and of the grain that each labelled segment gets.
        wet: how much the road mirrors, 0..1.
        bare: share of trees without leaves.
        reach: factor of the distance at which things are still drawn.
        least: factor of the pixels that a thing must show.
        empty_land, empty_road: share of the lots and plants, and of things and posts, that are
            left away: many streets are wide and quiet.
        clutter: mean distance between things of no class [m], 0 for none.
        varied_shapes: cars of any body, any traffic, crowds.
    """

    kind: str = 'plain'
    lens: Lens = field(default_factory=Lens)
    surface: float = 0.0
    tint: float = 0.0
    segments: float = 0.0
    wet: float = 0.0
    bare: float = 0.0
    reach: float = 1.0
    least: float = 1.0
    empty_land: float = 0.0
    empty_road: float = 0.0
    clutter: float = 0.0
    varied_shapes: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is the demo's."""
        return self.kind == 'plain'


PLAIN = Style()


def draw_kind(rng: np.random.Generator) -> str:
    """Which kind of style a training world of a varied data set has."""
    return KINDS[rng.choice(len(KINDS), p=SHARES)]


def make_style(rng: np.random.Generator, kind: str) -> Style:
    """Draws a style of a kind."""
    if kind == 'plain':
        return PLAIN
    wild = kind == 'wild'
    return Style(
        kind=kind,
        lens=_make_lens(rng),
        surface=float(rng.uniform(0.04, 0.20)),
        tint=float(rng.uniform(0.1, 0.35)),
        segments=float(rng.uniform(0.3, 1.0) if wild else rng.uniform(0.02, 0.14)),
        wet=float(rng.uniform(0.1, 0.6) if rng.random() < 0.15 else 0.0),
        bare=float(rng.choice([0.0, 0.5, 0.9], p=(0.35, 0.3, 0.35))),
        reach=float(rng.uniform(1.2, 1.7)),
        least=float(rng.uniform(0.2, 0.6)),
        empty_land=float(rng.uniform(0, 0.9) if rng.random() < 0.5 else 0.0),
        empty_road=float(rng.uniform(0, 0.85)),
        clutter=float(rng.uniform(4, 14)),
        varied_shapes=True,
    )


def _make_lens(rng: np.random.Generator) -> Lens:
    """A camera of any make, mounted somehow."""

    def sometimes(share: float, low: float, high: float) -> float:
        amount = rng.uniform(low, high)
        return float(amount if rng.random() < share else 0.0)

    return Lens(
        focal=float(np.exp(rng.uniform(np.log(0.55), np.log(1.35)))),
        horizon=float(rng.uniform(0.36, 0.56)),
        height=float(rng.uniform(-0.25, 0.9) if rng.random() < 0.8 else rng.uniform(0.9, 1.8)),
        yaw=float(rng.normal(0, 0.03) if rng.random() < 0.65 else rng.uniform(-0.4, 0.4)),
        pitch=float(rng.normal(0, 0.012)),
        distortion=sometimes(0.4, -0.04, 0.12),
        brightness=float(rng.uniform(50, 140)),
        balance=tuple(np.exp(rng.normal(0, 0.04, 3)).tolist()),
        gamma=float(np.exp(rng.normal(0, 0.22))),
        contrast=float(rng.uniform(0.85, 1.6)),
        black=sometimes(0.3, 0, 30),
        noise=float(rng.exponential(2.5)),
        rows=sometimes(0.15, 0.3, 2.0),
        blur=sometimes(0.5, 0.3, 1.6),
        jpeg=int(rng.integers(25, 92)) if rng.random() < 0.6 else 0,
        vignette=sometimes(0.4, 0.05, 0.5),
        glare=sometimes(0.25, 0.05, 0.4),
        dirt=int(rng.integers(1, 7)) if rng.random() < 0.2 else 0,
        bonnet=sometimes(0.2, 0.03, 0.16),
    )


def varied_light(rng: np.random.Generator, light: Light) -> Light:
    """Another hour and another sky: from a burnt-out noon over grey drizzle to dusk."""
    kind = rng.choice(['noon', 'low', 'grey', 'dusk'], p=(0.34, 0.26, 0.26, 0.14))
    elevation = np.deg2rad(rng.uniform(25, 70) if kind in ('noon', 'grey') else rng.uniform(5, 24))
    azimuth = rng.uniform(-np.pi, np.pi)
    to_sun = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ]
    )
    warm = rng.normal(0, 0.05)
    tint = rgb(1 + warm, 1.0, 1 - warm)
    strength = {
        'noon': rng.uniform(0.5, 1.1),
        'low': rng.uniform(0.5, 1.2),
        'grey': rng.uniform(0.0, 0.15),
        'dusk': rng.uniform(0.0, 0.2),
    }[kind]
    ambient = {
        'noon': rng.uniform(0.4, 0.75),
        'low': rng.uniform(0.3, 0.65),
        'grey': rng.uniform(0.6, 0.95),
        'dusk': rng.uniform(0.25, 0.5),
    }[kind]
    sun = rgb(1.0, 0.97, 0.9) if kind != 'low' else rgb(1.12, 0.95, 0.72)
    # Cameras are set for the street, so that the sky is often burnt out, at dusk even most so.
    white = rgb(1, 1, 1) * rng.uniform(228, 262) * np.exp(rng.normal(0, 0.012, 3))
    blue = rgb(rng.uniform(70, 190), rng.uniform(140, 215), rng.uniform(200, 262))
    grey = rgb(1, 1, 1) * rng.uniform(120, 235) * np.exp(rng.normal(0, 0.03, 3))
    top, bottom = {
        'noon': (blue if rng.random() < 0.6 else white, white),
        'low': (blue if rng.random() < 0.7 else white, rgb(250, 236, 214)),
        'grey': (grey, np.clip(grey * rng.uniform(1.0, 1.25), 0, 262)),
        'dusk': (grey * rng.uniform(0.4, 0.9), grey * rng.uniform(0.6, 1.1)),
    }[kind]
    return replace(
        light,
        to_sun=to_sun,
        sun=sun * strength * tint,
        ambient=rgb(0.97, 1.0, 1.05) * ambient * tint,
        haze=np.clip(bottom * rng.uniform(0.7, 1.0), 0, 255),
        haze_distance=float(np.exp(rng.uniform(np.log(120), np.log(1500)))),
        sky_top=top,
        sky_bottom=bottom,
        cloud_cover=float(rng.uniform(0, 1)),
        shadow=float(np.clip(strength / (strength + ambient) * rng.uniform(0.7, 1.0), 0, 0.8)),
        exposure=float(np.exp(rng.normal(0.05, 0.22))),
    )
