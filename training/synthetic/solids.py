# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Things made of flat faces (vehicles, boxes) and of round limbs (people, two-wheelers)."""

from dataclasses import dataclass, field

import numpy as np

from .camera import NEAR, Camera, clip_near
from .canvas import Part
from .light import Light


@dataclass(frozen=True)
class Pose:
    """Where a thing stands.

    Attributes:
        x, y, s: street coordinates of its ground point [m].
        heading: 0 looks along the road, pi towards the camera, pi/2 to the right [rad].
    """

    x: float
    y: float
    s: float
    heading: float = 0.0

    def to_street(self, points: np.ndarray) -> np.ndarray:
        """Own coordinates (right, up, forward) [..., 3] to street coordinates [..., 3]."""
        return self.turn(points) + np.array([self.x, self.y, self.s])

    def turn(self, vectors: np.ndarray) -> np.ndarray:
        """Own directions [..., 3] to street directions [..., 3]."""
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        right, up, forward = vectors[..., 0], vectors[..., 1], vectors[..., 2]
        return np.stack([right * cos + forward * sin, up, forward * cos - right * sin], -1)


@dataclass
class Face:
    """A flat polygon with smaller polygons painted on it.

    Attributes:
        points: float [N, 3], own coordinates.
        colour: BGR.
        layer: drawn after the faces of lower layers.
        details: (points, colour, shine) painted in this order; shine 1 glows by itself.
        double: seen from both sides.
    """

    points: np.ndarray
    colour: np.ndarray
    layer: int = 0
    details: list[tuple[np.ndarray, np.ndarray, float]] = field(default_factory=list)
    double: bool = False

    @property
    def normal(self) -> np.ndarray:
        """Unit normal out of the visible side, own coordinates."""
        # (right, up, forward) is left-handed, hence the swapped operands.
        cross = np.cross(self.points[2] - self.points[0], self.points[1] - self.points[0])
        return cross / np.linalg.norm(cross)

    def at(self, u: np.ndarray | float, v: np.ndarray | float) -> np.ndarray:
        """Points of a four-cornered face: (0, 0) lower left, (1, 1) upper right, from outside."""
        u, v = np.asarray(u, float)[..., None], np.asarray(v, float)[..., None]
        low = self.points[0] + (self.points[1] - self.points[0]) * u
        high = self.points[3] + (self.points[2] - self.points[3]) * u
        return low + (high - low) * v

    def rectangle(self, u0: float, v0: float, u1: float, v1: float, colour: np.ndarray, *,
                  shine: float = 0.0) -> None:
        """Paints a rectangle on the face."""
        points = self.at(np.array([u0, u1, u1, u0]), np.array([v0, v0, v1, v1]))
        self.details.append((points, colour, shine))

    def disc(self, u: float, v: float, radius_u: float, radius_v: float, colour: np.ndarray, *,
             shine: float = 0.0) -> None:
        """Paints an ellipse on the face."""
        angle = np.arange(16) * (2 * np.pi / 16)
        points = self.at(u + radius_u * np.cos(angle), v + radius_v * np.sin(angle))
        self.details.append((points, colour, shine))

    @property
    def size(self) -> tuple[float, float]:
        """Length of the lower and of the left edge [m]."""
        return (float(np.linalg.norm(self.points[1] - self.points[0])),
                float(np.linalg.norm(self.points[3] - self.points[0])))


@dataclass
class Solid:
    """Flat faces of one thing; see :class:`Face`."""

    faces: list[Face]
    length: float
    width: float
    height: float

    def parts(self, pose: Pose, camera: Camera, light: Light, label: int) -> list[Part]:
        """Everything of the solid that the camera sees, far to near."""
        eye = np.array([camera.x, camera.y, camera.s])
        seen = []
        for face in self.faces:
            normal = pose.turn(face.normal)
            corners = pose.to_street(face.points)
            towards = float(np.dot(normal, eye - self._unbent(corners[0], camera)))
            if towards <= 0:
                if not face.double:
                    continue
                normal = -normal
            points = camera.to_camera(corners)
            seen.append((face.layer, -float(points[:, 2].mean()), len(seen), face, normal, points))
        seen.sort(key=lambda item: item[:3])
        return [part for _, depth, _, face, normal, points in seen
                for part in _face_parts(face, normal, points, -depth, pose, camera, light, label)]

    @staticmethod
    def _unbent(point: np.ndarray, camera: Camera) -> np.ndarray:
        """A street point where the bend of the road puts it, in straight coordinates."""
        ahead = point[2] - camera.s
        return point + np.array([0.5 * camera.curvature * ahead * ahead, 0, 0])


def _face_parts(face: Face, normal: np.ndarray, points: np.ndarray, depth: float, pose: Pose,
                camera: Camera, light: Light, label: int) -> list[Part]:
    """A face and what is painted on it, projected and coloured."""
    factor = light.factor(normal)
    polygon = clip_near(points)
    if len(polygon) < 3:
        return []
    parts = [Part(camera.to_image(polygon), light.seen(face.colour, factor, depth), label)]
    if not face.details:
        return parts
    stacked = camera.to_camera(pose.to_street(np.concatenate([d[0] for d in face.details])))
    start = 0
    for own, colour, shine in face.details:
        polygon = clip_near(stacked[start:start + len(own)])
        start += len(own)
        if len(polygon) >= 3:
            lit = light.seen(colour, factor * (1 - shine) + shine, depth)
            parts.append(Part(camera.to_image(polygon), lit, None))
    return parts


def quad(lower_left: tuple[float, ...], lower_right: tuple[float, ...],
         upper_right: tuple[float, ...], upper_left: tuple[float, ...], colour: np.ndarray, *,
         layer: int = 0) -> Face:
    """A four-cornered face; corners as seen from outside, own coordinates (right, up, forward)."""
    return Face(np.array([lower_left, lower_right, upper_right, upper_left], float), colour, layer)


def box_faces(width: float, y0: float, y1: float, z0: float, z1: float, colour: np.ndarray, *,
              layer: int = 0, top_colour: np.ndarray | None = None,
              inset: float = 0.0) -> dict[str, Face]:
    """The rear, front, left, right and top faces of an upright box.

    Args:
        width: full width [m].
        y0, y1: lower and upper edge [m]; z0, z1: rear and front end [m].
        inset: how much narrower each side is at the top [m].
    """
    a, b = width / 2, width / 2 - inset
    return {
        'rear': quad((-a, y0, z0), (a, y0, z0), (b, y1, z0), (-b, y1, z0), colour, layer=layer),
        'front': quad((a, y0, z1), (-a, y0, z1), (-b, y1, z1), (b, y1, z1), colour, layer=layer),
        'left': quad((-a, y0, z1), (-a, y0, z0), (-b, y1, z0), (-b, y1, z1), colour, layer=layer),
        'right': quad((a, y0, z0), (a, y0, z1), (b, y1, z1), (b, y1, z0), colour, layer=layer),
        'top': quad((-b, y1, z0), (b, y1, z0), (b, y1, z1), (-b, y1, z1),
                    colour if top_colour is None else top_colour, layer=layer),
    }


@dataclass(frozen=True)
class Limb:
    """A rounded, tapered piece between two points.

    Attributes:
        start, end: own coordinates [m].
        start_radius, end_radius: [m].
        colour: BGR.
        bias: moved towards the viewer in the drawing order [m].
        shine: 1 glows by itself.
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    start_radius: float
    end_radius: float
    colour: np.ndarray
    bias: float = 0.0
    shine: float = 0.0


_ARC = np.linspace(-np.pi / 2, np.pi / 2, 7)


def limb_parts(limbs: list[Limb], pose: Pose, camera: Camera, light: Light, label: int
               ) -> list[tuple[float, Part]]:
    """Projects limbs to rounded polygons, each with its depth [m]; not yet sorted."""
    ends = np.array([[limb.start, limb.end] for limb in limbs], float)
    radii = np.array([[limb.start_radius, limb.end_radius] for limb in limbs])
    points = camera.to_camera(pose.to_street(ends))
    if points[..., 2].min() < 2 * NEAR:
        return []
    image = camera.to_image(points)
    thick = np.maximum(radii * camera.focal / points[..., 2], 0.7)
    delta = image[:, 1] - image[:, 0]
    angle = np.arctan2(delta[:, 1], delta[:, 0])
    forward = angle[:, None] + _ARC[None, :]
    tip = image[:, 1, None] + thick[:, 1, None, None] * np.stack([np.cos(forward),
                                                                 np.sin(forward)], -1)
    tail = image[:, 0, None] - thick[:, 0, None, None] * np.stack([np.cos(forward),
                                                                  np.sin(forward)], -1)
    outline = np.concatenate([tip, tail], 1)
    parts = []
    side = np.array([1.0, -0.5])  # towards the upper right or upper left of the picture
    side[0] *= np.sign(sun_side(light, camera)) or 1.0
    base = light.ambient + light.sun * 0.35
    bright = light.ambient * 1.04 + light.sun * 0.75
    for index, limb in enumerate(limbs):
        depth = float(points[index, :, 2].mean()) - limb.bias
        colour = light.seen(limb.colour, base * (1 - limb.shine) + limb.shine, depth)
        parts.append((depth, Part(outline[index], colour, label)))
        if thick[index].min() > 2.2 and not limb.shine:
            middle = image[index].mean(0)
            inner = middle + (outline[index] - middle) * np.array([0.62, 0.9])
            inner = inner + side * thick[index].mean() * 0.28
            lit = light.seen(limb.colour, bright, depth)
            parts.append((depth - 1e-4, Part(inner, lit, None)))
    return parts


def sun_side(light: Light, camera: Camera) -> float:
    """Whether the sun stands to the right (positive) or left (negative) in the picture."""
    return float(light.to_sun[0] * np.cos(camera.yaw) - light.to_sun[2] * np.sin(camera.yaw))


def disc_outline(centre: tuple[float, float, float], radius: float, axis: tuple[float, float]
                 ) -> np.ndarray:
    """A circle standing upright; float [20, 3] own coordinates.

    Args:
        axis: horizontal direction (right, forward) lying in the circle's plane.
    """
    angle = np.arange(20) * (2 * np.pi / 20)
    along = radius * np.cos(angle)
    return np.stack([centre[0] + along * axis[0], centre[1] + radius * np.sin(angle),
                     centre[2] + along * axis[1]], -1)
