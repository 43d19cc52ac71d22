# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One world: everything that a seed decides."""

from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.errors import ParameterError

from . import foliage
from .actors import Actor
from .camera import Camera
from .canvas import Texture
from .ground import KERB_HEIGHT, Ground, asphalt, grass, paving
from .light import Light, make_light
from .scenery import Gable, Plane, Plant, PlantShop, lot_scenery, street_plants, street_posts
from .sky import Sky
from .street import make_street
from .street_furniture import LampPost, Sign, TrafficLight
from .traffic import make_cast

VIEW = 170.0  # how far ahead the world is built [m]


@dataclass(frozen=True)
class EgoMotion:
    """How the camera moves: steady speed with small, slow swings.

    Attributes:
        x: lane middle [m]; y: height of the camera [m]; speed: [m/s].
        phases: three phases of the swings [rad].
        bend: curvature of the road [1/m] swings between -bend and bend.
    """

    x: float
    y: float
    speed: float
    phases: tuple[float, float, float]
    bend: float

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
            yaw=0.012 * np.sin(0.4 * time + c),
            pitch=0.004 * np.sin(1.7 * time + a),
            curvature=self.bend * np.sin(0.012 * s + b),
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
    posts: tuple[LampPost | TrafficLight | Sign, ...]
    actors: tuple[Actor, ...]
    ego: EgoMotion


def make_world(seed: int, *, duration: float) -> World:
    """Builds a world.

    Args:
        seed: decides everything.
        duration: how long the camera drives through it [s].

    Returns:
        The world; the same seed and duration give the same world.

    Raises:
        ParameterError: the seed or the duration is negative.
    """
    if seed < 0 or duration < 0:
        raise ParameterError(
            f'a world of seed {seed} and {duration} s, expected a seed and a '
            'duration of at least 0'
        )
    plan, looks, people = (np.random.default_rng([seed, stream]) for stream in range(3))
    light = make_light(looks)
    speed = float(plan.uniform(5.5, 9.5))
    end = speed * duration + VIEW
    street = make_street(plan, start=-15.0, end=end)
    shop = PlantShop.make(looks, light)
    lots = sorted(street.lots, key=lambda lot: -lot.start)
    scenery = tuple(
        (lot.start, lot.end, tuple(lot_scenery(looks, street, lot, shop, ground=KERB_HEIGHT)))
        for lot in lots
    )
    ground = Ground(street, asphalt(looks), paving(looks), grass(looks))
    plants = street_plants(looks, street, shop, start=-5.0, end=end, ground=KERB_HEIGHT)
    posts = street_posts(looks, street, start=-5.0, end=end, ground=KERB_HEIGHT)
    ego = EgoMotion(
        street.ego_x,
        float(plan.uniform(1.3, 1.5)),
        speed,
        tuple(plan.uniform(0, 2 * np.pi, 3)),
        float(plan.uniform(0, 0.0035)),
    )
    sky = Sky(float(looks.random()), float(looks.random()))
    backdrop = foliage.tree_line(looks, lit_left=light.to_sun[0] < 0)
    actors = make_cast(people, street, duration=duration, speed=speed, end=end)
    return World(
        seed,
        duration,
        light,
        sky,
        ground,
        backdrop,
        scenery,
        tuple(plants),
        tuple(posts),
        tuple(actors),
        ego,
    )
