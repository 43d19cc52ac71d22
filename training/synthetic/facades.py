# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of house fronts, gable walls, walls and fences."""

import cv2
import numpy as np

from .canvas import Texture
from .light import rgb
from .noise import noise_patch

PIXELS_PER_METRE = 30
PLASTERS = (
    rgb(214, 196, 160),
    rgb(226, 216, 198),
    rgb(190, 146, 112),
    rgb(176, 110, 84),
    rgb(206, 178, 128),
    rgb(172, 168, 160),
    rgb(196, 170, 160),
    rgb(150, 138, 124),
    rgb(222, 196, 148),
    rgb(140, 92, 74),
    rgb(186, 190, 184),
    rgb(204, 160, 120),
)
SHOPS = (rgb(140, 30, 34), rgb(30, 70, 60), rgb(34, 50, 90), rgb(60, 46, 38), rgb(200, 150, 50))
FRAME_COLOURS = (rgb(236, 234, 228), rgb(92, 70, 52), rgb(70, 76, 80), rgb(222, 214, 196))


def _fill(
    picture: np.ndarray, x0: float, y0: float, x1: float, y1: float, colour: np.ndarray
) -> None:
    """A rectangle in metres, y counted upwards from the lower edge."""
    scale, height = PIXELS_PER_METRE, picture.shape[0]
    cv2.rectangle(
        picture,
        (round(x0 * scale), round(height - y1 * scale)),
        (round(x1 * scale) - 1, round(height - y0 * scale) - 1),
        colour.tolist(),
        -1,
    )


def _shape(width: float, height: float) -> tuple[int, int]:
    """Rows and columns of a picture of this size [m]."""
    return max(round(height * PIXELS_PER_METRE), 8), max(round(width * PIXELS_PER_METRE), 8)


def _surface(
    rng: np.random.Generator,
    width: float,
    height: float,
    base: np.ndarray,
    *,
    rough: float = 0.045,
) -> np.ndarray:
    """An uneven wall, darker near the ground; uint8 [h, w, 3]."""
    rows, columns = _shape(width, height)
    shade = 1 + rough * noise_patch(rng, 'blotch', rows, columns)
    shade += 0.025 * noise_patch(rng, 'fine', rows, columns)
    up = (np.arange(rows)[::-1] / PIXELS_PER_METRE).astype(np.float32)
    shade *= (1 - np.float32(0.25) * np.exp(-up / np.float32(0.7)))[:, None]
    return np.clip(cv2.transform(shade, base[:, None]), 0, 255).astype(np.uint8)


def _darken(region: np.ndarray, factor: float) -> None:
    """Scales a part of a picture in place; the result is cut at 255."""
    np.copyto(region, np.minimum(region * np.float32(factor), 255), casting='unsafe')


def _bricks(picture: np.ndarray, course: float) -> None:
    """Darkens the joints of a brick wall."""
    step = max(round(course * PIXELS_PER_METRE), 3)
    length = step * 3
    for row, top in enumerate(range(0, picture.shape[0], step)):
        _darken(picture[top], 0.78)
        _darken(picture[top : top + step, (row % 2) * length // 2 :: length], 0.8)


def facade(rng: np.random.Generator, *, width: float, floors: int, storey: float) -> Texture:
    """A house front with windows, a door or shops, and cornices."""
    height = floors * storey
    base = PLASTERS[rng.integers(len(PLASTERS))] * rng.uniform(0.82, 1.05)
    picture = _surface(rng, width, height, base)
    if rng.random() < 0.3:
        _bricks(picture, 0.13)
    frame = FRAME_COLOURS[rng.integers(len(FRAME_COLOURS))]
    window_w, window_h = rng.uniform(0.95, 1.5), rng.uniform(1.35, 1.9)
    columns = max(int(width / (window_w + rng.uniform(0.9, 1.5))), 1)
    pitch = width / columns
    shutters = rng.random() < 0.25
    balcony = rng.random() < 0.25
    modern = rng.random() < 0.18
    for floor in range(1, floors):
        low = floor * storey
        if modern:
            _band(picture, rng, width, low + 0.9, low + 2.4, frame)
            continue
        for column in range(columns):
            _window(
                picture,
                rng,
                column * pitch + (pitch - window_w) / 2,
                low + 0.85,
                window_w,
                window_h,
                frame,
                base,
                shutters,
            )
            if balcony and column % 2 and floor < floors:
                x = column * pitch + (pitch - window_w) / 2
                _fill(picture, x - 0.3, low + 0.45, x + window_w + 0.3, low + 1.25, base * 0.62)
                _fill(picture, x - 0.3, low + 1.18, x + window_w + 0.3, low + 1.27, base * 0.4)
        if rng.random() < 0.7:
            _fill(picture, 0, low - 0.06, width, low + 0.1, np.clip(base * 1.16, 0, 250))
    _ground_floor(picture, rng, width, storey, columns, pitch, frame, base)
    _fill(picture, 0, height - 0.35, width, height, np.clip(base * 1.1, 0, 250))
    _fill(picture, 0, height - 0.42, width, height - 0.35, base * 0.6)
    _fill(picture, 0, 0, 0.12, height, base * 0.75)
    return Texture.make(picture)


def _glass(rng: np.random.Generator) -> np.ndarray:
    """Window glass: dark room, reflected sky, or drawn curtain."""
    choice = rng.random()
    if choice < 0.62:
        return rgb(52, 62, 74) * rng.uniform(0.75, 1.2)
    if choice < 0.88:
        return rgb(110, 128, 144) * rng.uniform(0.8, 1.15)
    return rgb(178, 168, 146)


def _window(
    picture: np.ndarray,
    rng: np.random.Generator,
    x: float,
    y: float,
    width: float,
    height: float,
    frame: np.ndarray,
    base: np.ndarray,
    shutters: bool,
) -> None:
    """Frame, two panes, sill, lintel shadow, and perhaps shutters."""
    _fill(picture, x - 0.1, y - 0.1, x + width + 0.1, y + height + 0.1, frame)
    glass = _glass(rng)
    middle = x + width / 2
    for x0, x1 in ((x + 0.04, middle - 0.04), (middle + 0.04, x + width - 0.04)):
        _fill(picture, x0, y + 0.04, x1, y + height - 0.04, glass)
        _fill(picture, x0, y + height * 0.68, x1, y + height * 0.72, frame)
        _fill(picture, x0, y + height - 0.16, x1, y + height - 0.04, glass * 0.6)
    _fill(picture, x - 0.16, y - 0.2, x + width + 0.16, y - 0.08, np.clip(base * 1.2, 0, 250))
    _fill(picture, x - 0.16, y - 0.26, x + width + 0.16, y - 0.2, base * 0.6)
    if shutters:
        colour = rgb(70, 96, 78)
        for x0 in (x - 0.1 - width * 0.42, x + width + 0.1):
            _fill(picture, x0, y - 0.05, x0 + width * 0.42, y + height + 0.05, colour)


def _band(
    picture: np.ndarray,
    rng: np.random.Generator,
    width: float,
    low: float,
    high: float,
    frame: np.ndarray,
) -> None:
    """A ribbon of windows of an office house."""
    _fill(picture, 0.4, low, width - 0.4, high, frame * 0.5)
    for x in np.arange(0.5, width - 1.2, 1.1):
        _fill(picture, x, low + 0.08, x + 1.0, high - 0.08, _glass(rng))


def _ground_floor(
    picture: np.ndarray,
    rng: np.random.Generator,
    width: float,
    storey: float,
    columns: int,
    pitch: float,
    frame: np.ndarray,
    base: np.ndarray,
) -> None:
    """Shops with a sign board, or windows and a front door."""
    if rng.random() < 0.45:
        colour = SHOPS[rng.integers(len(SHOPS))]
        _fill(picture, 0.2, 0, width - 0.2, storey - 0.25, colour * 0.8)
        _fill(picture, 0.3, storey - 0.85, width - 0.3, storey - 0.3, colour * 1.25)
        for x in np.arange(0.9, width - 2.2, rng.uniform(0.8, 1.4)):
            _fill(picture, x, storey - 0.68, x + 0.5, storey - 0.48, rgb(240, 232, 210))
        for x in np.arange(0.45, width - 1.6, 2.0):
            _fill(picture, x, 0.5, x + 1.75, storey - 0.95, _glass(rng) * 0.9)
            _fill(picture, x, 1.5, x + 1.75, storey - 0.95, rgb(120, 124, 120))
            _fill(picture, x + 0.1, 0.55, x + 1.65, 1.6, _glass(rng))
        return
    _fill(picture, 0, 0, width, 0.55, base * 0.66)
    door = int(rng.integers(columns))
    for column in range(columns):
        x = column * pitch + pitch / 2
        if column == door:
            colour = SHOPS[rng.integers(len(SHOPS))]
            _fill(picture, x - 0.75, 0, x + 0.75, 2.6, frame)
            _fill(picture, x - 0.6, 0.08, x + 0.6, 2.45, colour)
            _fill(picture, x - 0.4, 1.5, x + 0.4, 2.3, _glass(rng))
        else:
            _window(picture, rng, x - 0.6, 0.95, 1.2, 1.5, frame, base, False)


def gable(rng: np.random.Generator, *, width: float, height: float, base: np.ndarray) -> Texture:
    """A plain side wall with a few windows."""
    picture = _surface(rng, width, height, base, rough=0.06)
    for x in np.arange(2.0, width - 2, 3.4):
        for y in np.arange(1.2, height - 2, 3.1):
            if rng.random() < 0.55:
                _window(picture, rng, x, y, 0.9, 1.3, FRAME_COLOURS[0], base, False)
    return Texture.make(picture)


def roof(rng: np.random.Generator, *, width: float, height: float) -> Texture:
    """Rows of tiles or slates."""
    base = (rgb(156, 74, 50), rgb(126, 60, 46), rgb(92, 90, 94), rgb(110, 84, 66))[rng.integers(4)]
    picture = _surface(rng, width, height, base, rough=0.05)
    step = round(0.32 * PIXELS_PER_METRE)
    for top in range(0, picture.shape[0], step):
        _darken(picture[top : top + 2], 0.72)
    return Texture.make(picture)


def wall(rng: np.random.Generator, *, width: float, height: float) -> Texture:
    """A free-standing wall of brick, stone or concrete panels, with a coping."""
    kind = ('brick', 'stone', 'concrete')[rng.integers(3)]
    if kind == 'brick':
        picture = _surface(rng, width, height, rgb(150, 78, 58) * rng.uniform(0.85, 1.1))
        _bricks(picture, 0.12)
    elif kind == 'stone':
        picture = _surface(rng, width, height, rgb(150, 142, 126), rough=0.07)
        step = round(0.36 * PIXELS_PER_METRE)
        for row, top in enumerate(range(0, picture.shape[0], step)):
            _darken(picture[top : top + 2], 0.66)
            for left in range((row * 7) % 13, picture.shape[1], step * 2):
                _darken(picture[top : top + step, left : left + 2], 0.7)
                _darken(picture[top : top + step, left : left + 2 * step], rng.uniform(0.86, 1.1))
    else:
        picture = _surface(
            rng, width, height, rgb(164, 164, 160) * rng.uniform(0.85, 1.05), rough=0.07
        )
        _darken(picture[:, :: round(2.4 * PIXELS_PER_METRE)], 0.6)
        _darken(picture[:, 1 :: round(2.4 * PIXELS_PER_METRE)], 0.7)
    _fill(picture, 0, height - 0.16, width, height, rgb(186, 182, 174))
    _fill(picture, 0, height - 0.22, width, height - 0.16, rgb(80, 76, 70))
    return Texture.make(picture)


def fence(rng: np.random.Generator, *, width: float, height: float) -> Texture:
    """Iron pickets, wooden boards or wire mesh between posts."""
    rows, columns = _shape(width, height)
    picture = np.zeros((rows, columns, 3), np.float32)
    cover = np.zeros((rows, columns), np.float32)
    kind = ('iron', 'boards', 'mesh')[rng.integers(3)]
    scale = PIXELS_PER_METRE
    if kind == 'boards':
        colour = (rgb(150, 108, 66), rgb(222, 218, 206), rgb(112, 84, 58))[rng.integers(3)]
        for left in range(0, columns, round(0.19 * scale)):
            width_px = round(0.15 * scale)
            picture[:, left : left + width_px] = colour * rng.uniform(0.88, 1.1)
            cover[round(0.04 * scale) * (left // 6 % 2) :, left : left + width_px] = 1
        bars = colour * 0.7
    elif kind == 'iron':
        colour = (rgb(34, 36, 38), rgb(40, 70, 54), rgb(70, 74, 80))[rng.integers(3)]
        for left in range(0, columns, round(0.2 * scale)):
            picture[:, left : left + 3] = colour
            cover[:, left : left + 3] = 1
        bars = colour * 1.1
    else:
        colour = (rgb(60, 110, 74), rgb(130, 134, 138))[rng.integers(2)]
        for offset in range(-rows, columns, round(0.22 * scale)):
            for slope in (1, -1):
                start = (offset, 0 if slope > 0 else rows)
                cv2.line(cover, start, (offset + rows, rows if slope > 0 else 0), 1.0, 1)
        picture[:] = colour
        cover = np.clip(cover + 0.12, 0, 1)
        bars = colour * 0.85
    for y in (0.12, height - 0.22):
        top = round(rows - (y + 0.09) * scale)
        picture[top : top + round(0.09 * scale)] = bars
        cover[top : top + round(0.09 * scale)] = 1
    for left in range(0, columns, round(2.4 * scale)):
        picture[:, left : left + 5] = bars
        cover[:, left : left + 5] = 1
    return Texture.make(picture, cover)
