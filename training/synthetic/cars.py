# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Passenger cars: hatchbacks, saloons, sport-utility vehicles and vans."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from .light import rgb
from .solids import Face, Solid, box_faces, quad

PAINTS = (
    rgb(228, 230, 232),
    rgb(176, 180, 186),
    rgb(96, 100, 106),
    rgb(34, 36, 40),
    rgb(150, 22, 26),
    rgb(26, 54, 116),
    rgb(44, 92, 152),
    rgb(58, 74, 60),
    rgb(186, 156, 112),
    rgb(196, 78, 24),
    rgb(210, 210, 204),
    rgb(60, 64, 72),
    rgb(18, 92, 96),
    rgb(120, 30, 50),
)
GLASS = rgb(38, 46, 54)
SKY_IN_GLASS = rgb(118, 136, 150)
RUBBER = rgb(24, 24, 26)
RIM = rgb(150, 152, 156)
TRIM = rgb(36, 37, 40)
TAIL_LIGHT = rgb(190, 22, 24)
HEAD_LIGHT = rgb(238, 240, 236)
PLATE = rgb(232, 230, 222)
AMBER = rgb(226, 136, 30)

# (length, width, height, share of the length where the cabin's base and roof begin and end)
_SHAPES = {
    'hatchback': (4.0, 1.76, 1.48, (0.02, 0.10, 0.60, 0.74)),
    'saloon': (4.7, 1.84, 1.44, (0.14, 0.28, 0.60, 0.74)),
    'suv': (4.6, 1.92, 1.70, (0.01, 0.07, 0.62, 0.75)),
    'van': (4.9, 1.96, 1.94, (0.005, 0.02, 0.74, 0.90)),
}


@dataclass(frozen=True)
class Make:
    """What else tells one car from another.

    Attributes:
        waist: height of the windows' lower edge, as a share of the car's.
        hood: height of the bonnet's front edge, as a share of the waist's.
        lean: how much narrower the roof is than the waist, each side [m].
        windows: where the side windows begin and end, as shares of the cabin.
        wheel: radius [m].
        glass, mirrored: BGR colours of dark and of mirroring glass.
        trim: BGR colour of bumpers and sills.
        gloss: how much brighter the band is in which the sides mirror the sky.
    """

    waist: float = 0.62
    hood: float = 0.82
    lean: float = 0.16
    windows: tuple[tuple[float, float], ...] = ((0.06, 0.33), (0.37, 0.62), (0.66, 0.93))
    wheel: float = 0.33
    glass: np.ndarray = field(default_factory=GLASS.copy)
    mirrored: np.ndarray = field(default_factory=SKY_IN_GLASS.copy)
    trim: np.ndarray = field(default_factory=TRIM.copy)
    gloss: float = 0.0


PLAIN_MAKE = Make()


def build_any_car(rng: np.random.Generator) -> Solid:
    """A car of any make: from the small town car to the delivery van; as :func:`build_car`."""
    length, width = rng.uniform(3.3, 5.1), rng.uniform(1.6, 2.0)
    kind = rng.choice(['two_box', 'three_box', 'one_box', 'tall'], p=(0.4, 0.3, 0.15, 0.15))
    height = rng.uniform(1.3, 1.6)
    rear, roof_rear = rng.uniform(0.0, 0.04), rng.uniform(0.05, 0.2)
    roof_front, front = rng.uniform(0.5, 0.62), rng.uniform(0.68, 0.78)
    if kind == 'three_box':
        rear, roof_rear = rng.uniform(0.1, 0.2), rng.uniform(0.24, 0.34)
    elif kind == 'one_box':
        roof_front, front, height = rng.uniform(0.58, 0.7), rng.uniform(0.8, 0.9), height + 0.2
    elif kind == 'tall':
        roof_rear, height = rng.uniform(0.01, 0.06), rng.uniform(1.65, 2.1)
    grey = rgb(1, 1, 1) * rng.uniform(10, 235) * np.exp(rng.normal(0, 0.03, 3))
    paint = PAINTS[rng.integers(len(PAINTS))] * rng.uniform(0.5, 1.15)
    paint = grey if rng.random() < 0.6 else paint
    glass = rgb(38, 46, 54) * rng.uniform(0.3, 1.6)
    count = int(rng.integers(2, 4)) + (kind == 'tall')
    edges = np.linspace(rng.uniform(0.03, 0.08), rng.uniform(0.9, 0.96), count + 1)
    windows = tuple((float(a), float(b) - 0.03) for a, b in itertools.pairwise(edges))
    if kind == 'tall' and rng.random() < 0.5:
        windows = windows[-1:]  # a delivery van
    make = Make(
        waist=float(rng.uniform(0.55, 0.68)),
        hood=float(rng.uniform(0.7, 0.95)),
        lean=float(rng.uniform(0.06, 0.22)),
        windows=windows,
        wheel=float(rng.uniform(0.28, 0.38)),
        glass=glass,
        mirrored=glass + rgb(118, 136, 150) * rng.uniform(0.0, 1.2),
        trim=paint * 0.8 if rng.random() < 0.5 else TRIM,
        gloss=float(rng.uniform(0.0, 0.5)),
    )
    faces = _body(length, width, height, paint, rng, make)
    faces += _cabin(length, width, height, (rear, roof_rear, roof_front, front), paint, make)
    return Solid(faces, length, width, height)


def build_car(rng: np.random.Generator) -> Solid:
    """A car of random body and paint; forward is +z, ground at y = 0."""
    kind = ('hatchback', 'saloon', 'suv', 'van')[rng.choice(4, p=(0.36, 0.3, 0.24, 0.1))]
    length, width, height, cabin = _SHAPES[kind]
    grow = rng.uniform(0.95, 1.06)
    length, height = length * grow, height * rng.uniform(0.97, 1.03)
    paint = PAINTS[rng.integers(len(PAINTS))] * rng.uniform(0.9, 1.08)
    faces = _body(length, width, height, paint, rng, PLAIN_MAKE)
    faces += _cabin(length, width, height, cabin, paint, PLAIN_MAKE)
    return Solid(faces, length, width, height)


def _body(
    length: float,
    width: float,
    height: float,
    paint: np.ndarray,
    rng: np.random.Generator,
    make: Make,
) -> list[Face]:
    """Everything below the windows."""
    half, waist = length / 2, make.waist * height
    hood = waist * make.hood
    a, b = width / 2, width / 2 - 0.07
    lower = box_faces(width, 0.20, waist * 0.66, -half, half, paint)
    mid = waist * 0.66
    split = half * 0.5
    upper = [
        quad(
            (-a, mid, -half),
            (a, mid, -half),
            (b, waist, -half + 0.08),
            (-b, waist, -half + 0.08),
            paint,
        ),
        quad(
            (a, mid, half), (-a, mid, half), (-b, hood, half - 0.12), (b, hood, half - 0.12), paint
        ),
        Face(
            np.array(
                [
                    (-a, mid, half),
                    (-a, mid, -half),
                    (-b, waist, -half + 0.08),
                    (-b, waist, split),
                    (-b, hood, half - 0.12),
                ]
            ),
            paint,
        ),
        Face(
            np.array(
                [
                    (a, mid, -half),
                    (a, mid, half),
                    (b, hood, half - 0.12),
                    (b, waist, split),
                    (b, waist, -half + 0.08),
                ]
            ),
            paint,
        ),
        quad(
            (b, hood, half - 0.12),
            (-b, hood, half - 0.12),
            (-b, waist, split),
            (b, waist, split),
            paint,
        ),
        quad(
            (-b, waist, -half + 0.08),
            (b, waist, -half + 0.08),
            (b, waist, split),
            (-b, waist, split),
            paint,
        ),
    ]
    del lower['top']
    _paint_ends(lower['rear'], lower['front'], upper[0], upper[1], rng, make.trim)
    for side in ('left', 'right'):
        _paint_side(lower[side], length, mid, paint, side, make)
    return list(lower.values()) + upper + _tyres(length, width, make.wheel)


def _paint_ends(
    rear: Face,
    front: Face,
    rear_top: Face,
    front_top: Face,
    rng: np.random.Generator,
    trim: np.ndarray,
) -> None:
    """Lights, plates, bumpers and the grille."""
    rear.rectangle(0.0, 0.0, 1.0, 0.34, trim)
    rear.rectangle(0.34, 0.52, 0.66, 0.86, PLATE)
    tall = rng.random() < 0.4
    for u in (0.02, 0.76):
        rear_top.rectangle(u, 0.1, u + 0.22, 0.98 if tall else 0.72, TAIL_LIGHT, shine=0.35)
        rear_top.rectangle(u + 0.06, 0.3, u + 0.15, 0.5, AMBER, shine=0.2)
    rear_top.rectangle(0.26, 0.12, 0.74, 0.2, TRIM)
    front.rectangle(0.0, 0.0, 1.0, 0.24, trim)
    front.rectangle(0.22, 0.34, 0.78, 0.98, TRIM)
    front.rectangle(0.36, 0.36, 0.64, 0.6, PLATE)
    front_top.rectangle(0.28, 0.0, 0.72, 0.5, TRIM)
    for u in (0.03, 0.74):
        front_top.rectangle(u, 0.1, u + 0.23, 0.8, HEAD_LIGHT, shine=0.55)


def _paint_side(
    side: Face, length: float, mid: float, paint: np.ndarray, name: str, make: Make
) -> None:
    """Sill, door lines, wheel arches and wheels."""
    tall = mid - 0.20
    side.rectangle(0.0, 0.0, 1.0, 0.18, make.trim)
    if make.gloss:
        side.rectangle(0.0, 0.62, 1.0, 0.95, paint * (1 + make.gloss))
    for u in (0.34, 0.52, 0.70):
        place = u if name == 'right' else 1 - u
        side.rectangle(place, 0.15, place + 0.012, 1.0, paint * 0.55)
    for along in (0.8 / length, 1 - 0.85 / length):
        u = along if name == 'right' else 1 - along
        v, radius = (make.wheel - 0.20) / tall, make.wheel
        side.disc(u, v, (radius + 0.07) / length, (radius + 0.07) / tall, TRIM * 0.6)
        side.disc(u, v, radius / length, radius / tall, RUBBER)
        side.disc(u, v, (radius - 0.13) / length, (radius - 0.13) / tall, RIM)
        side.disc(u, v, 0.07 / length, 0.07 / tall, TRIM)


def _tyres(length: float, width: float, radius: float) -> list[Face]:
    """The lower parts of the tyres, and the dark floor between them."""
    faces = []
    half = length / 2
    for z, sign in ((-half + 0.46, -1), (half - 0.5, 1)):
        for x in (-width / 2 + 0.12, width / 2 - 0.12):
            faces.append(_facing(x, 0.11, 0.0, 0.22, z, sign, RUBBER))
        faces.append(_facing(0.0, width / 2 - 0.2, 0.12, 0.22, z, sign, TRIM * 0.5))
    for x, sign in ((-width / 2 + 0.01, -1), (width / 2 - 0.01, 1)):
        for centre in (-half + 0.8, half - 0.85):
            faces.append(_wheel_foot(x, centre, sign, radius))
    return faces


def _facing(
    x: float, half: float, y0: float, y1: float, z: float, sign: int, colour: np.ndarray
) -> Face:
    """A rectangle looking backwards (sign -1) or forwards (sign 1)."""
    a = -half * sign * -1
    return quad((x - a, y0, z), (x + a, y0, z), (x + a, y1, z), (x - a, y1, z), colour, layer=-1)


def _wheel_foot(x: float, centre: float, sign: int, radius: float) -> Face:
    """The part of a wheel below the sill, seen from the side."""
    angle = np.linspace(np.pi, 2 * np.pi, 9)
    along = radius * np.cos(angle) * sign
    points = np.stack([np.full(9, x), radius + radius * np.sin(angle), centre + along], -1)
    return Face(points[::1], RUBBER, -1)


def _cabin(
    length: float,
    width: float,
    height: float,
    cabin: tuple[float, ...],
    paint: np.ndarray,
    make: Make,
) -> list[Face]:
    """Windows, pillars and the roof."""
    base_rear, roof_rear, roof_front, base_front = (share * length - length / 2 for share in cabin)
    low = make.waist * height - 0.01
    a, b = width / 2 - 0.08, width / 2 - 0.08 - make.lean
    back, front = base_rear + 0.08, base_front
    faces = {
        'rear': quad(
            (-a, low, back),
            (a, low, back),
            (b, height, roof_rear),
            (-b, height, roof_rear),
            paint,
            layer=1,
        ),
        'front': quad(
            (a, low, front),
            (-a, low, front),
            (-b, height, roof_front),
            (b, height, roof_front),
            paint,
            layer=1,
        ),
        'left': quad(
            (-a, low, front),
            (-a, low, back),
            (-b, height, roof_rear),
            (-b, height, roof_front),
            paint,
            layer=1,
        ),
        'right': quad(
            (a, low, back),
            (a, low, front),
            (b, height, roof_front),
            (b, height, roof_rear),
            paint,
            layer=1,
        ),
        'top': quad(
            (-b, height, roof_rear),
            (b, height, roof_rear),
            (b, height, roof_front),
            (-b, height, roof_front),
            paint * 1.04,
            layer=1,
        ),
    }
    mixed = (make.glass + make.mirrored) / 2
    for name in ('rear', 'front'):
        faces[name].rectangle(0.07, 0.10, 0.93, 0.90, make.glass)
        faces[name].rectangle(0.07, 0.52, 0.93, 0.90, mixed)
        faces[name].rectangle(0.20, 0.66, 0.86, 0.90, make.mirrored)
    for name in ('left', 'right'):
        for u0, u1 in make.windows:
            faces[name].rectangle(u0, 0.08, u1, 0.86, make.glass)
            faces[name].rectangle(u0, 0.55, u1, 0.86, mixed)
    return list(faces.values())
