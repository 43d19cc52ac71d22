# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a style makes of a painted frame: its surfaces, and what a camera makes of them."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from upsnet_ros.core.labels import UNKNOWN_LABEL, encode_label

from .camera import Camera
from .classes import ROAD, SKY
from .noise import TILE, noise_tile, wide_noise
from .style import Lens, Style

_KINDS = ('pink', 'fine', 'leaf', 'blotch')
_STRENGTH = 26.0  # levels of the stored grain per standard deviation


@lru_cache(maxsize=1)
def _grain_layers() -> np.ndarray:
    """Noise of four spectra around 128; uint8 [4, 2048, 4608]."""
    return np.stack(
        [np.clip(128 + _STRENGTH * wide_noise(kind), 0, 255).astype(np.uint8) for kind in _KINDS]
    )


def roughen(
    image: np.ndarray, label: np.ndarray, style: Style, rng: np.random.Generator
) -> np.ndarray:
    """Gives each segment a shade and a grain of its own; a wild style, any colour and pattern.

    Args:
        image: uint8 [H, W, 3] BGR.
        label: uint16 [H, W], label image.
        style: how far it goes.
        rng: decides.

    Returns:
        uint8 [H, W, 3] BGR.
    """
    height, width = label.shape
    values = np.unique(label)
    count, spread = len(values), style.segments
    wild = style.kind == 'wild'
    gain = np.exp(rng.normal(0, spread * (0.5 if wild else 1.0), (count, 1)))
    gain = gain * np.exp(rng.normal(0, spread * 0.4, (count, 3)))
    amount = rng.exponential(spread * (40.0 if wild else 26.0), count)
    added = np.zeros((count, 3))
    if not wild:
        amount[values == encode_label(SKY, 0)] *= 0.15  # clouds are painted already
    if wild:  # some segments lose their own picture for a plain colour
        lost = rng.random(count) < 0.6 * spread
        own = rng.uniform(0.0, 0.7, (count, 1))
        gain = np.where(lost[:, None], gain * own, gain)
        added = np.where(lost[:, None], rng.uniform(0, 255, (count, 3)) * (1 - own), 0.0)
        gain = np.where((rng.random(count) < 0.1 * spread)[:, None], -gain, gain)
        added = np.where(gain < 0, 255.0, added)
    rank: np.ndarray = np.zeros(1 << 16, np.uint8)
    rank[values] = np.minimum(np.arange(count), 255)
    ranks = np.take(rank, label)
    row, column = rng.integers(TILE, size=2)
    layer = _grain_layers()[rng.integers(len(_KINDS)), row : row + height, column : column + width]
    strength = amount / _STRENGTH
    grain = cv2.multiply(cv2.LUT(ranks, _table(strength)), layer, dtype=cv2.CV_32F)
    grain = cv2.subtract(grain, cv2.LUT(ranks, _table(128 * strength)))
    each = cv2.merge([ranks] * 3)
    result = cv2.multiply(image, cv2.LUT(each, _table(gain)), dtype=cv2.CV_32F)
    if wild:
        result = cv2.add(result, cv2.LUT(each, _table(added)))
    return cv2.add(result, cv2.merge([grain] * 3), dtype=cv2.CV_8U)


def _table(values: np.ndarray) -> np.ndarray:
    """Values as OpenCV looks them up: float32 [1, 256, C] of [N] or [N, C], N at most 256."""
    table = np.zeros((1, 256, *values.shape[1:]), np.float32)
    table[0, : len(values)] = values[:256]
    return table


def mirror_road(image: np.ndarray, label: np.ndarray, camera: Camera, wet: float) -> None:
    """Lets the road mirror what stands above the horizon, in place."""
    first = min(max(int(camera.horizon), 1), camera.height - 1)
    rows = np.clip(2 * camera.horizon - np.arange(first, camera.height), 0, first).astype(int)
    mirrored = cv2.blur(image[rows], (3, 25))
    road = (label[first:] == encode_label(ROAD, 0)).astype(np.float32) * np.float32(wet)
    share = cv2.merge([road * (0.5 + 0.5 * np.clip(noise_at(road.shape), -1, 1))] * 3)
    region = image[first:]
    mixed = region * (1 - 0.75 * share) + mirrored * (0.75 * share)
    region[:] = mixed.astype(np.uint8)


def noise_at(shape: tuple[int, ...]) -> np.ndarray:
    """Puddles: metre-sized noise over a picture; float32 [H, W]."""
    return cv2.resize(noise_tile('cloud'), (shape[1], shape[0]))


def add_bonnet(
    image: np.ndarray, label: np.ndarray, share: float, rng: np.random.Generator
) -> None:
    """Paints the own car's bonnet over the lower edge, in place; it is of no class."""
    height, width = label.shape
    middle = width * (0.5 + rng.uniform(-0.2, 0.2))
    across = (np.arange(0, width + 8, 8) - middle) / (width * rng.uniform(0.45, 0.8))
    edge = height * (1 - share * np.clip(1 - across**2, 0, 1))
    outline = np.concatenate([
        np.column_stack([np.arange(0, width + 8, 8), edge]), [[width, height + 4], [0, height + 4]]
    ])  # fmt: skip
    points = [np.rint(outline).astype(np.int32)]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, points, 255)
    colour = rng.uniform(5, 120, 3) if rng.random() < 0.8 else rng.uniform(120, 250, 3)
    shine = cv2.blur(image[::-1], (9, 31))
    paint = cv2.addWeighted(shine, 0.35, np.full_like(image, colour.astype(np.uint8)), 0.65, 0)
    cv2.copyTo(paint, mask, image)
    label[mask > 0] = UNKNOWN_LABEL


@lru_cache(maxsize=2)
def _radius(height: int, width: int) -> np.ndarray:
    """Squared distance from the middle, 1 at the left and right edge; float32 [H, W]."""
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / (width / 2)
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / (width / 2)
    return x[None, :] ** 2 + y[:, None] ** 2


def distort(image: np.ndarray, label: np.ndarray, amount: float) -> tuple[np.ndarray, np.ndarray]:
    """Bends straight lines as a lens does, in picture and labels alike."""
    height, width = label.shape
    # What the corners need lies at the edge at most, so that nothing has to be invented.
    most = 1 + (height / width) ** 2
    scale = (1 + amount * _radius(height, width)) / (1 + max(amount, 0) * most)
    middle = (width - 1) / 2, (height - 1) / 2
    map_x = (np.arange(width, dtype=np.float32) - middle[0])[None, :] * scale + middle[0]
    map_y = (np.arange(height, dtype=np.float32) - middle[1])[:, None] * scale + middle[1]
    map_x, map_y = map_x.astype(np.float32), map_y.astype(np.float32)
    border = cv2.BORDER_REPLICATE
    return (
        cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=border),
        cv2.remap(label, map_x, map_y, cv2.INTER_NEAREST, borderMode=border),
    )


def develop(image: np.ndarray, lens: Lens, rng: np.random.Generator) -> np.ndarray:
    """Glare, dirt, vignette, tone curve, blur, noise and compression of a camera.

    Args:
        image: uint8 [H, W, 3] BGR, as the scene is lit.
        lens: how strong each is.
        rng: decides the noise and where the dirt sits.

    Returns:
        uint8 [H, W, 3] BGR.
    """
    height, width = image.shape[:2]
    if lens.glare:
        veil = np.linspace(255 * lens.glare, 60 * lens.glare, height, dtype=np.float32)[:, None]
        image = cv2.add(image, cv2.merge([np.repeat(veil, width, 1)] * 3), dtype=cv2.CV_8U)
    if lens.dirt or lens.vignette:
        light = 1 - lens.vignette * _radius(height, width) / (1 + (height / width) ** 2)
        for _ in range(lens.dirt):
            _smear(light, rng)
        image = cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U)
    blur = lens.blur * width / 1024
    if blur > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    image = cv2.LUT(image, _curve(lens, _exposure_gain(image, lens)))
    if lens.noise > 0.3 or lens.rows:
        image = _noisy(image, lens, rng)
    if lens.jpeg:
        _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, lens.jpeg])
        decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)  # None only for no picture at all
        image = decoded
    return image


def _smear(light: np.ndarray, rng: np.random.Generator) -> None:
    """A soft dark spot on the glass, in place."""
    height, width = light.shape
    u, v = rng.uniform(0, width), rng.uniform(0, height)
    radius = width * rng.uniform(0.01, 0.06)
    y, x = np.ogrid[:height, :width]
    away = ((x - u) ** 2 + (y - v) ** 2) / radius**2
    light *= (1 - rng.uniform(0.1, 0.6) * np.exp(-away)).astype(np.float32)


def _exposure_gain(image: np.ndarray, lens: Lens) -> float:
    """What an automatic exposure makes of the light; it never follows the scene wholly."""
    if not lens.brightness:
        return 1.0
    street = image[image.shape[0] // 3 :: 8, ::8]
    return float((lens.brightness / max(street.mean(), 4.0)) ** 0.75)


def _curve(lens: Lens, gain: float) -> np.ndarray:
    """The tone curve of each channel; uint8 [1, 256, 3]."""
    level = (gain * np.arange(256) / 255.0)[:, None] * np.array(lens.balance)
    level = np.clip(level, 0, 1) ** lens.gamma
    centred = 2 * level - 1
    slope = lens.contrast
    bent = (
        np.sign(centred) * (1 - (1 - np.abs(centred)) ** slope) if slope > 1 else centred * slope
    )
    shown = lens.black + (255 - lens.black) * (0.5 + 0.5 * bent)
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)[None]


def _noisy(image: np.ndarray, lens: Lens, rng: np.random.Generator) -> np.ndarray:
    """Noise of each pixel, coloured or grey, and of whole rows."""
    height, width = image.shape[:2]
    layers = _grain_layers()[1]
    places = rng.integers(TILE, size=(3, 2))
    if rng.random() < 0.4:
        places[1:] = places[0]  # grey noise
    planes = [layers[r : r + height, c : c + width] for r, c in places.tolist()]
    share = lens.noise / _STRENGTH
    result = cv2.addWeighted(image, 1.0, cv2.merge(planes), share, -128 * share)
    if lens.rows:
        rows = rng.normal(0, lens.rows, (height, 1)).astype(np.float32)
        lines = np.repeat(np.repeat(rows, width, 1)[..., None], 3, 2)
        result = cv2.add(result, lines, dtype=cv2.CV_8U)
    return result
