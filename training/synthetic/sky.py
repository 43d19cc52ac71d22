# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sky: a gradient, a glow around the sun, and clouds."""

from dataclasses import dataclass

import cv2
import numpy as np

from upsnet_ros.core.labels import encode_label

from .camera import Camera
from .classes import SKY
from .light import Light, rgb
from .noise import noise_tile

STEP = 4  # the sky is smooth: it is computed for every fourth pixel and enlarged


@dataclass(frozen=True)
class Sky:
    """Where in the shared cloud picture a world looks, as a share of its width and height."""

    offset_u: float
    offset_v: float

    def paint(self, image: np.ndarray, label: np.ndarray, camera: Camera, light: Light) -> None:
        """Fills the picture down to below the horizon; label SKY."""
        last = min(int(camera.horizon) + 12, camera.height)
        v = camera.horizon - np.arange(0, last, STEP, dtype=np.float32)
        u = np.arange(0, camera.width, STEP, dtype=np.float32) - np.float32(camera.centre_u)
        up = (np.clip(v / camera.horizon, 0, 1) ** 0.75)[:, None, None]
        bottom, top = light.sky_bottom.astype(np.float32), light.sky_top.astype(np.float32)
        colour = bottom * (1 - up) + top * up
        cloud = self._clouds(camera, u, v, light)[..., None]
        white = bottom * 0.45 + np.float32(0.55 * 246)
        colour = colour * (1 - cloud) + white * (1 - 0.05 * cloud) * cloud
        colour += self._glow(camera, u, v, light)
        small = np.clip(colour, 0, 255).astype(np.uint8)
        image[:last] = cv2.resize(small, (camera.width, last))
        image[last:] = light.haze
        label[:] = encode_label(SKY, 0)

    def _clouds(self, camera: Camera, u: np.ndarray, v: np.ndarray, light: Light) -> np.ndarray:
        """Cloud density 0..1, flattened towards the horizon; float32 [len(v), len(u)]."""
        tile = noise_tile('cloud')
        size = tile.shape[0]
        v = np.maximum(v / camera.height, 0.02)
        far = 0.30 / (v + 0.12)
        turn = camera.yaw + 25 * camera.curvature
        map_x = (far[:, None] * (u[None, :] / camera.focal + turn) * 0.20 + self.offset_u) * size
        map_y = np.broadcast_to(((far * 0.5 + self.offset_v) * size)[:, None], map_x.shape)
        noise = cv2.remap(
            tile,
            map_x.astype(np.float32),
            map_y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        density = np.clip((noise - 1.6 + 2.9 * light.cloud_cover) * 0.55, 0, 1)
        return density * np.clip(v * 9, 0.25, 0.85)[:, None]

    @staticmethod
    def _glow(camera: Camera, u: np.ndarray, v: np.ndarray, light: Light) -> np.ndarray:
        """Brightness around the sun, if it stands in front; float32 [len(v), len(u), 3]."""
        if light.to_sun[2] <= 0.1:
            return np.zeros((1, 1, 3), np.float32)
        right, above = light.to_sun[:2] / light.to_sun[2]
        across = np.exp(-9 * ((u - camera.focal * (right - camera.yaw)) / camera.width) ** 2)
        upward = np.exp(-9 * ((v - camera.focal * above) / camera.width) ** 2)
        strength = {'clear': 34, 'overcast': 6, 'hazy': 30, 'evening': 46}[light.weather]
        colour = rgb(1.0, 0.92, 0.76) * strength
        return np.outer(upward, across)[..., None].astype(np.float32) * colour.astype(np.float32)
