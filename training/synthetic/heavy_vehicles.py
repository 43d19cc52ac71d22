# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trucks, buses and trams."""

import numpy as np

from .cars import AMBER, GLASS, HEAD_LIGHT, PLATE, RIM, RUBBER, SKY_IN_GLASS, TAIL_LIGHT, TRIM
from .light import rgb
from .solids import Face, Solid, box_faces, quad

BUS_PAINTS = (
    rgb(226, 178, 24),
    rgb(196, 30, 34),
    rgb(28, 96, 176),
    rgb(36, 134, 80),
    rgb(226, 110, 24),
    rgb(110, 40, 120),
)
TRAM_PAINTS = (
    rgb(190, 24, 36),
    rgb(26, 120, 70),
    rgb(20, 80, 160),
    rgb(220, 170, 20),
    rgb(90, 90, 100),
)
CREAM = rgb(232, 228, 214)
CARGO_PAINTS = (
    rgb(232, 232, 230),
    rgb(214, 216, 220),
    rgb(196, 200, 204),
    rgb(60, 92, 140),
    rgb(150, 44, 40),
    rgb(70, 110, 80),
    rgb(190, 150, 90),
)
CAB_PAINTS = (
    rgb(220, 222, 224),
    rgb(170, 30, 30),
    rgb(30, 66, 130),
    rgb(40, 44, 50),
    rgb(214, 120, 30),
    rgb(40, 110, 70),
    rgb(120, 126, 134),
)
STEEL = rgb(128, 130, 134)
WARNING_RED, WARNING_WHITE = rgb(206, 36, 34), rgb(238, 238, 234)
DISPLAY, DISPLAY_TEXT = rgb(16, 16, 18), rgb(250, 168, 40)


def _wheels(
    side: Face,
    length: float,
    tall: float,
    y0: float,
    places: tuple[float, ...],
    radius: float,
    mirrored: bool,
) -> None:
    """Wheel arches and wheels along a side; places are distances from the rear [m]."""
    for place in places:
        u = place / length
        u = 1 - u if mirrored else u
        v = (radius - y0) / tall
        side.disc(u, v, radius * 1.22 / length, radius * 1.22 / tall, TRIM * 0.5)
        side.disc(u, v, radius / length, radius / tall, RUBBER)
        side.disc(u, v, radius * 0.55 / length, radius * 0.55 / tall, RIM * 0.9)
        side.disc(u, v, radius * 0.2 / length, radius * 0.2 / tall, TRIM)


def _feet(width: float, length: float, places: tuple[float, ...], radius: float) -> list[Face]:
    """The parts of the wheels that stand out below the body."""
    faces = []
    angle = np.linspace(np.pi, 2 * np.pi, 9)
    for place in places:
        z = place - length / 2
        for x, sign in ((-width / 2 + 0.02, -1), (width / 2 - 0.02, 1)):
            points = np.stack(
                [
                    np.full(9, x),
                    radius + radius * np.sin(angle),
                    z + sign * radius * np.cos(angle),
                ],
                -1,
            )
            faces.append(Face(points, RUBBER, -1))
    for z, sign in ((places[0] - radius - length / 2, 1), (places[-1] + radius - length / 2, -1)):
        for x in (-width / 2 + 0.2, width / 2 - 0.2):
            a = 0.17 * sign
            faces.append(
                quad(
                    (x - a, 0, z),
                    (x + a, 0, z),
                    (x + a, 0.5, z),
                    (x - a, 0.5, z),
                    RUBBER,
                    layer=-1,
                )
            )
    return faces


def build_bus(rng: np.random.Generator) -> Solid:
    """A city bus; forward is +z."""
    length, width, height = rng.uniform(10.5, 12.5), 2.5, rng.uniform(3.0, 3.3)
    paint = BUS_PAINTS[rng.integers(len(BUS_PAINTS))]
    second = CREAM if rng.random() < 0.4 else paint * 0.75
    y0 = 0.32
    faces = box_faces(
        width, y0, height, -length / 2, length / 2, paint, inset=0.06, top_colour=paint * 0.9
    )
    places = (length * 0.24, length * 0.78)
    for name in ('left', 'right'):
        _bus_side(faces[name], length, second, doors=name == 'right')
        _wheels(faces[name], length, height - y0, y0, places, 0.5, name == 'left')
    _bus_rear(faces['rear'], second)
    _bus_front(faces['front'], second)
    return Solid(list(faces.values()) + _feet(width, length, places, 0.5), length, width, height)


def _bus_side(side: Face, length: float, second: np.ndarray, *, doors: bool) -> None:
    """Stripe, window band, pillars and doors."""
    side.rectangle(0, 0.0, 1, 0.10, TRIM)
    side.rectangle(0, 0.26, 1, 0.33, second)
    side.rectangle(0.02, 0.44, 0.985, 0.84, GLASS)
    side.rectangle(0.02, 0.66, 0.985, 0.84, (GLASS + SKY_IN_GLASS) / 2)
    for u in np.arange(1.5, length - 0.6, 1.5) / length:
        side.rectangle(u, 0.44, u + 0.08 / length, 0.84, TRIM)
    if doors:
        for u in (0.40, 0.88):
            side.rectangle(u, 0.06, u + 1.2 / length, 0.84, TRIM)
            for shift in (0.08, 0.64):
                side.rectangle(
                    u + shift / length,
                    0.12,
                    u + (shift + 0.48) / length,
                    0.80,
                    (GLASS + SKY_IN_GLASS) / 2,
                )


def _bus_rear(rear: Face, second: np.ndarray) -> None:
    """Window high up, engine grille low, round lights at the edges."""
    rear.rectangle(0, 0.0, 1, 0.08, TRIM)
    rear.rectangle(0, 0.36, 1, 0.42, second)
    rear.rectangle(0.10, 0.52, 0.90, 0.84, GLASS)
    rear.rectangle(0.10, 0.68, 0.90, 0.84, (GLASS + SKY_IN_GLASS) / 2)
    rear.rectangle(0.36, 0.87, 0.64, 0.97, DISPLAY)
    rear.rectangle(0.43, 0.89, 0.57, 0.95, DISPLAY_TEXT, shine=0.8)
    rear.rectangle(0.20, 0.12, 0.80, 0.34, TRIM)
    for v in (0.16, 0.21, 0.26):
        rear.rectangle(0.22, v, 0.78, v + 0.02, STEEL * 0.7)
    rear.rectangle(0.38, 0.43, 0.62, 0.50, PLATE)
    for u in (0.07, 0.93):
        rear.disc(u, 0.30, 0.045, 0.04, TAIL_LIGHT, shine=0.4)
        rear.disc(u, 0.21, 0.045, 0.04, AMBER, shine=0.2)
        rear.disc(u, 0.90, 0.03, 0.025, TAIL_LIGHT, shine=0.4)


def _bus_front(front: Face, second: np.ndarray) -> None:
    """One large windscreen, the destination above it, lights low."""
    front.rectangle(0, 0.0, 1, 0.07, TRIM)
    front.rectangle(0, 0.26, 1, 0.31, second)
    front.rectangle(0.03, 0.36, 0.97, 0.97, DISPLAY)
    front.rectangle(0.06, 0.38, 0.94, 0.80, GLASS)
    front.rectangle(0.06, 0.60, 0.94, 0.80, (GLASS + SKY_IN_GLASS) / 2)
    front.rectangle(0.49, 0.38, 0.51, 0.80, TRIM)
    front.rectangle(0.26, 0.85, 0.74, 0.93, DISPLAY_TEXT, shine=0.85)
    front.rectangle(0.38, 0.10, 0.62, 0.17, PLATE)
    for u in (0.05, 0.79):
        front.rectangle(u, 0.12, u + 0.16, 0.22, HEAD_LIGHT, shine=0.6)


def build_truck(rng: np.random.Generator) -> Solid:
    """A truck with a box, a tarpaulin or an open tipping body; forward is +z."""
    cargo_length = rng.uniform(4.6, 7.2)
    length, width = cargo_length + 2.2, 2.5
    cab_height, cargo_height = rng.uniform(2.5, 2.9), rng.uniform(3.2, 3.7)
    cab_paint = CAB_PAINTS[rng.integers(len(CAB_PAINTS))]
    cargo_paint = CARGO_PAINTS[rng.integers(len(CARGO_PAINTS))]
    kind = ('box', 'tarpaulin', 'tipper')[rng.choice(3, p=(0.5, 0.3, 0.2))]
    if kind == 'tipper':
        cargo_height, cargo_paint = (
            rng.uniform(2.3, 2.6),
            rgb(206, 120, 26) * rng.uniform(0.8, 1.1),
        )
    rear, front = -length / 2, length / 2
    places = (1.1, 2.3, length - 1.3) if cargo_length > 5.8 else (1.5, length - 1.3)
    chassis = box_faces(width - 0.5, 0.42, 1.0, rear + 0.1, front - 0.3, TRIM)
    cargo = box_faces(width, 1.0, cargo_height, rear, front - 2.3, cargo_paint, layer=1)
    cab = box_faces(
        width - 0.1, 0.45, cab_height, front - 2.0, front, cab_paint, layer=1, inset=0.08
    )
    for name in ('left', 'right'):
        _truck_side(cargo[name], cargo_length, kind, cargo_paint, rng)
        _cab_side(cab[name], name == 'left')
        chassis[name].layer = 2
        _wheels(chassis[name], length - 0.4, 0.58, 0.42, places, 0.5, name == 'left')
    _truck_rear(cargo['rear'], chassis['rear'], kind, cargo_paint)
    _cab_front(cab['front'], cab_paint)
    faces = [*chassis.values(), *cargo.values(), *cab.values()]
    return Solid(
        faces + _feet(width - 0.4, length, places, 0.5),
        length,
        width,
        max(cargo_height, cab_height),
    )


def _truck_side(
    side: Face, length: float, kind: str, paint: np.ndarray, rng: np.random.Generator
) -> None:
    """Panels, folds or ribs, and a firm's stripe."""
    step = {'box': 1.2, 'tarpaulin': 0.45, 'tipper': 0.8}[kind]
    for place in np.arange(step, length, step):
        side.rectangle(place / length, 0.03, (place + 0.05) / length, 0.97, paint * 0.78)
    if kind != 'tipper':
        accent = CAB_PAINTS[rng.integers(len(CAB_PAINTS))]
        side.rectangle(0.12, 0.42, 0.88, 0.62, accent)
        side.rectangle(0.2, 0.48, 0.66, 0.56, CREAM)
    side.rectangle(0, 0, 1, 0.05, STEEL)


def _truck_rear(rear: Face, chassis: Face, kind: str, paint: np.ndarray) -> None:
    """Two doors with locking bars, a striped bumper and low lights."""
    rear.rectangle(0, 0, 1, 0.04, STEEL)
    if kind == 'tipper':
        for u in (0.2, 0.4, 0.6, 0.8):
            rear.rectangle(u - 0.02, 0.05, u + 0.02, 0.95, paint * 0.7)
    else:
        rear.rectangle(0.04, 0.05, 0.96, 0.96, paint * 0.93)
        rear.rectangle(0.49, 0.04, 0.51, 0.97, TRIM)
        for u in (0.2, 0.38, 0.62, 0.8):
            rear.rectangle(u - 0.008, 0.05, u + 0.008, 0.95, STEEL * 0.8)
        for v in (0.3, 0.7):
            rear.rectangle(0.02, v, 0.98, v + 0.015, paint * 0.72)
    chassis.layer = 2
    chassis.rectangle(-0.1, 0.06, 1.1, 0.34, WARNING_WHITE)
    for u in np.arange(-0.1, 1.05, 0.2):
        chassis.rectangle(u, 0.06, u + 0.1, 0.34, WARNING_RED)
    for u in (-0.06, 0.86):
        chassis.rectangle(u, 0.5, u + 0.2, 0.85, TAIL_LIGHT, shine=0.4)
    chassis.rectangle(0.38, 0.5, 0.62, 0.85, PLATE)


def _cab_side(side: Face, mirrored: bool) -> None:
    """Window, door and step."""
    u0, u1 = (0.12, 0.6) if mirrored else (0.4, 0.88)
    side.rectangle(u0, 0.52, u1, 0.86, GLASS)
    side.rectangle(u0, 0.70, u1, 0.86, (GLASS + SKY_IN_GLASS) / 2)
    side.rectangle(0, 0, 1, 0.14, TRIM)
    side.disc(0.5, 0.02, 0.32, 0.26, TRIM * 0.5)
    side.disc(0.5, 0.02, 0.25, 0.21, RUBBER)


def _cab_front(front: Face, paint: np.ndarray) -> None:
    """Windscreen, grille, lights and bumper."""
    front.rectangle(0, 0.0, 1, 0.16, TRIM)
    front.rectangle(0.06, 0.52, 0.94, 0.88, GLASS)
    front.rectangle(0.06, 0.70, 0.94, 0.88, (GLASS + SKY_IN_GLASS) / 2)
    front.rectangle(0.2, 0.20, 0.8, 0.46, TRIM)
    for v in (0.24, 0.31, 0.38):
        front.rectangle(0.22, v, 0.78, v + 0.03, paint * 0.8)
    front.rectangle(0.38, 0.04, 0.62, 0.13, PLATE)
    for u in (0.03, 0.79):
        front.rectangle(u, 0.18, u + 0.17, 0.28, HEAD_LIGHT, shine=0.6)


def build_tram(rng: np.random.Generator) -> Solid:
    """A tram of two or three jointed sections; forward is +z."""
    sections = int(rng.integers(2, 4))
    piece, joint = rng.uniform(7.0, 8.5), 0.7
    length = sections * piece + (sections - 1) * joint
    width, height = 2.4, 3.3
    paint = TRAM_PAINTS[rng.integers(len(TRAM_PAINTS))]
    faces: list[Face] = []
    for index in range(sections):
        z0 = -length / 2 + index * (piece + joint)
        faces += _tram_section(
            width, height, z0, z0 + piece, paint, first=index == 0, last=index == sections - 1
        )
        if index:
            bellows = box_faces(width - 0.3, 0.3, height - 0.1, z0 - joint, z0, TRIM)
            faces += [bellows['left'], bellows['right'], bellows['top']]
    return Solid(faces + _pantograph(height), length, width, height)


def _tram_section(
    width: float,
    height: float,
    z0: float,
    z1: float,
    paint: np.ndarray,
    *,
    first: bool,
    last: bool,
) -> list[Face]:
    """One body section: coloured below, cream above, a dark window band between."""
    start, end = z0 + (0.5 if first else 0), z1 - (0.5 if last else 0)
    faces = box_faces(width, 0.14, height, start, end, CREAM, inset=0.1, top_colour=STEEL)
    for name in ('left', 'right'):
        side = faces[name]
        side.rectangle(0, 0, 1, 0.38, paint)
        side.rectangle(0, 0, 1, 0.07, TRIM)
        side.rectangle(0, 0.36, 1, 0.39, CREAM)
        side.rectangle(0.0, 0.46, 1.0, 0.82, GLASS)
        side.rectangle(0.0, 0.66, 1.0, 0.82, (GLASS + SKY_IN_GLASS) / 2)
        for u in np.arange(0.0, 1.0, 1.3 / (end - start)):
            side.rectangle(u, 0.46, u + 0.012, 0.82, CREAM * 0.8)
        side.rectangle(0.42, 0.05, 0.58, 0.84, TRIM)
        side.rectangle(0.43, 0.1, 0.495, 0.8, (GLASS + SKY_IN_GLASS) / 2)
        side.rectangle(0.505, 0.1, 0.57, 0.8, (GLASS + SKY_IN_GLASS) / 2)
        side.rectangle(0, 0.92, 1, 1, paint)
    kept = [faces['left'], faces['right'], faces['top']]
    for name, outer, tip, body, sign in (
        ('rear', first, z0, start, -1),
        ('front', last, z1, end, 1),
    ):
        if outer:
            kept += _tram_end(width, height, tip, body, paint, sign)
        else:
            faces[name].colour = TRIM
            kept.append(faces[name])
    roof = box_faces(width - 0.8, height, height + 0.3, start + 1, end - 1, STEEL * 0.8, layer=1)
    return kept + list(roof.values())


def _tram_end(
    width: float, height: float, tip: float, body: float, paint: np.ndarray, sign: int
) -> list[Face]:
    """A tapered, leaning end with one wide screen, a destination and a single middle light."""
    a, b, c = width / 2, width / 2 - 0.35, width / 2 - 0.4
    y0, waist = 0.14, 1.25
    m = (tip - body) * 0.35 + body

    def flat(points: list[tuple[float, float, float]], colour: np.ndarray) -> Face:
        first, second, third, fourth = points
        if sign < 0:
            return quad(first, second, third, fourth, colour)
        return quad(second, first, fourth, third, colour)

    low = flat([(-b, y0, tip), (b, y0, tip), (b, waist, tip), (-b, waist, tip)], paint)
    high = flat([(-b, waist, tip), (b, waist, tip), (c, height, m), (-c, height, m)], CREAM)
    left = flat([(-a, y0, body), (-b, y0, tip), (-b, waist, tip), (-a, waist, body)], paint)
    right = flat([(b, y0, tip), (a, y0, body), (a, waist, body), (b, waist, tip)], paint)
    roof = a - 0.1
    left_top = flat(
        [(-a, waist, body), (-b, waist, tip), (-c, height, m), (-roof, height, body)], GLASS
    )
    right_top = flat(
        [(b, waist, tip), (a, waist, body), (roof, height, body), (c, height, m)], GLASS
    )
    low.rectangle(0, 0, 1, 0.16, TRIM)
    high.rectangle(0.02, 0.04, 0.98, 0.74, GLASS)
    high.rectangle(0.02, 0.42, 0.98, 0.74, (GLASS + SKY_IN_GLASS) / 2)
    high.rectangle(0.14, 0.78, 0.86, 0.94, DISPLAY)
    high.rectangle(0.3, 0.81, 0.7, 0.91, DISPLAY_TEXT, shine=0.85)
    lamp = HEAD_LIGHT if sign > 0 else TAIL_LIGHT
    for u in (0.1, 0.9):
        low.disc(u, 0.55, 0.07, 0.1, lamp, shine=0.6)
    low.disc(0.5, 0.72, 0.07, 0.1, HEAD_LIGHT if sign > 0 else CREAM, shine=0.4)
    return [left, right, left_top, right_top, low, high]


def _pantograph(height: float) -> list[Face]:
    """The folding arm that reaches for the wire, as a thin flat frame."""
    base, top = height + 0.3, height + 1.3
    arm = Face(
        np.array([(-0.5, base, -1.0), (-0.35, base, -1.0), (-0.5, top, 0.2), (-0.65, top, 0.2)]),
        TRIM,
        2,
        double=True,
    )
    other = Face(
        np.array([(0.35, base, -1.0), (0.5, base, -1.0), (0.65, top, 0.2), (0.5, top, 0.2)]),
        TRIM,
        2,
        double=True,
    )
    bar = Face(
        np.array(
            [(-0.9, top, 0.2), (0.9, top, 0.2), (0.9, top + 0.14, 0.2), (-0.9, top + 0.14, 0.2)]
        ),
        TRIM,
        2,
        double=True,
    )
    return [arm, other, bar]
