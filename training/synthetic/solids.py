# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Things made of flat faces (vehicles, boxes) and of round limbs (people, two-wheelers)."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .camera import NEAR, Camera, clip_near
from .canvas import Part
from .light import Light

_CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)])


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
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        right, up, forward = vectors[..., 0], vectors[..., 1], vectors[..., 2]
        turned = np.empty(vectors.shape)
        turned[..., 0] = right * cos + forward * sin
        turned[..., 1] = up
        turned[..., 2] = forward * cos - right * sin
        return turned


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
        return _unit_normals(self.points[None, :3])[0]

    def at(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Points of a four-cornered face: (0, 0) lower left, (1, 1) upper right, from outside."""
        weights = np.array([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v])
        return weights.T @ self.points

    def rectangle(
        self, u0: float, v0: float, u1: float, v1: float, colour: np.ndarray, *, shine: float = 0.0
    ) -> None:
        """Paints a rectangle on the face."""
        points = self.at(np.array([u0, u1, u1, u0]), np.array([v0, v0, v1, v1]))
        self.details.append((points, colour, shine))

    def disc(
        self,
        u: float,
        v: float,
        radius_u: float,
        radius_v: float,
        colour: np.ndarray,
        *,
        shine: float = 0.0,
    ) -> None:
        """Paints an ellipse on the face."""
        points = self.at(u + radius_u * _CIRCLE[0], v + radius_v * _CIRCLE[1])
        self.details.append((points, colour, shine))

    @property
    def size(self) -> tuple[float, float]:
        """Length of the lower and of the left edge [m]."""
        return (
            float(np.linalg.norm(self.points[1] - self.points[0])),
            float(np.linalg.norm(self.points[3] - self.points[0])),
        )


@dataclass
class Solid:
    """Flat faces of one thing; see :class:`Face`."""

    faces: list[Face]
    length: float
    width: float
    height: float

    @cached_property
    def _normals(self) -> np.ndarray:
        """Normals of the faces, float [F, 3]."""
        corners = np.array([face.points[:3] for face in self.faces])
        return _unit_normals(corners)

    @cached_property
    def _vertices(self) -> tuple[np.ndarray, list[int]]:
        """All polygons (each face, then its details) in one array, and where each begins."""
        polygons = [
            polygon
            for face in self.faces
            for polygon in (face.points, *(detail[0] for detail in face.details))
        ]
        starts = np.cumsum([0] + [len(polygon) for polygon in polygons]).tolist()
        return np.concatenate(polygons), starts

    def parts(self, pose: Pose, camera: Camera, light: Light, label: int) -> list[Part]:
        """Everything of the solid that the camera sees, far to near."""
        vertices, starts = self._vertices
        street = pose.to_street(vertices)
        points = camera.to_camera(street)
        image = camera.to_image(np.maximum(points, [-np.inf, -np.inf, NEAR]))
        cut = points[:, 2].min() < NEAR
        normals = pose.turn(self._normals)
        seen = []
        index = 0
        for face, normal in zip(self.faces, normals, strict=True):
            start, end = starts[index], starts[index + 1]
            towards = _facing(normal, street[start], camera)
            if towards > 0 or face.double:
                depth = float(points[start:end, 2].sum()) / (end - start)
                seen.append((face.layer, -depth, index, face, normal if towards > 0 else -normal))
            index += 1 + len(face.details)
        seen.sort(key=lambda item: item[:3])
        parts = []
        for _, depth, index, face, normal in seen:
            factor = light.factor(normal)
            paints = [(face.colour, 0.0), *(detail[1:] for detail in face.details)]
            for offset, (colour, shine) in enumerate(paints):
                span = slice(starts[index + offset], starts[index + offset + 1])
                polygon = camera.to_image(clip_near(points[span])) if cut else image[span]
                if len(polygon) >= 3:
                    lit = light.seen(colour, factor * (1 - shine) + shine, -depth)
                    parts.append(Part(polygon, lit, None if offset else label))
        return parts


def _unit_normals(corners: np.ndarray) -> np.ndarray:
    """Outward unit normals of faces from their first three corners, [F, 3, 3] to [F, 3]."""
    # (right, up, forward) is left-handed, hence the order of the operands.
    cross = np.cross(corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 0])
    return cross / np.linalg.norm(cross, axis=1, keepdims=True)


def _facing(normal: np.ndarray, point: np.ndarray, camera: Camera) -> float:
    """Positive where a surface at a street point turns its outside to the camera."""
    ahead = point[2] - camera.s
    bent = point[0] + 0.5 * camera.curvature * ahead * ahead
    return float(
        normal[0] * (camera.x - bent) + normal[1] * (camera.y - point[1]) - normal[2] * ahead
    )


def quad(
    lower_left: tuple[float, ...],
    lower_right: tuple[float, ...],
    upper_right: tuple[float, ...],
    upper_left: tuple[float, ...],
    colour: np.ndarray,
    *,
    layer: int = 0,
) -> Face:
    """A four-cornered face; corners as seen from outside, own coordinates (right, up, forward)."""
    return Face(np.array([lower_left, lower_right, upper_right, upper_left], float), colour, layer)


def box_faces(
    width: float,
    y0: float,
    y1: float,
    z0: float,
    z1: float,
    colour: np.ndarray,
    *,
    layer: int = 0,
    top_colour: np.ndarray | None = None,
    inset: float = 0.0,
) -> dict[str, Face]:
    """The rear, front, left, right and top faces of an upright box.

    Args:
        width: full width [m].
        y0: lower edge [m].
        y1: upper edge [m].
        z0: rear end [m].
        z1: front end [m].
        colour: BGR.
        layer: of the faces.
        top_colour: BGR of the top, if it differs.
        inset: how much narrower each side is at the top [m].
    """
    a, b = width / 2, width / 2 - inset
    return {
        'rear': quad((-a, y0, z0), (a, y0, z0), (b, y1, z0), (-b, y1, z0), colour, layer=layer),
        'front': quad((a, y0, z1), (-a, y0, z1), (-b, y1, z1), (b, y1, z1), colour, layer=layer),
        'left': quad((-a, y0, z1), (-a, y0, z0), (-b, y1, z0), (-b, y1, z1), colour, layer=layer),
        'right': quad((a, y0, z0), (a, y0, z1), (b, y1, z1), (b, y1, z0), colour, layer=layer),
        'top': quad(
            (-b, y1, z0),
            (b, y1, z0),
            (b, y1, z1),
            (-b, y1, z1),
            colour if top_colour is None else top_colour,
            layer=layer,
        ),
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


def limb_parts(
    limbs: list[Limb], pose: Pose, camera: Camera, light: Light, label: int
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
    arc = np.stack([np.cos(forward), np.sin(forward)], -1)
    tip = image[:, 1, None] + thick[:, 1, None, None] * arc
    tail = image[:, 0, None] - thick[:, 0, None, None] * arc
    outline = np.concatenate([tip, tail], 1)
    depths = points[..., 2].mean(1).tolist()
    slim, mean_thick = thick.min(1).tolist(), thick.mean(1)
    middle = image.mean(1)[:, None]
    inner = middle + (outline - middle) * np.array([0.62, 0.9])
    parts = []
    side = np.array([1.0, -0.5])  # towards the upper right or upper left of the picture
    side[0] *= np.sign(sun_side(light, camera)) or 1.0
    inner += side * (0.28 * mean_thick)[:, None, None]
    base = light.ambient + light.sun * 0.35
    bright = light.ambient * 1.04 + light.sun * 0.75
    for index, limb in enumerate(limbs):
        depth = depths[index] - limb.bias
        colour = light.seen(limb.colour, base * (1 - limb.shine) + limb.shine, depth)
        parts.append((depth, Part(outline[index], colour, label)))
        if slim[index] > 2.2 and not limb.shine:
            lit = light.seen(limb.colour, bright, depth)
            parts.append((depth - 1e-4, Part(inner[index], lit, None)))
    return parts


def sun_side(light: Light, camera: Camera) -> float:
    """Whether the sun stands to the right (positive) or left (negative) in the picture."""
    return float(light.to_sun[0] * np.cos(camera.yaw) - light.to_sun[2] * np.sin(camera.yaw))


def disc_outline(
    centre: tuple[float, float, float], radius: float, axis: tuple[float, float]
) -> np.ndarray:
    """A circle standing upright; float [20, 3] own coordinates.

    Args:
        centre: own coordinates [m].
        radius: [m].
        axis: horizontal direction (right, forward) lying in the circle's plane.
    """
    angle = np.arange(20) * (2 * np.pi / 20)
    along = radius * np.cos(angle)
    return np.stack(
        [
            centre[0] + along * axis[0],
            centre[1] + radius * np.sin(angle),
            centre[2] + along * axis[1],
        ],
        -1,
    )
