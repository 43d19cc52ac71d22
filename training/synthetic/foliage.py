# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of trees, bushes, hedges and the far tree line."""

from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import Texture
from .light import rgb
from .noise import noise_patch

GREENS = (rgb(62, 98, 40), rgb(82, 112, 46), rgb(48, 84, 44), rgb(104, 122, 50), rgb(70, 104, 66))
AUTUMN = (rgb(168, 128, 44), rgb(150, 84, 40))
BARK = (rgb(92, 74, 58), rgb(112, 100, 84), rgb(70, 60, 52))


def _crown(
    rng: np.random.Generator, shape: np.ndarray, green: np.ndarray, lit_left: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Leaves over a soft shape.

    Args:
        rng: source of randomness.
        shape: float32 [h, w], positive inside, about 1 deep inside.
        green: BGR colour of the leaves.
        lit_left: the sun stands to the left.

    Returns:
        BGR float32 [h, w, 3] and coverage float32 [h, w].
    """
    rows, columns = shape.shape
    leaf = noise_patch(rng, 'leaf', rows, columns)
    clump = noise_patch(rng, 'cloud', rows, columns)
    cover = np.clip((shape * 2.2 + 0.34 * leaf + 0.22 * clump) * 5, 0, 1)
    down = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    side = -across if lit_left else across
    tone = 0.92 + 0.30 * (0.5 - down) + 0.16 * side + 0.16 * clump + 0.17 * leaf
    tone -= 0.25 * np.clip(0.25 - shape, 0, 1) * (down > 0.5)
    colour = np.clip(tone, 0.3, 1.8)[..., None] * green.astype(np.float32)
    colour[..., 2] += np.clip(tone - 1, 0, 1) * 22
    return colour, cover


def _blobs(
    rng: np.random.Generator, rows: int, columns: int, places: Sequence[tuple[float, ...]]
) -> np.ndarray:
    """Union of soft ellipses (x, y, radius x, radius y as shares); float32 [rows, columns]."""
    step = 4  # soft enough to be computed coarsely
    x = np.arange(0, columns, step, dtype=np.float32)[None, :] / columns
    y = np.arange(0, rows, step, dtype=np.float32)[:, None] / rows
    away = np.full((rows // step, columns // step), 2.0, np.float32)
    for cx, cy, rx, ry in places:
        np.minimum(away, np.hypot((x - cx) / rx, (y - cy) / ry, dtype=np.float32), out=away)
    return cv2.resize(1 - away, (columns, rows), interpolation=cv2.INTER_CUBIC)


def tree(rng: np.random.Generator, *, lit_left: bool) -> Texture:
    """A broad-leaved or slender tree; the trunk's foot is the middle of the lower edge."""
    rows, columns = 288, 224
    green = AUTUMN[rng.integers(2)] if rng.random() < 0.1 else GREENS[rng.integers(len(GREENS))]
    green = green * rng.uniform(0.85, 1.15)
    slender = rng.random() < 0.25
    reach = 0.2 if slender else 0.3
    places = [(0.5, 0.36, 0.24 if slender else 0.33, 0.3)]
    for _ in range(10):
        angle = rng.uniform(0, 2 * np.pi)
        places.append(
            (
                0.5 + 0.8 * reach * np.cos(angle),
                0.36 + 0.24 * np.sin(angle),
                rng.uniform(0.12, 0.2),
                rng.uniform(0.10, 0.16),
            )
        )
    colour, cover = _crown(rng, _blobs(rng, rows, columns, places), green, lit_left)
    across = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / 10
    down = np.arange(rows) / 10
    cover *= np.clip(np.minimum(across[None, :], down[:, None]), 0, 1).astype(np.float32)
    bark = BARK[rng.integers(len(BARK))]
    trunk = np.zeros((rows, columns), np.float32)
    lean = rng.uniform(-6, 6)
    mid = columns / 2
    outline = np.array(
        [
            (mid - 9, rows),
            (mid + 9, rows),
            (mid + lean + 5, rows * 0.45),
            (mid + lean - 5, rows * 0.45),
        ]
    )
    cv2.fillPoly(trunk, [np.round(outline * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    shade = 1 + 0.15 * noise_patch(rng, 'leaf', rows, columns)
    shade *= (
        1 + 0.3 * np.clip((np.arange(columns) - mid) / 9, -1, 1) * (-1 if lit_left else 1)
    ).astype(np.float32)[None, :]
    wood = (1 - cover) * trunk
    full = colour * cover[..., None] + bark.astype(np.float32) * (shade * wood)[..., None]
    total = cover + wood
    return Texture.make(full / np.maximum(total, 1e-3)[..., None], total)


def bare_tree(rng: np.random.Generator) -> Texture:
    """A tree in winter: branches, and twigs that cover more than half of what lies behind them."""
    rows, columns = 288, 224
    wood = np.zeros((rows, columns), np.float32)
    twigs = np.zeros((rows // 4, columns // 4), np.float32)
    ends = [(columns / 2, float(rows), -np.pi / 2, rows * rng.uniform(0.2, 0.34), 8.0)]
    while ends:
        x, y, angle, length, width = ends.pop()
        x1, y1 = x + length * np.cos(angle), y + length * np.sin(angle)
        points = (round(x * 16), round(y * 16)), (round(x1 * 16), round(y1 * 16))
        cv2.line(wood, *points, 1.0, max(round(width), 1), cv2.LINE_AA, 4)
        if width < 2.4:
            cv2.circle(twigs, (round(x1 / 4), round(y1 / 4)), 4, 1.0, -1)
        if width < 1.0:
            continue
        for _ in range(int(rng.integers(2, 4))):
            turn = rng.normal(0, 0.42) * (1.3 if width > 4 else 1.0)
            ends.append((x1, y1, angle + turn, length * rng.uniform(0.55, 0.85), width * 0.62))
    soft = cv2.resize(cv2.GaussianBlur(twigs, (0, 0), 1.6), (columns, rows))
    fine = 0.5 + 0.22 * noise_patch(rng, 'fine', rows, columns)
    edge = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / 6
    hull = np.clip(soft * 3, 0, 1) * np.clip(edge, 0, 1).astype(np.float32)[None, :]
    cover = np.clip(np.maximum(wood, hull * np.clip(fine + 0.14, 0.53, 0.95)), 0, 1)
    bark = BARK[rng.integers(len(BARK))] * rng.uniform(0.35, 1.0)
    shade = (1 + 0.2 * noise_patch(rng, 'leaf', rows, columns))[..., None]
    return Texture.make(np.clip(shade * bark.astype(np.float32), 0, 255), cover)


def conifer(rng: np.random.Generator) -> Texture:
    """A dark, pointed evergreen."""
    rows, columns = 288, 160
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    x = np.abs(np.linspace(-1, 1, columns, dtype=np.float32))[None, :]
    tiers = 1 + np.float32(0.12) * np.sin(y * np.float32(rng.uniform(25, 60)))
    shape = (y * np.float32(0.9) * tiers - x) * 2
    green = rgb(44, 66, 44) * rng.uniform(0.6, 1.2)
    colour, cover = _crown(rng, shape, green, bool(rng.random() < 0.5))
    cover *= np.clip((0.93 - y) * 25, 0, 1) * np.clip((1 - x) * 12, 0, 1)
    trunk = (cover < 0.5) & (y > 0.85) & (x < 0.09)
    colour[trunk], cover[trunk] = BARK[2] * 0.8, 1.0
    return Texture.make(colour, cover)


def bush(rng: np.random.Generator, *, lit_left: bool) -> Texture:
    """A round bush standing on the lower edge."""
    rows, columns = 112, 160
    places = [(0.5, 0.75, 0.4, 0.55)]
    for _ in range(6):
        places.append(
            (
                rng.uniform(0.25, 0.75),
                rng.uniform(0.45, 0.85),
                rng.uniform(0.18, 0.28),
                rng.uniform(0.25, 0.4),
            )
        )
    shape = _blobs(rng, rows, columns, places)
    colour, cover = _crown(rng, shape, GREENS[rng.integers(len(GREENS))] * 0.92, lit_left)
    edge = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / 6
    return Texture.make(colour, cover * np.clip(edge, 0, 1).astype(np.float32)[None, :])


def hedge(rng: np.random.Generator, *, lit_left: bool) -> Texture:
    """A clipped hedge, seen from its side."""
    rows, columns = 96, 480
    top = 0.10 + 0.05 * noise_patch(rng, 'blotch', 1, columns)[0]
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    colour, cover = _crown(
        rng, (y - top[None, :]) * 4, GREENS[rng.integers(len(GREENS))] * 0.85, lit_left
    )
    return Texture.make(colour, np.clip(cover, 0, 1))


def tree_line(rng: np.random.Generator, *, lit_left: bool) -> Texture:
    """Far woods, wider than high."""
    rows, columns = 96, 1024
    top = (
        0.42
        + 0.14 * noise_patch(rng, 'cloud', 1, columns)[0]
        + 0.05 * noise_patch(rng, 'leaf', 1, columns)[0]
    )
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    colour, cover = _crown(
        rng, (y - top[None, :]) * 3, GREENS[rng.integers(len(GREENS))], lit_left
    )
    return Texture.make(colour, cover)
