# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shadows on the ground: cast by the sun, and soft ones where things touch the ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .actors import Actor
from .camera import clip_near
from .canvas import SHIFT, UNIT, Canvas, fixed_point
from .scenery import Plane

if TYPE_CHECKING:
    from .world import World


def cast_shadows(
    canvas: Canvas, world: World, actors: list[Actor], time: float, first: int
) -> None:
    """Darkens the painted ground.

    Args:
        canvas: with its ground painted.
        world: its light and what stands still.
        actors: that are shown.
        time: since the drive's start [s].
        first: first row of the ground.
    """
    height, width = canvas.label.shape
    sun: np.ndarray = np.zeros((height - first, width), np.uint8)
    touch: np.ndarray = np.zeros_like(sun)
    for actor in actors:
        print_ = actor.footprint(time)
        _fill(canvas, touch, _grown(print_, 1.06), first, 170)
    if world.light.shadow:
        _sun_shadows(canvas, world, actors, time, first, sun)
    sun = cv2.GaussianBlur(sun, (5, 5), 0)
    touch = cv2.blur(touch, (13, 5))
    light = 255 - cv2.max(cv2.multiply(sun, UNIT, scale=world.light.shadow), touch)
    region = canvas.image[first:]
    cv2.multiply(region, cv2.merge([light] * 3), dst=region, scale=1 / 255)


def _grown(points: np.ndarray, factor: float) -> np.ndarray:
    """A polygon enlarged around its middle."""
    middle = points.mean(0)
    return middle + (points - middle) * factor


def _sun_shadows(
    canvas: Canvas, world: World, actors: list[Actor], time: float, first: int, mask: np.ndarray
) -> None:
    """Fills the mask with the shadows of things, plants, posts and houses."""
    to_sun = world.light.to_sun
    shift = -to_sun[[0, 2]] / to_sun[1]
    for actor in actors:
        base = actor.footprint(time)
        _fill(canvas, mask, _swept(base, shift * actor.body.size[2] * 0.92), first, 255)
    for plant in world.plants:
        if -4 < plant.base[2] - canvas.camera.s < 70:
            _plant_shadow(canvas, mask, plant.base, plant.width, plant.height, shift, first)
    for post in world.posts:
        if -2 < post.pose.s - canvas.camera.s < 40:
            base = np.array(
                [
                    (post.pose.x + x, 0.0, post.pose.s + s)
                    for x, s in ((-0.12, -0.12), (0.12, -0.12), (0.12, 0.12), (-0.12, 0.12))
                ]
            )
            _fill(canvas, mask, _swept(base, shift * 5.5), first, 255)
    for start, end, items in world.lots:
        if end > canvas.camera.s - 20 and start < canvas.camera.s + 120:
            for item in items:
                if isinstance(item, Plane) and item.solid_label and item.up[0] == 0:
                    edge = np.array([item.origin, item.origin + item.along])
                    edge[:, 1] = 0
                    _fill(canvas, mask, _swept(edge, shift * item.up[1]), first, 255)


def _plant_shadow(
    canvas: Canvas,
    mask: np.ndarray,
    base: np.ndarray,
    width: float,
    height: float,
    shift: np.ndarray,
    first: int,
) -> None:
    """A crown's shadow, an ellipse pulled away from the sun."""
    angle = np.arange(14) * (2 * np.pi / 14)
    wobble = 1 + 0.15 * np.sin(3 * angle + base[2])
    radius = 0.36 * width
    ring = radius * wobble * np.stack([np.cos(angle), np.zeros(14), np.sin(angle)])
    ring = ring.T + np.array([base[0], 0.0, base[2]])
    low, high = shift * height * 0.4, shift * height * 0.85
    start = ring + np.array([low[0], 0, low[1]])
    _fill(canvas, mask, _swept(start, high - low), first, 220)
    trunk = np.array([(base[0] - 0.15, 0, base[2]), (base[0] + 0.15, 0, base[2])])
    _fill(canvas, mask, _swept(trunk, high), first, 220)


def _swept(points: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Convex hull of a ground polygon and its copy moved by (x, s); float [N, 3]."""
    moved = points + np.array([shift[0], 0.0, shift[1]])
    flat = np.concatenate([points, moved])[:, [0, 2]].astype(np.float32)
    hull = cv2.convexHull(flat)[:, 0, :].astype(np.float64)
    return np.stack([hull[:, 0], np.zeros(len(hull)), hull[:, 1]], -1)


def _fill(canvas: Canvas, mask: np.ndarray, polygon: np.ndarray, first: int, value: int) -> None:
    """Fills a ground polygon (street coordinates) into the mask."""
    points = clip_near(canvas.camera.to_camera(polygon))
    if len(points) < 3:
        return
    image = canvas.camera.to_image(points) - (0, first)
    if image[:, 0].max() < 0 or image[:, 0].min() > mask.shape[1]:
        return
    cv2.fillConvexPoly(mask, fixed_point(image), value, cv2.LINE_8, SHIFT)
