# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ground: carriageway, markings, rails, kerbs, pavements and grass, pixel by pixel."""

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np

from upsnet_ros.core.labels import encode_label

from .camera import NEAR, Camera, clip_near
from .canvas import SHIFT, UNIT, fixed_point, share_blocks
from .classes import ROAD, SIDEWALK, TERRAIN
from .light import Light, rgb
from .noise import TILE, noise_tile
from .street import Street

TILE_METRES = 8.0
KERB_HEIGHT = 0.13
LINES_END = 100.0  # markings further away than this are too thin to see [m]
PAINT = rgb(226, 226, 220)
KERB = rgb(168, 166, 162)
GROOVE, STEEL = rgb(40, 40, 42), rgb(196, 196, 200)


@dataclass(frozen=True)
class Material:
    """A repeating ground texture in three sharpnesses.

    Attributes:
        levels: uint8 [512, 512, 3] BGR each, 8 m x 8 m; the later ones are smoother, for distance.
    """

    levels: tuple[np.ndarray, ...]

    @classmethod
    def make(cls, picture: np.ndarray) -> 'Material':
        """Builds the smoother levels of a float BGR picture [512, 512, 3]."""
        full = np.clip(picture, 0, 255).astype(np.uint8)
        rim = 8
        wrapped = np.pad(full, ((rim, rim), (rim, rim), (0, 0)), mode='wrap')
        levels = [full]
        for blur in (5, 15):
            smooth = cv2.blur(wrapped, (blur, blur))
            levels.append(np.ascontiguousarray(smooth[rim:-rim, rim:-rim]))
        return cls(tuple(levels))


@cache
def _asphalt_shade() -> np.ndarray:
    """Grain, repairs and a few cracks as brightness around 1; float32 [512, 512]."""
    shade = 1 + 0.055 * noise_tile('fine') + 0.05 * np.roll(noise_tile('blotch'), 77, 1)
    crack = np.abs(np.roll(noise_tile('cloud'), 130, 0)) < 0.012
    return shade - 0.16 * cv2.GaussianBlur(crack.astype(np.float32), (3, 3), 0)


@cache
def _grass_shares() -> np.ndarray:
    """How much of each place is green, dry and bare, times its brightness; [512, 512, 3]."""
    blotch = np.clip(0.32 + 0.3 * np.roll(noise_tile('blotch'), 200, 0), 0, 1)
    bare = np.clip(np.roll(noise_tile('cloud'), 60, 1) - 1.5, 0, 1)
    grain = 1 + 0.15 * noise_tile('leaf') + 0.1 * noise_tile('fine')
    grown = (1 - bare) * grain
    return np.dstack([(1 - blotch) * grown, blotch * grown, bare * grain]).astype(np.float32)


def asphalt(rng: np.random.Generator) -> Material:
    """Dark grain with repairs and a few cracks."""
    base = rgb(1.0, 1.0, 1.02) * rng.uniform(94, 128)
    return Material.make(cv2.transform(_asphalt_shade(), base[:, None]))


def paving(rng: np.random.Generator) -> Material:
    """Slabs of slightly different grey (or reddish) with joints."""
    base = (rgb(158, 154, 148), rgb(172, 166, 156), rgb(166, 140, 128))[rng.choice(3)]
    base = base * rng.uniform(0.88, 1.08)
    count = int(rng.choice([8, 16]))
    slab = TILE // count
    tint = 1 + 0.05 * rng.standard_normal((count, count)).astype(np.float32)
    shade = cv2.resize(tint, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    shade = shade * (1 + 0.035 * noise_tile('fine') + 0.03 * noise_tile('blotch'))
    for offset in range(0, TILE, slab):
        shade[offset : offset + 2] *= 0.72
        shade[:, offset : offset + 2] *= 0.72
    return Material.make(shade[..., None] * base.astype(np.float32))


def grass(rng: np.random.Generator) -> Material:
    """Grass with drier patches and bare soil."""
    green = rgb(92, 128, 48) * rng.uniform(0.85, 1.1)
    colours = np.column_stack([green, rgb(150, 142, 74), rgb(118, 96, 70)])
    return Material.make(cv2.transform(_grass_shares(), colours))


def any_asphalt(rng: np.random.Generator, surface: float) -> Material:
    """Asphalt of any age: light or dark, coarse or smooth, patched, cracked, reddish."""
    base = rgb(1.0, 1.0, 1.0) * rng.uniform(48, 165) * np.exp(rng.normal(0, 0.03, 3))
    if rng.random() < 0.06:
        base = rgb(1.25, 0.8, 0.75) * rng.uniform(80, 130)
    shade = 1 + rng.uniform(0.02, 0.14) * noise_tile('fine')
    shade += surface * rng.uniform(0.2, 1.0) * np.roll(noise_tile('pink'), 91, 1)
    for _ in range(int(rng.integers(0, 9))):  # repairs
        top, left = rng.integers(0, TILE - 40, 2)
        tall, wide = rng.integers(20, 200, 2)
        shade[top : top + tall, left : left + wide] *= rng.uniform(0.7, 1.2)
    for _ in range(int(rng.integers(0, 6))):  # cracks
        path = np.cumsum(rng.normal(0, 16, (14, 2)) + rng.normal(0, 10, 2), 0)
        points = np.rint(path + rng.integers(0, TILE, 2)).astype(np.int32)
        cv2.polylines(shade, [points], False, float(rng.uniform(0.4, 0.8)), 2)
    return Material.make(cv2.transform(shade.astype(np.float32), base[:, None]))


def any_paving(rng: np.random.Generator, surface: float) -> Material:
    """Slabs, bricks, concrete or asphalt, as pavements are made of."""
    if rng.random() < 0.35:
        return any_asphalt(rng, surface)
    base = rgb(*rng.choice([(150, 148, 144), (172, 160, 146), (150, 100, 84), (120, 120, 124)]))
    base = base * rng.uniform(0.55, 1.25)
    down, across = (int(rng.choice([4, 8, 16, 32, 64])) for _ in range(2))
    tint = 1 + rng.uniform(0.01, 0.12) * rng.standard_normal((down, across)).astype(np.float32)
    shade = cv2.resize(tint, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    shade = shade * (1 + 0.06 * noise_tile('fine') + surface * noise_tile('pink'))
    joint = rng.uniform(0.55, 0.95)
    shade[:: TILE // down] *= joint
    shade[:, :: TILE // across] *= joint
    return Material.make(shade[..., None] * base.astype(np.float32))


def any_grass(rng: np.random.Generator, surface: float) -> Material:
    """Lawn, meadow, dry or bare ground."""
    shares = _grass_shares() * (1 + surface * noise_tile('pink'))[..., None]
    green = rgb(92, 128, 48) * rng.uniform(0.5, 1.3) * np.exp(rng.normal(0, 0.12, 3))
    dry = rgb(150, 142, 74) * rng.uniform(0.5, 1.2)
    return Material.make(
        cv2.transform(shares.astype(np.float32), np.column_stack([green, dry, rgb(118, 96, 70)]))
    )


@dataclass(frozen=True)
class Ground:
    """The ground of one world.

    Attributes:
        street: its cross-section and lots.
        road, pavement, lawn: materials.
        paint_colour: BGR colour of the markings.
        strength: how much of the road the paint covers, 0..1.
        marks: more markings than the plan's: middle x, width, start s and end s each [m].
    """

    street: Street
    road: Material
    pavement: Material
    lawn: Material
    paint_colour: np.ndarray = field(default_factory=PAINT.copy)
    strength: float = 0.82
    marks: tuple[tuple[float, float, float, float], ...] = ()

    def paint(self, image: np.ndarray, label: np.ndarray, camera: Camera, light: Light) -> int:
        """Paints everything below the horizon, without shadows.

        Returns:
            The first painted row.
        """
        first = int(np.ceil(camera.horizon + camera.focal * camera.y / 400))
        rows = np.arange(first, camera.height, dtype=np.float64)
        x_low, s_low = camera.ground_hits(rows, 0.0)
        x_high, s_high = camera.ground_hits(rows, KERB_HEIGHT)
        left, right = self.street.road_left, self.street.road_right
        raised = (x_high <= left) | (x_high >= right)
        on_road = (x_low > left) & (x_low < right) & ~raised
        kerb = ~raised & ~on_road
        z = camera.focal * camera.y / (rows - camera.horizon)
        kinds = self.street.ground_kinds(x_high, s_high)
        lawn_low = self._reserve(x_low) & on_road
        lawn_high = raised & (kinds == TERRAIN)
        colour = self._sample(self.road, x_low, s_low, z)
        pavement = self._sample(self.pavement, x_high, s_high, z)
        lawn = self._sample(self.lawn, x_high, s_high, z)
        self._lines(colour, camera, first)
        cv2.copyTo(lawn, lawn_low.view(np.uint8), colour)
        self._rails(colour, camera, first)
        cv2.copyTo(pavement, raised.view(np.uint8), colour)
        cv2.copyTo(lawn, lawn_high.view(np.uint8), colour)
        colour[kerb] = KERB * 0.68
        edge = np.minimum(np.abs(x_high - left), np.abs(x_high - right))
        colour[raised & (edge < np.float32(0.16))] = KERB * 1.1
        region = label[first:]
        region[:] = encode_label(ROAD, 0)
        region[lawn_low] = encode_label(TERRAIN, 0)
        region[raised | kerb] = encode_label(SIDEWALK, 0)
        region[lawn_high] = encode_label(TERRAIN, 0)
        factor = light.factor(np.array([0.0, 1.0, 0.0]))
        for start, end, share in share_blocks(light.own_share(z)):
            mix = np.column_stack([np.diag(factor * share), light.haze * (1 - share)])
            image[first + start : first + end] = cv2.transform(colour[start:end], mix)
        return first

    @staticmethod
    def _sample(material: Material, x: np.ndarray, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Texture colours at street places; uint8 [R, W, 3]."""
        scale = np.float32(TILE / TILE_METRES)
        start = np.float32(np.floor(s[-1, 0] / TILE_METRES) * TILE_METRES)
        map_x, map_y = x * scale, (s - start) * scale
        result = np.empty((*x.shape, 3), np.uint8)
        for level, low, high in ((0, 0, 11), (1, 11, 26), (2, 26, np.inf)):
            rows = np.flatnonzero((z >= low) & (z < high))
            if len(rows):
                band = slice(rows[0], rows[-1] + 1)
                result[band] = cv2.remap(
                    material.levels[level],
                    map_x[band],
                    map_y[band],
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_WRAP,
                )
        return result

    def _reserve(self, x: np.ndarray) -> np.ndarray:
        """Where the rails lie in grass."""
        half = self.street.reserve_half
        if not half or not self.street.green_reserve:
            return np.zeros(x.shape, bool)
        return np.abs(x) < half

    def _lines(self, colour: np.ndarray, camera: Camera, first: int) -> None:
        """Blends lane lines, crossings and stop lines into the carriageway."""
        start, end = camera.s, camera.s + LINES_END
        strips = []
        for line in self.street.lines:
            period = line.dash + line.gap if line.dash else 3.0
            dash = line.dash or 3.0
            for place in np.arange(np.floor(start / period) * period, end, period):
                strips.append((line.x, line.width, place, place + dash))
        left, right = self.street.road_left, self.street.road_right
        for crossing in self.street.crossings:
            if not start - 3 < crossing < end:
                continue
            for x in np.arange(np.ceil(left) + 0.3, right - 0.3, 1.0):
                strips.append((x, 0.52, crossing - 1.7, crossing + 1.7))
            stop, inner = crossing - 3.4, self.street.reserve_half
            strips.append(((inner + right) / 2, right - inner, stop, stop + 0.45))
        strips += [mark for mark in self.marks if mark[3] > start and mark[2] < end]
        mask = _strip_mask(colour, camera, first, strips)
        _lay(colour, mask, self.paint_colour, self.strength)

    def _rails(self, colour: np.ndarray, camera: Camera, first: int) -> None:
        """Steel rails with a dark groove."""
        if not self.street.tracks:
            return
        for width, paint, strength in ((0.26, GROOVE, 0.6), (0.08, STEEL, 0.85)):
            strips = [
                (centre + side, width, camera.s + ahead, camera.s + ahead + 4.0)
                for centre in self.street.tracks
                for side in (-0.72, 0.72)
                for ahead in np.arange(0, LINES_END, 4.0)
            ]
            _lay(colour, _strip_mask(colour, camera, first, strips), paint, strength)


def _strip_mask(
    colour: np.ndarray, camera: Camera, first: int, strips: list[tuple[float, float, float, float]]
) -> np.ndarray:
    """Rectangles on the ground as coverage, uint8 [R, W], beginning at image row ``first``.

    Args:
        colour: the ground's picture, [R, W, 3]; only its size is used.
        camera: what sees it.
        first: image row of the picture's first row.
        strips: (middle x, width, start s, end s) each [m].
    """
    mask = np.zeros(colour.shape[:2], np.uint8)
    x, width, start, end = np.array(strips).T
    corners = np.zeros((len(strips), 4, 3))
    corners[:, :, 0] = x[:, None] + width[:, None] * np.array([-0.5, 0.5, 0.5, -0.5])
    corners[:, :2, 2], corners[:, 2:, 2] = start[:, None], end[:, None]
    seen = camera.to_camera(corners)
    whole = seen[..., 2].min(1) >= NEAR
    polygons = list(fixed_point(camera.to_image(seen[whole]) - (0, first)))
    for polygon in seen[~whole]:
        clipped = clip_near(polygon)
        if len(clipped) >= 3:
            polygons.append(fixed_point(camera.to_image(clipped) - (0, first)))
    for polygon in polygons:
        cv2.fillConvexPoly(mask, polygon, 255, cv2.LINE_AA, SHIFT)
    return mask


def _lay(colour: np.ndarray, mask: np.ndarray, paint: np.ndarray, strength: float) -> None:
    """Blends a paint into uint8 [R, W, 3] where the mask is set."""
    if not mask.any():
        return
    cover = cv2.merge([mask] * 3)
    kept = cv2.multiply(colour, 255 - cv2.multiply(cover, UNIT, scale=strength), scale=1 / 255)
    paint_only = cv2.transform(mask, (paint * strength / 255)[:, None])
    cv2.add(kept, paint_only, dst=colour)
