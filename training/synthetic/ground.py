# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ground: carriageway, markings, rails, kerbs, pavements and grass, pixel by pixel."""

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Camera
from .classes import ROAD, SIDEWALK, TERRAIN, label_value
from .light import Light, rgb
from .noise import TILE, noise_tile
from .street import Street

TILE_METRES = 8.0
KERB_HEIGHT = 0.13
PAINT = rgb(226, 226, 220)
KERB = rgb(168, 166, 162)


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
        wrapped = np.tile(full, (3, 3, 1))
        levels = [full]
        for blur in (5, 15):
            smooth = cv2.blur(wrapped, (blur, blur))
            levels.append(np.ascontiguousarray(smooth[TILE:2 * TILE, TILE:2 * TILE]))
        return cls(tuple(levels))


def asphalt(rng: np.random.Generator) -> Material:
    """Dark grain with repairs and a few cracks."""
    base = rgb(1.0, 1.0, 1.02) * rng.uniform(74, 108)
    shade = 1 + 0.055 * noise_tile('fine') + 0.05 * np.roll(noise_tile('blotch'), 77, 1)
    crack = np.abs(np.roll(noise_tile('cloud'), 130, 0)) < 0.012
    shade = shade - 0.16 * cv2.GaussianBlur(crack.astype(np.float32), (3, 3), 0)
    return Material.make(shade[..., None] * base)


def paving(rng: np.random.Generator) -> Material:
    """Slabs of slightly different grey (or reddish) with joints."""
    base = (rgb(158, 154, 148), rgb(172, 166, 156), rgb(166, 140, 128))[rng.choice(3)]
    base = base * rng.uniform(0.88, 1.08)
    count = int(rng.choice([8, 16]))
    slab = TILE // count
    tint = 1 + 0.05 * rng.standard_normal((count, count)).astype(np.float32)
    shade = cv2.resize(tint, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        shade[::2 * slab] *= 1.0
    shade = shade * (1 + 0.035 * noise_tile('fine') + 0.03 * noise_tile('blotch'))
    for offset in range(0, TILE, slab):
        shade[offset:offset + 2] *= 0.72
        shade[:, offset:offset + 2] *= 0.72
    return Material.make(shade[..., None] * base)


def grass(rng: np.random.Generator) -> Material:
    """Grass with drier patches and bare soil."""
    green, dry = rgb(92, 128, 48) * rng.uniform(0.85, 1.1), rgb(150, 142, 74)
    soil = rgb(118, 96, 70)
    blotch = np.clip(0.32 + 0.3 * np.roll(noise_tile('blotch'), 200, 0), 0, 1)[..., None]
    bare = np.clip(np.roll(noise_tile('cloud'), 60, 1) - 1.5, 0, 1)[..., None]
    picture = green * (1 - blotch) + dry * blotch
    picture = picture * (1 - bare) + soil * bare
    return Material.make(picture * (1 + 0.15 * noise_tile('leaf') + 0.1 * noise_tile('fine')
                                    )[..., None])


@dataclass(frozen=True)
class Ground:
    """The ground of one world.

    Attributes:
        street: its cross-section and lots.
        road, pavement, lawn: materials.
    """

    street: Street
    road: Material
    pavement: Material
    lawn: Material

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
        pixel = (z / camera.focal).astype(np.float32)[:, None]
        colour = self._sample(self.road, x_low, s_low, z)
        lawn_low = self._reserve(x_low)
        above = self._sample(self.pavement, x_high, s_high, z)
        kinds = self.street.ground_kinds(x_high, s_high)
        green = self._sample(self.lawn, x_high, s_high, z)
        colour = self._markings(colour, x_low, s_low, pixel)
        np.copyto(colour, green, where=(lawn_low & on_road)[..., None])
        self._rails(colour, x_low, pixel)
        np.copyto(colour, above, where=raised[..., None])
        np.copyto(colour, green, where=(raised & (kinds == TERRAIN))[..., None])
        self._kerb_edge(colour, x_high, pixel, raised, kerb)
        region = label[first:]
        region[:] = label_value(ROAD)
        region[lawn_low & on_road] = label_value(TERRAIN)
        region[raised | kerb] = label_value(SIDEWALK)
        region[raised & (kinds == TERRAIN)] = label_value(TERRAIN)
        share = light.own_share(z).astype(np.float32)[:, None, None]
        factor = light.factor(np.array([0.0, 1.0, 0.0])).astype(np.float32)
        colour *= factor * share
        colour += light.haze.astype(np.float32) * (1 - share)
        image[first:] = np.clip(colour, 0, 255).astype(np.uint8)
        return first

    @staticmethod
    def _sample(material: Material, x: np.ndarray, s: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Texture colours at street places; float32 [R, W, 3]."""
        scale = np.float32(TILE / TILE_METRES)
        map_x = np.mod(x * scale, TILE)
        map_y = np.mod(s * scale, TILE)
        result = np.empty((*x.shape, 3), np.uint8)
        for level, low, high in ((0, 0, 11), (1, 11, 26), (2, 26, np.inf)):
            rows = np.flatnonzero((z >= low) & (z < high))
            if len(rows):
                band = slice(rows[0], rows[-1] + 1)
                result[band] = cv2.remap(material.levels[level], map_x[band], map_y[band],
                                         cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return result.astype(np.float32)

    def _reserve(self, x: np.ndarray) -> np.ndarray:
        """Where the rails lie in grass."""
        half = self.street.reserve_half
        if not half or not self.street.green_reserve:
            return np.zeros(x.shape, bool)
        return np.abs(x) < half

    def _markings(self, colour: np.ndarray, x: np.ndarray, s: np.ndarray, pixel: np.ndarray
                  ) -> np.ndarray:
        """Blends lane lines, crossings and stop lines into the carriageway."""
        cover = np.zeros(x.shape, np.float32)
        for line in self.street.lines:
            stripe = np.clip((line.width / 2 - np.abs(x - line.x)) / pixel + 0.5, 0, 1)
            if line.dash:
                stripe *= np.mod(s, line.dash + line.gap) < line.dash
            np.maximum(cover, stripe, out=cover)
        for crossing in self.street.crossings:
            inside = np.abs(s - crossing) < 1.7
            if inside.any():
                bars = np.mod(x, 1.0) < 0.52
                cover[inside & bars] = 1
            stop = np.abs(s - (crossing - 3.2)) < 0.22
            cover[stop & (x > self.street.reserve_half)] = 1
        worn = 0.82 - 0.10 * noise_tile('blotch')[:colour.shape[0] % TILE or 1, :1].mean()
        cover = (cover * np.float32(worn))[..., None]
        return colour * (1 - cover) + PAINT.astype(np.float32) * cover

    def _rails(self, colour: np.ndarray, x: np.ndarray, pixel: np.ndarray) -> None:
        """Steel rails with a dark groove."""
        for centre in self.street.tracks:
            for side in (-0.72, 0.72):
                away = np.abs(x - (centre + side))
                dark = np.clip((0.11 - away) / pixel + 0.5, 0, 1)[..., None] * 0.6
                colour *= 1 - dark
                steel = np.clip((0.045 - away) / pixel + 0.5, 0, 1)[..., None] * 0.85
                colour += (rgb(196, 196, 200).astype(np.float32) - colour) * steel

    def _kerb_edge(self, colour: np.ndarray, x: np.ndarray, pixel: np.ndarray, raised: np.ndarray,
                   kerb: np.ndarray) -> None:
        """The stone on top of the kerb, and its shaded face."""
        edge = np.minimum(np.abs(x - self.street.road_left), np.abs(x - self.street.road_right))
        stone = np.clip((0.16 - edge) / pixel + 0.5, 0, 1)[..., None] * raised[..., None]
        colour += (KERB.astype(np.float32) * 1.1 - colour) * stone
        colour[kerb] = KERB * 0.68
