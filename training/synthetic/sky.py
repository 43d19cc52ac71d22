# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sky: a gradient, a glow around the sun, and clouds."""

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Camera
from .classes import SKY, label_value
from .light import Light, rgb
from .noise import noise_tile


@dataclass(frozen=True)
class Sky:
    """Where in the shared cloud picture a world looks, as a share of its width and height."""

    offset_u: float
    offset_v: float

    def paint(self, image: np.ndarray, label: np.ndarray, camera: Camera, light: Light) -> None:
        """Fills the picture down to below the horizon; label SKY."""
        height, width = image.shape[:2]
        last = min(int(camera.horizon) + 12, height)
        up = np.clip((camera.horizon - np.arange(last)) / camera.horizon, 0, 1) ** 0.75
        up = up.astype(np.float32)[:, None, None]
        colour = light.sky_bottom.astype(np.float32) * (1 - up) \
            + light.sky_top.astype(np.float32) * up
        cloud = cv2.resize(self._clouds(camera, last, light), (width, last))[..., None]
        white = light.sky_bottom.astype(np.float32) * 0.45 + np.float32(0.55 * 246)
        under = white * 0.86
        colour = colour * (1 - cloud) + (white * (1 - 0.35 * cloud) + under * 0.35 * cloud) * cloud
        colour += self._glow(camera, last, light)
        image[:last] = np.clip(colour, 0, 255).astype(np.uint8)
        image[last:] = np.clip(light.haze, 0, 255).astype(np.uint8)
        label[:] = label_value(SKY)

    def _clouds(self, camera: Camera, rows: int, light: Light) -> np.ndarray:
        """Cloud density 0..1 at a quarter of the size; flattened towards the horizon."""
        tile = noise_tile('cloud')
        size = tile.shape[0]
        rows_seen = np.arange(0, rows, 4)
        v = np.maximum((camera.horizon - rows_seen) / camera.height, 0.02).astype(np.float32)
        far = 0.30 / (v + 0.12)
        u = (np.arange(0, camera.width, 4) - camera.centre_u) / camera.focal + camera.yaw
        bend = 25 * camera.curvature
        map_x = (far[:, None] * (u[None, :] + bend) * 0.20 + self.offset_u) * size
        map_y = np.broadcast_to(((far * 0.5 + self.offset_v) * size)[:, None], map_x.shape)
        noise = cv2.remap(tile, map_x.astype(np.float32), map_y.astype(np.float32),
                          cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        density = np.clip((noise - 1.6 + 2.9 * light.cloud_cover) * 0.55, 0, 1)
        return density * np.clip(v * 9, 0.25, 0.85)[:, None]

    @staticmethod
    def _glow(camera: Camera, rows: int, light: Light) -> np.ndarray:
        """Brightness around the sun, if it stands in front."""
        if light.to_sun[2] <= 0.1:
            return np.zeros((1, 1, 1), np.float32)
        u = camera.centre_u + camera.focal * (light.to_sun[0] / light.to_sun[2] - camera.yaw)
        v = camera.horizon - camera.focal * light.to_sun[1] / light.to_sun[2]
        away_u = ((np.arange(camera.width) - u) / camera.width) ** 2
        away_v = ((np.arange(rows) - v) / camera.width) ** 2
        glow = np.exp(-(away_u[None, :] + away_v[:, None]) * 9)
        strength = {'clear': 34, 'overcast': 6, 'hazy': 30, 'evening': 46}[light.weather]
        return (glow[..., None] * rgb(1.0, 0.92, 0.76) * strength).astype(np.float32)
