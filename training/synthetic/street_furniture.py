# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lamp posts, traffic lights, traffic signs, and things of no class."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from upsnet_ros.core.labels import UNKNOWN_LABEL, encode_label

from .camera import Camera
from .canvas import Part
from .classes import POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN
from .light import Light, rgb
from .solids import Face, Limb, Pose, Solid, box_faces, limb_parts, quad
from .two_wheelers import far_to_near

POLE_GREYS = (rgb(118, 120, 122), rgb(84, 88, 90), rgb(56, 66, 62), rgb(146, 148, 148))
LAMP_OFF = {'red': rgb(58, 18, 18), 'amber': rgb(58, 46, 14), 'green': rgb(14, 50, 30)}
LAMP_ON = {'red': rgb(255, 46, 36), 'amber': rgb(255, 190, 40), 'green': rgb(60, 250, 150)}
HOUSING, BORDER = rgb(22, 24, 24), rgb(226, 224, 216)
WHITE, RED, BLUE = rgb(240, 240, 238), rgb(204, 24, 32), rgb(20, 78, 170)
YELLOW, BLACK, GREEN = rgb(244, 200, 30), rgb(20, 20, 22), rgb(16, 110, 66)
SIGNS = (
    'limit',
    'no_entry',
    'warning',
    'give_way',
    'parking',
    'crossing',
    'stop',
    'priority',
    'direction',
    'arrow',
)


@dataclass(frozen=True)
class LampPost:
    """A street light: post, arm towards the road, lamp.

    Attributes:
        pose: its foot.
        reach: length of the arm, positive to the right [m].
        height: [m].
        colour: BGR.
    """

    pose: Pose
    reach: float
    height: float
    colour: np.ndarray
    limit: float = 36.0

    def parts(self, camera: Camera, light: Light, time: float) -> list[Part]:
        """Its pieces, far to near."""
        top = self.height
        limbs = [
            Limb((0, 0, 0), (0, 1.0, 0), 0.19, 0.16, self.colour),
            Limb((0, 0.9, 0), (0, top, 0), 0.15, 0.12, self.colour),
            Limb((0, top, 0), (self.reach, top + 0.35, 0), 0.10, 0.085, self.colour, 0.01),
            Limb(
                (self.reach * 0.86, top + 0.27, 0),
                (self.reach * 1.25, top + 0.37, 0),
                0.15,
                0.12,
                self.colour * 0.75,
                0.02,
            ),
        ]
        return far_to_near(limb_parts(limbs, self.pose, camera, light, encode_label(POLE, 0)))


@dataclass(frozen=True)
class TrafficLight:
    """A post with a signal head; with an arm, a second head hangs over the lane.

    Attributes:
        pose: its foot.
        arm: how far the arm reaches, positive to the right [m]; 0 for none.
        start: second of its cycle at time 0.
        colour: BGR of the post.
    """

    pose: Pose
    arm: float
    start: float
    colour: np.ndarray
    limit: float = 38.0

    CYCLE: ClassVar[float] = 24.0  # [s]

    def state(self, time: float) -> str:
        """Which lamp is on at a time [s]."""
        second = (self.start + time) % self.CYCLE
        return 'green' if second < 11 else 'amber' if second < 13 else 'red'

    def parts(self, camera: Camera, light: Light, time: float) -> list[Part]:
        """Post first, then the heads in front of it."""
        height = 5.6 if self.arm else 3.4
        limbs = [Limb((0, 0, 0), (0, height, 0), 0.15, 0.12, self.colour)]
        if self.arm:
            limbs.append(
                Limb((0, height, 0), (self.arm, height + 0.2, 0), 0.11, 0.09, self.colour)
            )
        parts = far_to_near(limb_parts(limbs, self.pose, camera, light, encode_label(POLE, 0)))
        heads = [(0.0, 2.5)] + ([(self.arm, height - 0.75)] if self.arm else [])
        for x, y in heads:
            parts += self._head(x, y, camera, light, self.state(time))
        return parts

    def _head(self, x: float, y: float, camera: Camera, light: Light, state: str) -> list[Part]:
        """A dark housing with a pale border and three lamps."""
        half, tall, z = 0.27, 1.35, -0.2
        face = quad(
            (x - half, y, z),
            (x + half, y, z),
            (x + half, y + tall, z),
            (x - half, y + tall, z),
            BORDER,
        )
        face.rectangle(0.09, 0.035, 0.91, 0.965, HOUSING)
        for name, v in (('green', 0.19), ('amber', 0.5), ('red', 0.81)):
            if name == state:
                face.disc(0.5, v, 0.37, 0.148, LAMP_ON[name] * 0.6, shine=0.9)
                face.disc(0.5, v, 0.30, 0.12, LAMP_ON[name], shine=1.0)
            else:
                face.disc(0.5, v, 0.30, 0.12, LAMP_OFF[name])
        return board_parts(face, self.pose, camera, light, encode_label(TRAFFIC_LIGHT, 0))


@dataclass(frozen=True)
class Clutter:
    """A thing of no class: a bin, a barrier, a cabinet, a stall, a heap.

    Attributes:
        pose: its foot.
        body: its faces.
    """

    pose: Pose
    body: Solid
    limit: float = 60.0

    def parts(self, camera: Camera, light: Light, time: float) -> list[Part]:
        """Its faces, far to near, all of them void."""
        return self.body.parts(self.pose, camera, light, UNKNOWN_LABEL)


def make_clutter(rng: np.random.Generator, pose: Pose) -> Clutter:
    """A box of any proportions with painted fields, or several stacked."""
    faces = []
    low, deep, wide = 0.0, rng.uniform(0.2, 1.6), float(np.exp(rng.uniform(-1.4, 1.0)))
    for _ in range(int(rng.integers(1, 4))):
        high = low + float(np.exp(rng.uniform(-1.6, 0.7)))
        colour = rgb(*rng.uniform(10, 240, 3))
        if rng.random() < 0.5:
            colour = rgb(1, 1, 1) * rng.uniform(20, 220)
        inset = rng.uniform(0, 0.3) * wide / 2
        box = box_faces(wide, low, high, -deep / 2, deep / 2, colour, layer=0, inset=inset)
        for face in box.values():
            for _ in range(int(rng.integers(0, 4))):
                (u0, u1), (v0, v1) = np.sort(rng.random((2, 2)), axis=1)
                face.rectangle(u0, v0, u1, v1, rgb(*rng.uniform(10, 245, 3)))
        faces += list(box.values())
        low, wide, deep = high, wide * rng.uniform(0.5, 1.1), deep * rng.uniform(0.6, 1.0)
    return Clutter(pose, Solid(faces, deep, wide, low))


@dataclass(frozen=True)
class Sign:
    """One or two traffic signs on a post.

    Attributes:
        pose: its foot.
        kinds: names out of SIGNS, the upper one first.
        radius: half the size of a plate [m].
        colour: BGR of the post.
    """

    pose: Pose
    kinds: tuple[str, ...]
    radius: float
    colour: np.ndarray
    limit: float = 34.0

    def parts(self, camera: Camera, light: Light, time: float) -> list[Part]:
        """Post first, then the plates in front of it."""
        y = 2.25 + self.radius + (2.1 * self.radius if len(self.kinds) > 1 else 0)
        limbs = [Limb((0, 0, 0), (0, y + 0.2, 0), 0.10, 0.10, self.colour)]
        parts = far_to_near(limb_parts(limbs, self.pose, camera, light, encode_label(POLE, 0)))
        for kind in self.kinds:
            for face in plate(kind, y, self.radius):
                parts += board_parts(face, self.pose, camera, light, encode_label(TRAFFIC_SIGN, 0))
            y -= 2.1 * self.radius
        return parts


def board_parts(face: Face, pose: Pose, camera: Camera, light: Light, label: int) -> list[Part]:
    """A board that looks at the traffic."""
    eye = np.array([camera.x, camera.y, camera.s])
    normal = pose.turn(face.normal)
    if np.dot(normal, eye - pose.to_street(face.points[0])) <= 0:
        return []
    points = camera.to_camera(pose.to_street(face.points))
    if points[:, 2].min() < 1.0:
        return []
    depth = float(points[:, 2].mean())
    factor = 0.4 * light.factor(normal) + 0.6  # retro-reflecting plates are never dark
    parts = [Part(camera.to_image(points), light.seen(face.colour, factor, depth), label)]
    for own, colour, shine in face.details:
        seen = camera.to_image(camera.to_camera(pose.to_street(own)))
        parts.append(Part(seen, light.seen(colour, factor * (1 - shine) + shine, depth), None))
    return parts


def _polygon(y: float, radius: float, corners: int, turn: float, colour: np.ndarray) -> Face:
    """A regular plate that looks backwards (towards -z), with ratio coordinates around it."""
    angle = turn + np.arange(corners) * (2 * np.pi / corners)
    around = np.stack([np.cos(angle), np.sin(angle), np.zeros(corners)], -1)
    return Face(radius * around + np.array([0.0, y, -0.14]), colour)


def _painted(
    face: Face, y: float, radius: float, corners: int, turn: float, colour: np.ndarray
) -> None:
    """Paints a smaller regular polygon on a plate."""
    face.details.append((_polygon(y, radius, corners, turn, colour).points, colour, 0.0))


def _bar(
    face: Face, y: float, x0: float, y0: float, x1: float, y1: float, colour: np.ndarray
) -> None:
    """Paints a rectangle on a plate, metres from its centre."""
    points = np.array(
        [(x0, y + y0, -0.14), (x1, y + y0, -0.14), (x1, y + y1, -0.14), (x0, y + y1, -0.14)]
    )
    face.details.append((points, colour, 0.0))


def plate(kind: str, y: float, radius: float) -> list[Face]:
    """A sign's plate around height y [m]."""
    r, half_turn = radius, np.pi / 2
    if kind in ('limit', 'no_entry', 'arrow'):
        rim = RED if kind != 'arrow' else BLUE
        face = _polygon(y, r, 20, 0, rim)
        if kind == 'limit':
            _painted(face, y, r * 0.74, 20, 0, WHITE)
            _bar(face, y, -0.42 * r, -0.32 * r, -0.1 * r, 0.32 * r, BLACK)
            _bar(face, y, 0.08 * r, -0.32 * r, 0.42 * r, 0.32 * r, BLACK)
        elif kind == 'no_entry':
            _bar(face, y, -0.68 * r, -0.18 * r, 0.68 * r, 0.18 * r, WHITE)
        else:
            _bar(face, y, -0.1 * r, -0.6 * r, 0.1 * r, 0.2 * r, WHITE)
            _painted(face, y + 0.3 * r, 0.42 * r, 3, half_turn, WHITE)
    elif kind in ('warning', 'give_way'):
        turn = half_turn if kind == 'warning' else -half_turn
        face = _polygon(y - 0.1 * r, r * 1.2, 3, turn, RED)
        _painted(face, y - 0.1 * r, r * 0.78, 3, turn, WHITE)
        if kind == 'warning':
            _bar(face, y, -0.09 * r, -0.3 * r, 0.09 * r, 0.28 * r, BLACK)
    elif kind == 'stop':
        face = _polygon(y, r, 8, np.pi / 8, RED)
        _bar(face, y, -0.7 * r, -0.2 * r, 0.7 * r, 0.2 * r, WHITE)
    elif kind == 'priority':
        face = _polygon(y, r * 1.1, 4, half_turn, WHITE)
        _painted(face, y, r * 0.8, 4, half_turn, YELLOW)
    else:
        face = _board(kind, y, r)
    return [_oriented(face)]


def _board(kind: str, y: float, r: float) -> Face:
    """Rectangular signs."""
    wide, colour = {'parking': (1.0, BLUE), 'crossing': (1.0, BLUE), 'direction': (2.1, GREEN)}[
        kind
    ]
    points = np.array(
        [
            (-wide * r, y - r, -0.14),
            (wide * r, y - r, -0.14),
            (wide * r, y + r, -0.14),
            (-wide * r, y + r, -0.14),
        ]
    )
    face = Face(points, WHITE)
    _bar(face, y, -(wide - 0.1) * r, -0.9 * r, (wide - 0.1) * r, 0.9 * r, colour)
    if kind == 'parking':
        _bar(face, y, -0.35 * r, -0.6 * r, -0.1 * r, 0.6 * r, WHITE)
        _bar(face, y, -0.1 * r, 0.0, 0.4 * r, 0.6 * r, WHITE)
        _bar(face, y, -0.05 * r, 0.18 * r, 0.2 * r, 0.42 * r, colour)
    elif kind == 'crossing':
        _painted(face, y, 0.8 * r, 3, np.pi / 2, WHITE)
        _bar(face, y, -0.1 * r, -0.3 * r, 0.1 * r, 0.3 * r, BLACK)
    else:
        for v in (0.3, -0.45):
            _bar(face, y, -1.6 * r, v * r, 0.9 * r, (v + 0.25) * r, WHITE)
        _painted(face, y, 0.4 * r, 3, 0, WHITE)
        shift = face.details.pop()
        face.details.append((shift[0] + np.array([1.4 * r, 0, 0]), WHITE, 0.0))
    return face


def _oriented(face: Face) -> Face:
    """Makes the plate look at traffic that drives along +z."""
    if face.normal[2] > 0:
        face.points = face.points[::-1].copy()
    return face
