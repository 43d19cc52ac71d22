# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What lens and sensor do to the picture."""

from functools import lru_cache

import cv2
import numpy as np

from .camera import Camera
from .light import Light

_GRAIN_SCALE = 24  # levels of the stored noise per standard deviation
_SPARE = 256  # the stored noise is this much larger than a picture, to start anywhere in it [px]


@lru_cache(maxsize=8)
def _grain(height: int, width: int) -> np.ndarray:
    """Noise around 128; uint8 [height + 256, width + 256, 3], the same in every process."""
    rng = np.random.default_rng(5)
    noise: np.ndarray = rng.standard_normal((height + _SPARE, width + _SPARE, 3), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (3, 3), 0.4)
    return np.clip(128 + _GRAIN_SCALE * noise / noise.std(), 0, 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _vignette(height: int, width: int) -> np.ndarray:
    """Darker corners; float32 [height, width, 3]."""
    y = (np.arange(height) - (height - 1) / 2) / (width / 2)
    x = (np.arange(width) - (width - 1) / 2) / (width / 2)
    fall = 1 - 0.16 * (x[None, :] ** 2 + y[:, None] ** 2)
    return np.repeat(fall[..., None], 3, 2).astype(np.float32)


def expose(
    image: np.ndarray,
    camera: Camera,
    light: Light,
    rng: np.random.Generator,
    *,
    speed: float,
    gain: float,
) -> np.ndarray:
    """Motion blur, lens softness, vignette, exposure and noise.

    Args:
        image: uint8 [H, W, 3] BGR, not altered.
        camera: where it heads.
        light: its exposure.
        rng: decides the noise.
        speed: of the camera [m/s]; blur grows outwards from where it is heading.
        gain: sensor gain, the standard deviation of the noise [levels].

    Returns:
        uint8 [H, W, 3] BGR.
    """
    height, width = image.shape[:2]
    blurred = image
    stretch = 1 + 0.0009 * speed
    for zoom in (stretch, stretch**0.5):
        centre = np.array([camera.centre_u, camera.horizon])
        warp = np.column_stack([np.eye(2) * zoom, centre * (1 - zoom)])
        moved = cv2.warpAffine(
            blurred, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        blurred = cv2.addWeighted(blurred, 0.5, moved, 0.5, 0)
    blurred = cv2.GaussianBlur(blurred, (3, 3), 0.45)
    lit = cv2.multiply(blurred, _vignette(height, width), scale=light.exposure, dtype=cv2.CV_8U)
    row, column = rng.integers(_SPARE, size=2)
    grain = _grain(height, width)[row : row + height, column : column + width]
    return cv2.addWeighted(lit, 1.0, grain, gain / _GRAIN_SCALE, -128 * gain / _GRAIN_SCALE)
