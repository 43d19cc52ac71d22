# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""People on foot, and people riding."""

from dataclasses import dataclass

import numpy as np

from .light import rgb
from .solids import Limb

SKINS = (rgb(238, 196, 166), rgb(214, 164, 128), rgb(160, 110, 78), rgb(98, 66, 48))
HAIRS = (rgb(36, 28, 24), rgb(84, 56, 34), rgb(150, 112, 62), rgb(120, 116, 112))
TOPS = (
    rgb(186, 34, 38),
    rgb(32, 62, 128),
    rgb(226, 222, 212),
    rgb(40, 42, 48),
    rgb(58, 110, 70),
    rgb(220, 160, 40),
    rgb(118, 60, 128),
    rgb(90, 140, 180),
    rgb(200, 110, 110),
    rgb(110, 84, 58),
    rgb(230, 120, 40),
)
TROUSERS = (rgb(36, 44, 66), rgb(28, 28, 32), rgb(84, 80, 74), rgb(62, 82, 120), rgb(126, 108, 84))
SHOES = (rgb(30, 28, 28), rgb(222, 220, 216), rgb(110, 70, 44))
HELMETS = (
    rgb(228, 228, 226),
    rgb(200, 30, 30),
    rgb(30, 32, 36),
    rgb(40, 90, 180),
    rgb(230, 190, 30),
)
SAFETY_VEST = rgb(206, 224, 40)


@dataclass(frozen=True)
class Outfit:
    """What somebody looks like. Colours are BGR.

    Attributes:
        height: [m].
        build: factor of every radius.
        skin, hair, top, trousers, shoes, helmet: colours.
        coat: a long coat or a skirt covers the upper legs.
        bag: colour of a rucksack, or None.
    """

    height: float
    build: float
    skin: np.ndarray
    hair: np.ndarray
    top: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    helmet: np.ndarray
    coat: bool
    bag: np.ndarray | None


def make_outfit(rng: np.random.Generator, *, muted: bool = False) -> Outfit:
    """Dresses somebody; muted, as most people dress in winter."""

    def pick(colours: tuple[np.ndarray, ...]) -> np.ndarray:
        if muted and rng.random() < 0.6:
            return rgb(1, 1, 1) * rng.uniform(10, 120) * np.exp(rng.normal(0, 0.15, 3))
        return colours[rng.integers(len(colours))] * rng.uniform(0.85, 1.12)

    height = rng.uniform(1.15, 1.4) if rng.random() < 0.1 else rng.uniform(1.58, 1.9)
    bag = pick(TOPS) * 0.7 if rng.random() < 0.3 else None
    return Outfit(
        height,
        rng.uniform(0.98, 1.2),
        pick(SKINS),
        pick(HAIRS),
        pick(TOPS),
        pick(TROUSERS),
        pick(SHOES),
        pick(HELMETS),
        bool(rng.random() < 0.3),
        bag,
    )


def walker_limbs(outfit: Outfit, phase: float, stride: float) -> list[Limb]:
    """Somebody walking or standing; forward is +z, feet on y = 0.

    Args:
        outfit: size and clothes.
        phase: of the step [rad].
        stride: 0 stands still, 1 walks.
    """
    size, wide = outfit.height / 1.75, outfit.build
    limbs: list[Limb] = []
    hip_y, shoulder_y = 0.92 * size, 1.42 * size
    bob = 0.015 * stride * abs(np.cos(phase))
    for side, offset in ((-1, 0.0), (1, np.pi)):
        swing = 0.45 * stride * np.sin(phase + offset)
        bend = 0.5 * stride * max(0.0, np.cos(phase + offset))
        hip = (0.095 * side * size * wide, hip_y + bob, 0.0)
        knee = (0.10 * side * size * wide, 0.5 * size, 0.42 * size * np.sin(swing) + 0.05 * bend)
        ankle = (
            0.10 * side * size * wide,
            0.09 * size + 0.12 * bend * size,
            knee[2] + 0.42 * size * np.sin(swing - bend),
        )
        toe = (ankle[0], ankle[1] - 0.04 * size, ankle[2] + 0.16 * size)
        limbs += [
            Limb(hip, knee, 0.095 * wide, 0.075 * wide, outfit.trousers),
            Limb(knee, ankle, 0.075 * wide, 0.055 * wide, outfit.trousers),
            Limb(ankle, toe, 0.06, 0.05, outfit.shoes),
        ]
        arm = -0.4 * stride * np.sin(phase + offset)
        shoulder = (0.20 * side * size * wide, shoulder_y - 0.03, 0.0)
        elbow = (0.25 * side * size * wide, 1.14 * size, 0.25 * size * np.sin(arm))
        hand = (0.25 * side * size * wide, 0.89 * size, elbow[2] + 0.25 * np.sin(arm + 0.25))
        limbs += [
            Limb(shoulder, elbow, 0.062 * wide, 0.055 * wide, outfit.top * 0.92),
            Limb(elbow, hand, 0.052 * wide, 0.042 * wide, outfit.top * 0.92),
            Limb(hand, hand, 0.05, 0.05, outfit.skin, 0.01),
        ]
    limbs += _trunk((0.0, hip_y, 0.0), (0.0, shoulder_y - 0.05, 0.0), outfit, size)
    if outfit.coat:
        limbs.append(
            Limb(
                (0, hip_y + 0.02, 0),
                (0, 0.56 * size, 0),
                0.17 * wide,
                0.21 * wide,
                outfit.top * 0.95,
                0.12,
            )
        )
    limbs += _head((0.0, 1.62 * size, 0.02), outfit, helmet=False)
    return limbs


def _trunk(
    hip: tuple[float, ...], neck: tuple[float, ...], outfit: Outfit, size: float
) -> list[Limb]:
    """Chest and belly as two side-by-side rounded pieces, with the rucksack."""
    wide = outfit.build
    limbs = []
    for side in (-1, 1):
        x = 0.07 * side * wide
        limbs.append(
            Limb(
                (x, hip[1], hip[2]),
                (x * 1.25, neck[1], neck[2]),
                0.115 * wide,
                0.125 * wide,
                outfit.top,
                0.02,
            )
        )
    limbs.append(
        Limb(
            (0, hip[1], hip[2]), (0, neck[1], neck[2]), 0.12 * wide, 0.12 * wide, outfit.top, 0.03
        )
    )
    if outfit.bag is not None:
        back = (0.0, hip[1] * 0.4 + neck[1] * 0.6, hip[2] * 0.4 + neck[2] * 0.6 - 0.17)
        limbs.append(
            Limb(
                (0, back[1] - 0.16 * size, back[2]),
                (0, back[1] + 0.14 * size, back[2]),
                0.15,
                0.14,
                outfit.bag,
            )
        )
    return limbs


def _head(centre: tuple[float, float, float], outfit: Outfit, *, helmet: bool) -> list[Limb]:
    """Neck, face and hair (or a helmet)."""
    x, y, z = centre
    limbs = [
        Limb((x, y - 0.18, z - 0.02), (x, y - 0.08, z), 0.055, 0.055, outfit.skin),
        Limb((x, y - 0.05, z + 0.02), (x, y + 0.02, z + 0.02), 0.095, 0.10, outfit.skin),
    ]
    colour = outfit.helmet if helmet else outfit.hair
    radius = 0.135 if helmet else 0.11
    limbs.append(
        Limb((x, y + 0.05, z - 0.03), (x, y + 0.06, z - 0.02), radius, radius, colour, -0.01)
    )
    limbs.append(
        Limb((x, y + 0.085, z), (x, y + 0.09, z), radius * 0.93, radius * 0.9, colour, 0.05)
    )
    return limbs


def rider_limbs(outfit: Outfit, phase: float, *, motorcycle: bool) -> list[Limb]:
    """Somebody in the saddle; the two-wheeler's ground point is the origin, forward is +z."""
    wide = outfit.build
    if motorcycle:
        hip, neck, grip = (0.0, 0.88, -0.22), (0.0, 1.36, 0.02), (0.34, 1.04, 0.42)
    else:
        hip, neck, grip = (0.0, 1.02, -0.2), (0.0, 1.50, 0.12), (0.25, 1.06, 0.42)
    limbs: list[Limb] = []
    for side, offset in ((-1, 0.0), (1, np.pi)):
        if motorcycle:
            foot, knee = (0.24 * side, 0.34, 0.02), (0.27 * side, 0.72, 0.26)
        else:
            angle = phase + offset
            foot = (0.13 * side, 0.30 + 0.17 * np.sin(angle), 0.02 + 0.17 * np.cos(angle))
            knee = (0.14 * side, 0.72 + 0.09 * np.sin(angle), 0.20 + 0.06 * np.cos(angle))
        limbs += [
            Limb((0.1 * side, hip[1], hip[2]), knee, 0.10 * wide, 0.08 * wide, outfit.trousers),
            Limb(knee, foot, 0.08 * wide, 0.06 * wide, outfit.trousers),
            Limb(foot, (foot[0], foot[1] - 0.03, foot[2] + 0.14), 0.06, 0.05, outfit.shoes),
        ]
        elbow = (0.30 * side, (neck[1] + grip[1]) / 2, (neck[2] + grip[2]) / 2 - 0.05)
        limbs += [
            Limb(
                (0.2 * side * wide, neck[1] - 0.04, neck[2]),
                elbow,
                0.065 * wide,
                0.058 * wide,
                outfit.top * 0.92,
            ),
            Limb(
                elbow, (grip[0] * side, grip[1], grip[2]), 0.056 * wide, 0.045, outfit.top * 0.92
            ),
        ]
    limbs += _trunk(hip, neck, outfit, 1.0)
    limbs += _head((0.0, neck[1] + 0.22, neck[2] + 0.05), outfit, helmet=True)
    return limbs
