# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera and the coordinates of the street.

Street coordinates: x to the right of the road's centre line, y up from the road, s along it [m].
Camera coordinates: x right, y up, z forward [m]. Image coordinates: u right, v down [px], the
centre of the first pixel at (0, 0).
"""

import math
from dataclasses import dataclass

import numpy as np

NEAR = 0.4  # nothing closer than this is drawn [m]
FOCAL_PER_WIDTH = 0.80
HORIZON = 0.45  # share of the image height above a level camera's horizon


@dataclass(frozen=True)
class Camera:
    """A camera at one moment.

    Attributes:
        width, height: image size [px].
        x, y, s: position in street coordinates [m].
        yaw: turn to the right [rad].
        pitch: turn upwards [rad]; small, treated as a shift of the horizon.
        curvature: bend of the road ahead [1/m], positive to the right.
        focal_per_width: focal length as a share of the image width.
        horizon_share: share of the image height above a level camera's horizon.
    """

    width: int
    height: int
    x: float
    y: float
    s: float
    yaw: float = 0.0
    pitch: float = 0.0
    curvature: float = 0.0
    focal_per_width: float = FOCAL_PER_WIDTH
    horizon_share: float = HORIZON

    @property
    def focal(self) -> float:
        """Focal length [px]."""
        return self.focal_per_width * self.width

    @property
    def centre_u(self) -> float:
        """Column of the optical axis [px]."""
        return (self.width - 1) / 2

    @property
    def horizon(self) -> float:
        """Row of the horizon [px]."""
        return self.horizon_share * self.height + self.focal * math.tan(self.pitch)

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Street coordinates [..., 3] to camera coordinates [..., 3], both (x, y, s or z) in m."""
        ahead = points[..., 2] - self.s
        x = points[..., 0] - self.x + 0.5 * self.curvature * ahead * ahead
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        seen = np.empty(points.shape)
        seen[..., 0] = x * cos - ahead * sin
        seen[..., 1] = points[..., 1] - self.y
        seen[..., 2] = x * sin + ahead * cos
        return seen

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Camera coordinates [..., 3] with z >= NEAR to image coordinates [..., 2] in px."""
        scale = self.focal / points[..., 2]
        image = np.empty((*points.shape[:-1], 2))
        image[..., 0] = self.centre_u + points[..., 0] * scale
        image[..., 1] = self.horizon - points[..., 1] * scale
        return image

    def ground_hits(self, rows: np.ndarray, plane_height: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the rays of whole image rows meet a horizontal plane.

        Args:
            rows: float [R], image rows below the horizon [px].
            plane_height: height of the plane above the road [m].

        Returns:
            x, s: float32 [R, width], street coordinates of the hits [m].
        """
        z = (self.focal * (self.y - plane_height) / (rows - self.horizon)).astype(np.float32)
        slope = ((np.arange(self.width) - self.centre_u) / self.focal).astype(np.float32)
        x = z[:, None] * slope[None, :]
        cos, sin = np.float32(np.cos(self.yaw)), np.float32(np.sin(self.yaw))
        ahead = z[:, None] * cos - x * sin
        x = x * cos + z[:, None] * sin
        x += np.float32(self.x) - np.float32(0.5 * self.curvature) * ahead * ahead
        return x, ahead + np.float32(self.s)


def clip_near(polygon: np.ndarray) -> np.ndarray:
    """Cuts a polygon at the near plane.

    Args:
        polygon: float [N, 3] in camera coordinates [m].

    Returns:
        float [M, 3], every z >= NEAR; M is 0 where nothing is left.
    """
    inside = polygon[:, 2] >= NEAR
    if inside.all():
        return polygon
    if not inside.any():
        return polygon[:0]
    kept = []
    for here, there, is_in, next_in in zip(
        polygon, np.roll(polygon, -1, 0), inside, np.roll(inside, -1), strict=True
    ):
        if is_in:
            kept.append(here)
        if is_in != next_in:
            kept.append(here + (there - here) * ((NEAR - here[2]) / (there[2] - here[2])))
    return np.array(kept)
