# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bicycles and motorcycles, with or without a rider."""

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import NEAR, Camera
from .canvas import Part
from .cars import HEAD_LIGHT, PLATE, RIM, RUBBER, TAIL_LIGHT, TRIM
from .light import Light, rgb
from .people import Outfit, rider_limbs
from .solids import Limb, Pose, disc_outline, limb_parts

FRAMES = (
    rgb(30, 32, 36),
    rgb(190, 34, 36),
    rgb(30, 80, 160),
    rgb(40, 130, 80),
    rgb(230, 226, 214),
    rgb(226, 130, 30),
    rgb(60, 170, 190),
    rgb(150, 150, 156),
)
TANKS = (
    rgb(180, 24, 28),
    rgb(24, 60, 140),
    rgb(30, 32, 36),
    rgb(226, 120, 24),
    rgb(40, 120, 70),
    rgb(222, 220, 214),
    rgb(220, 180, 30),
)
LEATHER = rgb(58, 40, 30)


@dataclass(frozen=True)
class Bicycle:
    """A bicycle standing at the origin, forward is +z.

    Attributes:
        frame: BGR colour.
        basket: a basket in front.
        panniers: bags beside the rear wheel.
    """

    frame: np.ndarray
    basket: bool
    panniers: bool

    def parts(
        self, pose: Pose, camera: Camera, light: Light, label: int
    ) -> list[tuple[float, Part]]:
        """Its pieces with their depths [m]; the wheels count whole, spokes and gaps included."""
        wheels = [((0.0, 0.35, -0.54), 0.35), ((0.0, 0.35, 0.54), 0.35)]
        pieces = []
        for centre, radius in wheels:
            pieces += _open_wheel(centre, radius, pose, camera, light, label)
        return pieces + limb_parts(self._limbs(), pose, camera, light, label)

    def _limbs(self) -> list[Limb]:
        """Frame tubes, saddle, bars and luggage."""
        frame, dark = self.frame, TRIM
        saddle, crank, head = (0, 0.88, -0.24), (0, 0.32, -0.08), (0, 0.84, 0.36)
        tube = 0.032
        limbs = [
            Limb(saddle, crank, tube, tube, frame),
            Limb(crank, head, tube, tube, frame),
            Limb((0, 0.80, -0.22), head, tube, tube, frame),
            Limb((0, 0.35, -0.54), crank, 0.026, 0.026, frame),
            Limb((0, 0.35, -0.54), (0, 0.80, -0.22), 0.022, 0.022, frame),
            Limb((0, 0.35, 0.54), (0, 1.0, 0.33), 0.03, 0.03, frame),
            Limb((0, 0.95, -0.34), (0, 0.97, -0.12), 0.07, 0.045, dark, 0.02),
            Limb((-0.28, 1.04, 0.30), (0.28, 1.04, 0.30), 0.03, 0.03, dark),
            Limb((0, 0.32, -0.08), (0, 0.34, -0.08), 0.09, 0.09, dark, 0.02),
            Limb((0, 0.72, -0.62), (0, 0.66, -0.84), 0.045, 0.045, dark),
            Limb((0, 0.62, -0.88), (0, 0.60, -0.88), 0.05, 0.05, TAIL_LIGHT, 0.05, 0.4),
        ]
        if self.basket:
            limbs.append(Limb((-0.1, 0.86, 0.56), (0.1, 0.86, 0.56), 0.16, 0.16, LEATHER * 1.8))
        if self.panniers:
            limbs += [
                Limb((side * 0.14, 0.66, -0.6), (side * 0.14, 0.46, -0.6), 0.12, 0.13, frame * 0.6)
                for side in (-1, 1)
            ]
        return limbs


@dataclass(frozen=True)
class Motorcycle:
    """A motorcycle or a scooter standing at the origin, forward is +z.

    Attributes:
        paint: BGR colour of tank and fairing.
        scooter: a step-through with a leg shield.
        top_case: a box behind the seat.
    """

    paint: np.ndarray
    scooter: bool
    top_case: bool

    def parts(
        self, pose: Pose, camera: Camera, light: Light, label: int
    ) -> list[tuple[float, Part]]:
        """Its pieces with their depths [m]."""
        radius = 0.26 if self.scooter else 0.32
        pieces = []
        for z in (-0.66, 0.68):
            pieces += _closed_wheel((0.0, radius, z), radius, 0.075, pose, camera, light, label)
        limbs = self._scooter_limbs() if self.scooter else self._limbs()
        return pieces + limb_parts(limbs, pose, camera, light, label)

    def _limbs(self) -> list[Limb]:
        """Tank, seat, engine, exhaust, fork and lights."""
        paint, dark = self.paint, TRIM
        limbs = [
            Limb((0, 0.80, 0.02), (0, 0.84, 0.34), 0.17, 0.19, paint, 0.02),
            Limb((0, 0.82, -0.56), (0, 0.80, -0.08), 0.11, 0.14, LEATHER * 0.6, 0.02),
            Limb((0, 0.46, -0.12), (0, 0.48, 0.20), 0.20, 0.20, rgb(90, 92, 96)),
            Limb((0, 0.52, 0.12), (0, 0.70, 0.2), 0.15, 0.14, dark),
            Limb((0.2, 0.34, -0.1), (0.22, 0.42, -0.82), 0.06, 0.075, RIM),
            Limb((0, 0.36, 0.70), (0, 0.92, 0.48), 0.075, 0.08, rgb(120, 122, 126)),
            Limb((0, 0.70, 0.62), (0, 0.62, 0.78), 0.10, 0.07, paint),
            Limb((-0.36, 1.02, 0.40), (0.36, 1.02, 0.40), 0.035, 0.035, dark),
            Limb((0, 0.92, 0.58), (0, 0.96, 0.56), 0.14, 0.13, paint, 0.01),
            Limb((0, 0.92, 0.68), (0, 0.93, 0.68), 0.09, 0.09, HEAD_LIGHT, 0.03, 0.6),
            Limb((0, 0.80, -0.62), (0, 0.70, -0.84), 0.12, 0.07, paint),
            Limb((-0.07, 0.78, -0.82), (0.07, 0.78, -0.82), 0.05, 0.05, TAIL_LIGHT, 0.05, 0.4),
            Limb((-0.07, 0.58, -0.88), (0.07, 0.58, -0.88), 0.07, 0.07, PLATE, 0.05),
        ]
        for side in (-1, 1):
            limbs.append(
                Limb((side * 0.3, 1.02, 0.42), (side * 0.34, 1.2, 0.40), 0.02, 0.06, dark)
            )
        return limbs + self._case()

    def _scooter_limbs(self) -> list[Limb]:
        """Leg shield, floor, tail and seat."""
        paint = self.paint
        limbs = [
            Limb((0, 0.5, -0.64), (0, 0.62, -0.12), 0.23, 0.17, paint),
            Limb((0, 0.78, -0.6), (0, 0.78, -0.1), 0.12, 0.12, LEATHER * 0.7, 0.02),
            Limb((-0.1, 0.28, -0.1), (-0.1, 0.28, 0.36), 0.10, 0.10, paint * 0.8),
            Limb((0.1, 0.28, -0.1), (0.1, 0.28, 0.36), 0.10, 0.10, paint * 0.8),
            Limb((0, 0.36, 0.42), (0, 0.92, 0.40), 0.25, 0.17, paint),
            Limb((0, 0.30, 0.66), (0, 0.52, 0.58), 0.11, 0.12, paint * 0.9),
            Limb((-0.34, 1.02, 0.34), (0.34, 1.02, 0.34), 0.035, 0.035, TRIM),
            Limb((0, 1.0, 0.42), (0, 1.03, 0.42), 0.12, 0.11, paint, 0.01),
            Limb((0, 1.0, 0.52), (0, 1.01, 0.52), 0.07, 0.07, HEAD_LIGHT, 0.03, 0.6),
            Limb((-0.08, 0.66, -0.84), (0.08, 0.66, -0.84), 0.05, 0.05, TAIL_LIGHT, 0.05, 0.4),
            Limb((-0.06, 0.46, -0.86), (0.06, 0.46, -0.86), 0.07, 0.07, PLATE, 0.05),
        ]
        for side in (-1, 1):
            limbs.append(
                Limb((side * 0.28, 1.03, 0.36), (side * 0.32, 1.2, 0.36), 0.02, 0.055, TRIM)
            )
        return limbs + self._case()

    def _case(self) -> list[Limb]:
        """The box behind the seat, if any."""
        if not self.top_case:
            return []
        return [Limb((-0.1, 1.02, -0.72), (0.1, 1.02, -0.72), 0.19, 0.19, self.paint * 0.5, 0.02)]


def make_bicycle(rng: np.random.Generator) -> Bicycle:
    """A random bicycle."""
    frame = FRAMES[rng.integers(len(FRAMES))] * rng.uniform(0.9, 1.1)
    return Bicycle(frame, bool(rng.random() < 0.35), bool(rng.random() < 0.35))


def make_motorcycle(rng: np.random.Generator) -> Motorcycle:
    """A random motorcycle or scooter."""
    paint = TANKS[rng.integers(len(TANKS))] * rng.uniform(0.9, 1.1)
    return Motorcycle(paint, bool(rng.random() < 0.4), bool(rng.random() < 0.3))


def ride_parts(
    vehicle: Bicycle | Motorcycle,
    outfit: Outfit,
    phase: float,
    pose: Pose,
    camera: Camera,
    light: Light,
    labels: tuple[int, int],
) -> list[Part]:
    """A two-wheeler (labels[0]) and who rides it (labels[1]), far to near."""
    pieces = vehicle.parts(pose, camera, light, labels[0])
    limbs = rider_limbs(outfit, phase, motorcycle=isinstance(vehicle, Motorcycle))
    pieces += limb_parts(limbs, pose, camera, light, labels[1])
    return far_to_near(pieces)


def far_to_near(pieces: list[tuple[float, Part]]) -> list[Part]:
    """Sorts pieces by depth for painting."""
    return [part for _, part in sorted(pieces, key=lambda piece: -piece[0])]


def _project(points: np.ndarray, pose: Pose, camera: Camera) -> tuple[np.ndarray, float] | None:
    """Own points to image points and their mean depth; None where too close."""
    seen = camera.to_camera(pose.to_street(points))
    if seen[:, 2].min() < 2 * NEAR:
        return None
    return camera.to_image(seen), float(seen[:, 2].mean())


def _open_wheel(
    centre: tuple[float, float, float],
    radius: float,
    pose: Pose,
    camera: Camera,
    light: Light,
    label: int,
) -> list[tuple[float, Part]]:
    """A spoked wheel one can look through; its label is the whole disc."""
    projected = _project(disc_outline(centre, radius, (0, 1)), pose, camera)
    if projected is None:
        return []
    outline, depth = projected
    scale = camera.focal / depth
    ring = light.seen(RUBBER, light.ambient + light.sun * 0.3, depth)
    metal = light.seen(RIM, light.ambient + light.sun * 0.3, depth)
    pieces = [
        (depth + 0.02, Part(outline, None, label)),
        (depth + 0.01, Part(outline, ring, label, max(2, round(0.075 * scale)))),
    ]
    if scale > 40:
        for index in range(0, 10, 2):
            spoke = outline[[index, index + 10]]
            pieces.append((depth + 0.015, Part(spoke, metal, None, 1)))
    return pieces


def _closed_wheel(
    centre: tuple[float, float, float],
    radius: float,
    half_width: float,
    pose: Pose,
    camera: Camera,
    light: Light,
    label: int,
) -> list[tuple[float, Part]]:
    """A broad tyre with a rim, as two discs and what lies between them."""
    x, y, z = centre
    outlines = []
    for side in (-half_width, half_width):
        projected = _project(disc_outline((x + side, y, z), radius, (0, 1)), pose, camera)
        if projected is None:
            return []
        outlines.append(projected)
    outlines.sort(key=lambda item: -item[1])
    factor = light.ambient + light.sun * 0.3
    depth = outlines[1][1]
    tyre = light.seen(RUBBER, factor, depth)
    tread = np.concatenate([outlines[0][0], outlines[1][0]])
    hull = _hull(tread)
    near = outlines[1][0]
    rim = near.mean(0) + (near - near.mean(0)) * 0.58
    hub = near.mean(0) + (near - near.mean(0)) * 0.3
    return [
        (depth + 0.02, Part(hull, tyre, label)),
        (depth + 0.01, Part(rim, light.seen(RIM, factor, depth), None)),
        (depth + 0.005, Part(hub, light.seen(TRIM, factor, depth), None)),
    ]


def _hull(points: np.ndarray) -> np.ndarray:
    """Convex hull, float [N, 2]."""
    return cv2.convexHull(points.astype(np.float32))[:, 0, :]
