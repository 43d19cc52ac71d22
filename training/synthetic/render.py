# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paints one frame of a world: picture and label image."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.labels import UNKNOWN_LABEL, encode_label

from .actors import Actor
from .camera import Camera
from .canvas import SHIFT, Canvas, Part, fixed_point
from .classes import FIRST_THING, VEGETATION
from .development import add_bonnet, develop, distort, mirror_road, roughen
from .noise import wide_noise
from .painting_order import Extent, paint_far_to_near
from .sensor import expose
from .shadows import cast_shadows
from .world import World

# A thing that shows less than this is left out [px at 1024 columns]. A coarse painting of the
# things is the first judgement. The labels painted in the end, where trees and posts cover things
# too, are the last one; they may need a second painting.
MIN_COARSE_PIXELS = 360
MIN_PIXELS = 130
# So is one that shows less than this share of itself, unless what shows is a large piece, whose
# sudden end would be seen in a drive.
MIN_VISIBLE = 0.18
LARGE_COARSE_PIXELS = 1000


@dataclass(frozen=True)
class Frame:
    """One moment of a drive.

    Attributes:
        image: uint8 [H, W, 3], BGR.
        label: uint16 [H, W], ``class_id << 8 | instance``, things from 1, stuff 0.
        time: since the drive's start [s].
        camera: where it was taken.
    """

    image: np.ndarray
    label: np.ndarray
    time: float
    camera: Camera


def check_size(size: tuple[int, int]) -> None:
    """Refuses image sizes that cannot be rendered.

    Raises:
        ParameterError: smaller than 128 x 128, larger than 4096 x 2048, or not in steps of 4 px.
    """
    width, height = size
    if not (128 <= width <= 4096 and 128 <= height <= 2048) or width % 4 or height % 4:
        raise ParameterError(
            f'image size is {width} x {height}, expected a width of 128 to 4096 '
            'and a height of 128 to 2048, both divisible by 4'
        )


def render_frame(world: World, time: float, *, size: tuple[int, int]) -> Frame:
    """Renders a world at a time.

    Args:
        world: what to render.
        time: since the drive's start [s], at most the world's duration.
        size: (width, height) [px].

    Returns:
        The frame; equal arguments give equal bytes.

    Raises:
        ParameterError: an image size that cannot be rendered.
    """
    check_size(size)
    width, height = size
    camera = world.ego.camera(time, width, height)
    smallest = MIN_PIXELS * world.style.least * (width / 1024) ** 2
    chosen = _worth_showing(world, camera, time)
    while True:
        canvas = _paint(world, camera, time, chosen)
        shown = np.bincount(canvas.label.ravel(), minlength=1 << 13)
        kept = [
            item for item in chosen if min(shown[label] for label in item[0].labels) >= smallest
        ]
        if len(kept) == len(chosen) or not world.style.is_plain:
            break
        chosen = kept
    rng = np.random.default_rng([world.seed, 99, round(time * 1000)])
    if not world.style.is_plain:
        clear = {label for actor, _ in kept for label in actor.labels}
        unclear = [label for actor, _ in chosen for label in actor.labels if label not in clear]
        return _styled(world, camera, canvas, time, rng, unclear)
    gain = {'clear': 2.0, 'overcast': 2.6, 'hazy': 2.4, 'evening': 3.2}[world.light.weather]
    image = expose(canvas.image, camera, world.light, rng, speed=world.ego.speed, gain=gain)
    return Frame(image, canvas.label, time, camera)


def _styled(
    world: World,
    camera: Camera,
    canvas: Canvas,
    time: float,
    rng: np.random.Generator,
    unclear: list[int],
) -> Frame:
    """The frame of a world whose style is not the demo's.

    What shows too little to be judged stays in the picture, as in real ones, and is void.
    """
    style, lens = world.style, world.style.lens
    canvas.label[np.isin(canvas.label, unclear)] = UNKNOWN_LABEL
    if style.wet:
        mirror_road(canvas.image, canvas.label, camera, style.wet)
    image, label = roughen(canvas.image, canvas.label, style, rng), canvas.label
    image = expose(image, camera, world.light, rng, speed=world.ego.speed, gain=1.0)
    if lens.bonnet:
        add_bonnet(image, label, lens.bonnet, rng)
    if lens.distortion:
        image, label = distort(image, label, lens.distortion)
    return Frame(develop(image, lens, rng), label, time, camera)


def _worth_showing(world: World, camera: Camera, time: float) -> list[tuple[Actor, list[Part]]]:
    """Actors that show enough of themselves, far to near, with their polygons."""
    found = []
    for actor in world.actors:
        if actor.in_reach(camera, time, world.style.reach) and (
            world.style.is_plain or actor.in_view(camera, time)
        ):
            parts = actor.parts(camera, world.light, time)
            if parts:
                found.append((actor, parts))
    order = paint_far_to_near([actor.extent(time) for actor, _ in found], camera.x)
    found = [found[index] for index in order]
    scale = world.style.least * (camera.width / 1024) ** 2
    areas = _coarse_areas(found, camera)
    return [
        item
        for item, (visible, whole) in zip(found, areas, strict=True)
        if visible >= MIN_COARSE_PIXELS * scale
        and (visible >= MIN_VISIBLE * whole or visible >= LARGE_COARSE_PIXELS * scale)
    ]


def _coarse_areas(
    found: list[tuple[Actor, list[Part]]], camera: Camera, *, step: int = 4
) -> np.ndarray:
    """How much each of several things shows, at a fraction of the resolution.

    Args:
        found: things, far to near; later ones cover earlier ones.
        camera: what sees them.
        step: size of a coarse pixel [px].

    Returns:
        int [N, 2], visible area and area without the others, in pixels of the full image.
    """
    owner = np.zeros((-(-camera.height // step), -(-camera.width // step)), np.uint16)
    whole = []
    for index, (_, parts) in enumerate(found, 1):
        alone = np.zeros(owner.shape, np.uint8)
        for part in parts:
            if part.label is not None:
                cv2.fillPoly(alone, [fixed_point(part.points / step)], 1, cv2.LINE_8, SHIFT)
        owner[alone > 0] = index
        whole.append(cv2.countNonZero(alone))
    visible = np.bincount(owner.ravel(), minlength=len(found) + 1)[1:]
    return np.column_stack([visible, np.array(whole, int)]) * step * step


def _paint(
    world: World, camera: Camera, time: float, chosen: list[tuple[Actor, list[Part]]]
) -> Canvas:
    """Paints the world from far to near."""
    canvas = Canvas(camera, world.light)
    world.sky.paint(canvas.image, canvas.label, camera, world.light)
    first = world.ground.paint(canvas.image, canvas.label, camera, world.light)
    cast_shadows(canvas, world, [actor for actor, _ in chosen], time, first)
    _backdrop(canvas, world)
    for start, end, items in world.lots:
        if end > camera.s + 2 and start < camera.s + 150:
            for item in items:
                item.draw(canvas)
    standing: list[tuple[Extent, Any]] = [
        (actor.extent(time), (actor, parts)) for actor, parts in chosen
    ]
    standing += [
        (Extent(plant.base[2], plant.base[2], plant.base[0]), plant)
        for plant in world.plants
        if camera.s + 2 < plant.base[2] < camera.s + 110
    ]
    standing += [
        (Extent(post.pose.s, post.pose.s, post.pose.x), post)
        for post in world.posts
        if camera.s + 3 < post.pose.s < camera.s + post.limit
    ]
    grain = wide_noise('fine')
    for index in paint_far_to_near([extent for extent, _ in standing], camera.x):
        thing = standing[index][1]
        if isinstance(thing, tuple):
            actor, parts = thing
            _draw_actor(canvas, actor, parts, grain)
        elif hasattr(thing, 'draw'):
            thing.draw(canvas)
        else:
            for part in thing.parts(camera, world.light, time):
                canvas.draw(part)
    return canvas


def _draw_actor(canvas: Canvas, actor: Actor, parts: list[Part], grain: np.ndarray) -> None:
    """Draws a thing and gives it surface."""
    for part in parts:
        canvas.draw(part)
    for label in actor.labels:
        own = [part.points for part in parts if part.label == label]
        if own:
            canvas.shade_thing(np.concatenate(own), label, grain)


def _backdrop(canvas: Canvas, world: World) -> None:
    """Woods along the horizon, where no house stands."""
    camera = canvas.camera
    far = 160.0
    x = camera.x - 0.5 * camera.curvature * far * far
    view = canvas.outline_plane(
        np.array([x - 130, -0.5, camera.s + far]), np.array([260.0, 0, 0]), np.array([0, 15.0, 0])
    )
    if view is not None:
        canvas.draw_plane(
            world.backdrop,
            view,
            label=encode_label(VEGETATION, 0),
            factor=world.light.ambient + world.light.sun * 0.5,
            solid_label=False,
        )


def thing_labels(label: np.ndarray) -> np.ndarray:
    """The distinct label values of things in a label image, ascending."""
    values = np.unique(label)
    return values[(values >> 8) >= FIRST_THING]
