# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One world: everything that a seed decides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from upsnet_ros.core.errors import ParameterError

from . import foliage
from .actors import Actor
from .camera import Camera
from .canvas import Texture
from .ground import (
    KERB_HEIGHT,
    Ground,
    any_asphalt,
    any_grass,
    any_paving,
    asphalt,
    grass,
    paving,
)
from .light import Light, make_light, rgb
from .scenery import Gable, Plane, Plant, PlantShop, lot_scenery, street_plants, street_posts
from .sky import Sky
from .solids import Pose
from .street import Street, make_street
from .street_furniture import Clutter, LampPost, Sign, TrafficLight, make_clutter
from .style import PLAIN, Lens, Style, draw_kind, make_style, varied_light
from .traffic import make_cast

_T = TypeVar('_T')

VIEW = 170.0  # how far ahead the world is built [m]
FARTHEST = 95.0  # how far ahead things are seen in a world of a drawn style [m]


@dataclass(frozen=True)
class EgoMotion:
    """How the camera moves: steady speed with small, slow swings.

    Attributes:
        x: lane middle [m]; y: height of the camera [m]; speed: [m/s].
        phases: three phases of the swings [rad].
        bend: curvature of the road [1/m] swings between -bend and bend.
        lens: how the camera is made and mounted.
    """

    x: float
    y: float
    speed: float
    phases: tuple[float, float, float]
    bend: float
    lens: Lens = PLAIN.lens

    def camera(self, time: float, width: int, height: int) -> Camera:
        """The camera at a time [s]."""
        a, b, c = self.phases
        s = self.speed * time + 0.5 * np.sin(0.5 * time + a)
        return Camera(
            width,
            height,
            self.x + 0.15 * np.sin(0.35 * time + b),
            self.y,
            float(s),
            yaw=self.lens.yaw + 0.012 * np.sin(0.4 * time + c),
            pitch=self.lens.pitch + 0.004 * np.sin(1.7 * time + a),
            curvature=self.bend * np.sin(0.012 * s + b),
            focal_per_width=self.lens.focal,
            horizon_share=self.lens.horizon,
        )


@dataclass(frozen=True)
class World:
    """Everything that exists during a drive. Scenery lists are in drawing order."""

    seed: int
    duration: float
    light: Light
    sky: Sky
    ground: Ground
    backdrop: Texture
    lots: tuple[tuple[float, float, tuple[Plane | Plant | Gable, ...]], ...]
    plants: tuple[Plant, ...]
    posts: tuple[LampPost | TrafficLight | Sign | Clutter, ...]
    actors: tuple[Actor, ...]
    ego: EgoMotion
    style: Style = PLAIN


def make_world(seed: int, *, duration: float, varied: bool = False) -> World:
    """Builds a world.

    Args:
        seed: decides everything.
        duration: how long the camera drives through it [s].
        varied: whether its style is drawn; otherwise it is that of the demo.

    Returns:
        The world; the same arguments give the same world.

    Raises:
        ParameterError: the seed or the duration is negative.
    """
    if seed < 0 or duration < 0:
        raise ParameterError(
            f'a world of seed {seed} and {duration} s, expected a seed and a '
            'duration of at least 0'
        )
    plan, looks, people = (np.random.default_rng([seed, stream]) for stream in range(3))
    light, style = make_light(looks), PLAIN
    if varied:
        drawn = np.random.default_rng([seed, 3])
        style = make_style(drawn, draw_kind(drawn))
        light = light if style.is_plain else varied_light(drawn, light)
    speed = float(plan.uniform(5.5, 9.5))
    end = speed * duration + VIEW
    street = make_street(plan, start=-15.0, end=end)
    if style.varied_shapes and np.random.default_rng([seed, 7]).random() < 0.75:
        street = _without_trams(street)
    shop = PlantShop.make(looks, light, style)
    lots = sorted(street.lots, key=lambda lot: -lot.start)
    scenery = tuple(
        (lot.start, lot.end, tuple(lot_scenery(looks, street, lot, shop, ground=KERB_HEIGHT)))
        for lot in lots
    )
    ground = Ground(street, asphalt(looks), paving(looks), grass(looks))
    if not style.is_plain:
        worn = np.random.default_rng([seed, 5])
        ground = _any_ground(np.random.default_rng([seed, 4]), street, style, end)
        scenery = tuple(
            (start, stop, tuple(_weathered(worn, item, style) for item in items))
            for start, stop, items in scenery
        )
    plants = street_plants(looks, street, shop, start=-5.0, end=end, ground=KERB_HEIGHT)
    posts: list[LampPost | TrafficLight | Sign | Clutter] = [
        *street_posts(looks, street, start=-5.0, end=end, ground=KERB_HEIGHT)
    ]
    if style.clutter:
        posts += _clutter(np.random.default_rng([seed, 6]), street, style.clutter, end)
    ego = EgoMotion(
        street.ego_x,
        float(plan.uniform(1.3, 1.5)) + style.lens.height,
        speed,
        tuple(plan.uniform(0, 2 * np.pi, 3)),
        float(plan.uniform(0, 0.0035)) * (1 if style.is_plain else 3),
        style.lens,
    )
    sky = Sky(float(looks.random()), float(looks.random()))
    backdrop = foliage.tree_line(looks, lit_left=light.to_sun[0] < 0)
    actors = make_cast(
        people,
        street,
        duration=duration,
        speed=speed,
        end=min(end, speed * duration + FARTHEST) if style.varied_shapes else end,
        varied=style.varied_shapes,
    )
    thinned = np.random.default_rng([seed, 8])
    if not style.is_plain:
        backdrop = backdrop.weathered(seed, surface=style.surface, tint=style.tint)
    return World(
        seed,
        duration,
        light,
        sky,
        ground,
        backdrop,
        _thinned(thinned, scenery, style.empty_land),
        _thinned(thinned, plants, style.empty_land),
        _thinned(thinned, posts, style.empty_road),
        _thinned(thinned, actors, style.empty_road),
        ego,
        style,
    )


def _any_ground(rng: np.random.Generator, street: Street, style: Style, end: float) -> Ground:
    """Any road, pavement and lawn, with markings beyond those of the plan."""
    pale = rgb(226, 226, 220) * rng.uniform(0.7, 1.1)
    marks = []
    for _ in range(int(rng.integers(0, 40))):
        place, x = rng.uniform(0, end), rng.uniform(street.road_left, street.road_right)
        marks.append((x, rng.uniform(0.08, 0.6), place, place + rng.uniform(0.3, 6.0)))
    if rng.random() < 0.3:  # lines along the kerbs, as where nobody may park
        for kerb in (street.road_left + 0.25, street.road_right - 0.25):
            for place in np.arange(0.0, end, 4.0):
                marks.append((kerb, 0.1, float(place), float(place) + 4.0))
    return Ground(
        street,
        any_asphalt(rng, style.surface),
        any_paving(rng, style.surface),
        any_grass(rng, style.surface),
        rgb(224, 190, 70) if rng.random() < 0.12 else pale,
        float(rng.uniform(0.3, 0.95)),
        tuple(marks),
    )


def _weathered(
    rng: np.random.Generator, item: Plane | Plant | Gable, style: Style
) -> Plane | Plant | Gable:
    """A piece of scenery of another material; plants are weathered in their shop."""
    if not isinstance(item, Plane):
        return item
    own = int(rng.integers(1 << 31))

    def make() -> Texture:
        return item.maker().weathered(own, surface=style.surface, tint=style.tint)

    return replace(item, maker=make)


def _without_trams(street: Street) -> Street:
    """The same street, with asphalt where rails would lie."""
    lanes = tuple(replace(lane, rails=False) for lane in street.lanes)
    return replace(street, reserve_half=0.0, green_reserve=False, tracks=(), lanes=lanes)


def _clutter(
    rng: np.random.Generator, street: Street, distance: float, end: float
) -> list[Clutter]:
    """Things of no class on pavements and in yards, a few of them on the road."""
    found, place = [], 4.0
    while place < end:
        sign = 1 if rng.random() < 0.5 else -1
        away = rng.uniform(-2.5, 0.0) if rng.random() < 0.15 else rng.uniform(0.3, 7.0)
        x, ground = street.kerb(sign) + sign * away, KERB_HEIGHT if away > 0 else 0.0
        found.append(make_clutter(rng, Pose(x, ground, place, rng.uniform(0, 2 * np.pi))))
        place += rng.exponential(distance)
    return found


def _thinned(rng: np.random.Generator, things: Sequence[_T], share: float) -> tuple[_T, ...]:
    """What is left of things when a share of them is taken away, in the same order."""
    kept = rng.random(len(things)) >= share
    return tuple(thing for thing, keep in zip(things, kept, strict=True) if keep)
