# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image and label painted together, so that they always agree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import cv2
import numpy as np

from .camera import NEAR, Camera, clip_near
from .light import Light
from .noise import noise_patch

SHIFT = 4  # polygons are drawn with 1/16 px
_SCALE = 1 << SHIFT
UNIT: Any = 1.0  # a factor: OpenCV takes a number there, which its types do not know


class Part(NamedTuple):
    """A flat piece of a thing, ready to be drawn.

    Attributes:
        points: float [N, 2], polygon in the image [px].
        colour: BGR value, or None where only the label is painted.
        label: label image value, or None where only the image is painted.
        thickness: 0 fills; otherwise the width of a closed outline [px].
    """

    points: np.ndarray
    colour: tuple[float, ...] | None
    label: int | None
    thickness: int = 0


def fixed_point(points: np.ndarray) -> np.ndarray:
    """Image coordinates as OpenCV's drawing functions take them, int32 [N, 2]."""
    return np.rint(points * _SCALE).astype(np.int32)


def share_blocks(shares: np.ndarray, *, step: float = 0.02) -> list[tuple[int, int, float]]:
    """Cuts a monotonic row of haze shares into runs of nearly equal ones.

    Returns:
        (start, end, mean share) of each run; end is excluded.
    """
    bins = np.floor(shares / step).astype(np.int64)
    cuts = np.flatnonzero(np.diff(bins)) + 1
    edges = [0, *cuts.tolist(), len(shares)]
    return [
        (start, end, float(shares[start:end].mean()))
        for start, end in zip(edges[:-1], edges[1:], strict=True)
    ]


@dataclass(frozen=True)
class PlaneView:
    """A rectangle as the camera sees it.

    Attributes:
        corners: float [4, 3], camera coordinates [m]: lower left, lower right, upper right,
            upper left; some may lie behind the camera.
        outline: float [N, 2], its visible polygon in the image [px].
        window: left, top, right, bottom of the pixels it can touch; ends excluded.
    """

    corners: np.ndarray
    outline: np.ndarray
    window: tuple[int, int, int, int]


@dataclass(frozen=True)
class Wear:
    """How a material departs from the picture of it: see :meth:`Texture.weathered`.

    1/f noise looks alike at every scale, so it is laid on the level that is seen: fine contrast
    at any distance, and no work on pixels that nobody sees.
    """

    seed: int
    surface: float
    tint: float

    def on(self, level: np.ndarray) -> np.ndarray:
        """The worn picture of a level, uint8 [h, w, 4]."""
        rng, size = np.random.default_rng(self.seed), level.shape[:2]
        gain = np.exp(rng.normal(-0.5 * self.tint, self.tint))
        gain = gain * np.exp(rng.normal(0, 0.3 * self.tint, 3))
        rough, grain = rng.uniform(0.3, 1.6), rng.uniform(0.0, 0.5)
        pink, fine = (noise_patch(rng, kind, *size) for kind in ('pink', 'fine'))
        shade = cv2.addWeighted(pink, self.surface * rough, fine, self.surface * grain, 1.0)
        colours = [shade * np.float32(factor) for factor in gain]
        return cv2.multiply(level, cv2.merge([*colours, np.ones_like(shade)]), dtype=cv2.CV_8U)


@dataclass(frozen=True)
class Texture:
    """A picture on a flat surface, with smaller copies for the distance.

    Attributes:
        levels: uint8 [h, w, 4] each, BGR and coverage, all 0..255; colours multiplied by coverage;
            every level half the size of the one before.
        wear: what its material does to the picture.
        worn: levels with the wear, made when first seen.
    """

    levels: tuple[np.ndarray, ...]
    wear: Wear | None = None
    worn: dict[int, np.ndarray] = field(default_factory=dict, compare=False)

    @classmethod
    def make(cls, colour: np.ndarray, coverage: np.ndarray | None = None) -> Texture:
        """Builds the levels from a BGR picture [h, w, 3] and a coverage [h, w] (None: solid)."""
        if coverage is None:
            coverage = np.ones(colour.shape[:2], np.float32)
        else:
            colour = colour * coverage[..., None]
        solid = cv2.convertScaleAbs(np.maximum(colour, 0))
        levels = [cv2.merge([*cv2.split(solid), cv2.convertScaleAbs(coverage, alpha=255)])]
        while min(levels[-1].shape[:2]) >= 24:
            height, width = levels[-1].shape[:2]
            levels.append(
                cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            )
        return cls(tuple(levels))

    def weathered(self, seed: int, *, surface: float, tint: float) -> Texture:
        """The same picture of another material: its colour shifted, its surface uneven.

        Args:
            seed: decides.
            surface: strength of the 1/f unevenness.
            tint: spread of the colour's factor.
        """
        return replace(self, wear=Wear(seed, surface, tint))

    def level_for(self, height_px: float) -> np.ndarray:
        """The smallest level that still has as many rows as it will cover."""
        for index in reversed(range(len(self.levels))):
            if self.levels[index].shape[0] >= height_px:
                return self._look(index)
        return self._look(0)

    def _look(self, index: int) -> np.ndarray:
        """A level, worn where the material is."""
        if self.wear is None:
            return self.levels[index]
        if index not in self.worn:
            self.worn[index] = self.wear.on(self.levels[index])
        return self.worn[index]


class Canvas:
    """The picture being painted, from far to near.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        label: uint16 [H, W], label image.
    """

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        self.image = np.zeros((camera.height, camera.width, 3), np.uint8)
        self.label = np.zeros((camera.height, camera.width), np.uint16)

    def draw(self, part: Part) -> None:
        """Draws one polygon: smooth edges in the image, hard edges in the label."""
        points = [fixed_point(part.points)]
        if part.thickness:
            if part.colour is not None:
                cv2.polylines(
                    self.image, points, True, part.colour, part.thickness, cv2.LINE_AA, SHIFT
                )
            if part.label is not None:
                cv2.polylines(
                    self.label, points, True, part.label, part.thickness, cv2.LINE_8, SHIFT
                )
            return
        if part.colour is not None:
            cv2.fillPoly(self.image, points, part.colour, cv2.LINE_AA, SHIFT)
        if part.label is not None:
            cv2.fillPoly(self.label, points, part.label, cv2.LINE_8, SHIFT)

    def window(self, points: np.ndarray) -> tuple[int, int, int, int] | None:
        """Pixels a polygon can touch: left, top, right, bottom (ends excluded); None if none."""
        left, top = np.floor(points.min(0)).astype(int) - 1
        right, bottom = np.ceil(points.max(0)).astype(int) + 2
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.camera.width), min(bottom, self.camera.height)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def outline_plane(
        self, origin: np.ndarray, along: np.ndarray, up: np.ndarray
    ) -> PlaneView | None:
        """Where a rectangle standing (or leaning) in the street appears; None if it does not.

        Args:
            origin: street coordinates of the lower left corner [m].
            along: vector along the lower edge [m].
            up: vector along the left edge [m].
        """
        corners = self.camera.to_camera(
            np.array([origin, origin + along, origin + along + up, origin + up])
        )
        clipped = clip_near(corners)
        if len(clipped) < 3:
            return None
        outline = self.camera.to_image(clipped)
        window = self.window(outline)
        return None if window is None else PlaneView(corners, outline, window)

    def draw_plane(
        self,
        texture: Texture,
        view: PlaneView,
        *,
        label: int,
        factor: np.ndarray,
        solid_label: bool = True,
    ) -> None:
        """Draws a textured rectangle.

        Args:
            texture: its picture; row 0 is the top.
            view: from :meth:`outline_plane`.
            label: label image value.
            factor: BGR light factor.
            solid_label: label the whole rectangle, holes included (a fence); otherwise only where
                the texture covers.
        """
        left, top, right, bottom = view.window
        picture = self._lit_picture(texture, view.corners, view.outline, factor)
        warp = self._plane_to_image(view.corners, picture.shape, left, top)
        size = (right - left, bottom - top)
        patch = cv2.warpPerspective(
            picture, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        inside = [fixed_point(view.outline - (left, top))]
        mask = np.zeros(size[::-1], np.uint8)
        cv2.fillPoly(mask, inside, 255, cv2.LINE_AA, SHIFT)
        self._blend(patch, mask, view.window)
        region = self.label[top:bottom, left:right]
        if solid_label:
            cv2.fillPoly(region, inside, label, cv2.LINE_8, SHIFT)
        else:
            region[(patch[..., 3] > 127) & (mask > 127)] = label

    def draw_sprite(
        self,
        texture: Texture,
        base: np.ndarray,
        width: float,
        height: float,
        *,
        label: int,
        factor: np.ndarray,
    ) -> None:
        """Draws a picture that always faces the camera (a tree, a bush).

        Args:
            texture: its picture.
            base: street coordinates of its foot's centre [m].
            width: [m].
            height: [m].
            label: label image value, painted where the texture covers more than half.
            factor: BGR light factor.
        """
        foot = self.camera.to_camera(base)
        if foot[2] < 2 * NEAR:
            return
        scale = self.camera.focal / foot[2]
        u, v = self.camera.to_image(foot)
        box = np.array([[u - width * scale / 2, v - height * scale], [u + width * scale / 2, v]])
        window = self.window(box)
        if window is None:
            return
        left, top, right, bottom = window
        level = texture.level_for(height * scale)
        picture = self._encode(level, factor, self.light.own_share(foot[2]))
        step_x, step_y = width * scale / level.shape[1], height * scale / level.shape[0]
        warp = np.array(
            [
                [step_x, 0, box[0, 0] - left + (step_x - 1) / 2],
                [0, step_y, box[0, 1] - top + (step_y - 1) / 2],
            ]
        )
        patch = cv2.warpAffine(picture, warp, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        self._blend(patch, None, window)
        self.label[top:bottom, left:right][patch[..., 3] > 127] = label

    def shade_thing(self, points: np.ndarray, label: int, grain: np.ndarray) -> None:
        """Gives the flat colours of a thing some surface: darker towards the ground, and grain.

        Args:
            points: float [N, 2], image coordinates around the thing [px].
            label: its label image value.
            grain: float32, at least as large as the image, noise of standard deviation 1.
        """
        window = self.window(points)
        if window is None:
            return
        left, top, right, bottom = window
        if (right - left) * (bottom - top) < 400:
            return
        mask = self.label[top:bottom, left:right] == label
        low, high = points[:, 1].min(), points[:, 1].max()
        rise = (np.arange(top, bottom, dtype=np.float32) - low) / max(high - low, 1)
        ramp = (1.07 - 0.22 * np.clip(rise, 0, 1) ** 1.5).astype(np.float32)[:, None]
        noise = grain[: bottom - top, : right - left]
        gain = np.where(mask, ramp * (1 + np.float32(0.022) * noise), np.float32(1))
        region = self.image[top:bottom, left:right]
        cv2.multiply(region, cv2.merge([gain] * 3), dst=region, dtype=cv2.CV_8U)

    def _lit_picture(
        self, texture: Texture, corners: np.ndarray, outline: np.ndarray, factor: np.ndarray
    ) -> np.ndarray:
        """Picks a level, squeezes it to the seen size, and applies light and haze by column."""
        depths = corners[:, 2]
        nearest = max(depths.min(), 1.0)
        height_px = np.linalg.norm(corners[3] - corners[0]) * self.camera.focal / nearest
        level = texture.level_for(height_px)
        spread = max(outline[:, 0].max() - outline[:, 0].min(), 1)
        squeeze = 1
        while level.shape[1] // (squeeze * 2) >= max(spread, 4):
            squeeze *= 2
        if squeeze > 1:
            level = cv2.resize(
                level, (level.shape[1] // squeeze, level.shape[0]), interpolation=cv2.INTER_AREA
            )
        places = (np.arange(level.shape[1]) + 0.5) / level.shape[1]
        shares = self.light.own_share(depths[0] + (depths[1] - depths[0]) * places)
        picture = np.empty_like(level)
        for start, end, share in share_blocks(shares):
            picture[:, start:end] = self._encode(level[:, start:end], factor, share)
        return picture

    def _encode(self, level: np.ndarray, factor: np.ndarray, share: float) -> np.ndarray:
        """Light and haze on a texture level; uint8 [h, w, 4], colours multiplied by coverage."""
        mix = np.zeros((4, 4), np.float32)
        mix[:3, :3] = np.diag(factor * share)
        mix[:3, 3] = self.light.haze * (1 - share) / 255
        mix[3, 3] = 1
        return cv2.transform(level, mix)

    def _plane_to_image(
        self, corners: np.ndarray, shape: tuple[int, ...], left: int, top: int
    ) -> np.ndarray:
        """Homography from texture pixels to the window's pixels, 3x3."""
        height, width = shape[:2]
        camera = self.camera
        lens = np.array(
            [
                [camera.focal, 0, camera.centre_u - left],
                [0, -camera.focal, camera.horizon - top],
                [0, 0, 1],
            ]
        )
        edges = np.stack([corners[1] - corners[0], corners[3] - corners[0], corners[0]], 1)
        pixels = np.array(
            [[1 / width, 0, 0.5 / width], [0, -1 / height, 1 - 0.5 / height], [0, 0, 1]]
        )
        return lens @ edges @ pixels

    def _blend(
        self, patch: np.ndarray, mask: np.ndarray | None, window: tuple[int, int, int, int]
    ) -> None:
        """Lays a patch (BGR times coverage, coverage) over the image, cut by a mask."""
        left, top, right, bottom = window
        if mask is not None and mask.min() < 255:
            patch = cv2.multiply(patch, cv2.cvtColor(mask, cv2.COLOR_GRAY2BGRA), scale=1 / 255)
            patch[..., 3] = cv2.min(patch[..., 3], mask)
        region = self.image[top:bottom, left:right]
        rest = cv2.cvtColor(255 - cv2.extractChannel(patch, 3), cv2.COLOR_GRAY2BGR)
        below = cv2.multiply(region, rest, scale=1 / 255)
        cv2.add(below, cv2.cvtColor(patch, cv2.COLOR_BGRA2BGR), dst=region)
