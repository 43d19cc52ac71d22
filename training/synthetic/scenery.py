# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stands still beside the street: houses, walls, fences, trees, posts and signs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from upsnet_ros.core.labels import encode_label

from . import facades, foliage
from .canvas import Canvas, Part, Texture
from .classes import BUILDING, FENCE, VEGETATION, WALL
from .light import Light
from .solids import Pose
from .street import Lot, Street
from .street_furniture import POLE_GREYS, SIGNS, LampPost, Sign, TrafficLight
from .style import PLAIN, Style

UP = np.array([0.0, 1.0, 0.0])


@dataclass
class Plane:
    """A textured rectangle of the street; its picture is made when first seen.

    Attributes:
        maker: makes the picture.
        origin, along, up: lower left corner and edges, street coordinates [m].
        normal: unit normal for the light.
        class_id: stuff class.
        solid_label: see Canvas.draw_plane.
    """

    maker: Callable[[], Texture]
    origin: np.ndarray
    along: np.ndarray
    up: np.ndarray
    normal: np.ndarray
    class_id: int
    solid_label: bool = True

    @cached_property
    def texture(self) -> Texture:
        """The picture."""
        return self.maker()

    def draw(self, canvas: Canvas) -> None:
        """Draws it unless the camera has passed it."""
        if max(self.origin[2], self.origin[2] + self.along[2]) < canvas.camera.s + 1:
            return
        view = canvas.outline_plane(self.origin, self.along, self.up)
        if view is None:
            return
        canvas.draw_plane(
            self.texture,
            view,
            label=encode_label(self.class_id, 0),
            factor=canvas.light.factor(self.normal),
            solid_label=self.solid_label,
        )


@dataclass
class Plant:
    """A tree or a bush.

    Attributes:
        texture: shared picture.
        base: foot, street coordinates [m].
        width, height: [m].
    """

    texture: Texture
    base: np.ndarray
    width: float
    height: float

    def draw(self, canvas: Canvas) -> None:
        """Draws it, facing the camera."""
        light = canvas.light
        factor = light.ambient * 1.0 + light.sun * 0.62
        canvas.draw_sprite(
            self.texture,
            self.base,
            self.width,
            self.height,
            label=encode_label(VEGETATION, 0),
            factor=factor,
        )


@dataclass
class Gable:
    """The triangle under a pitched roof, in the colour of its house."""

    corners: np.ndarray
    colour: np.ndarray

    def draw(self, canvas: Canvas) -> None:
        """Draws it while it is in front of the camera."""
        points = canvas.camera.to_camera(self.corners)
        if points[:, 2].min() < 1.0:
            return
        factor = canvas.light.factor(np.array([0.0, 0.0, -1.0]))
        colour = canvas.light.seen(self.colour, factor, float(points[:, 2].mean()))
        canvas.draw(Part(canvas.camera.to_image(points), colour, encode_label(BUILDING, 0)))


@dataclass(frozen=True)
class PlantShop:
    """The few tree and bush pictures that one world uses again and again."""

    trees: tuple[Texture, ...]
    bushes: tuple[Texture, ...]
    growth: float = 1.0  # factor of the trees' height

    @classmethod
    def make(cls, rng: np.random.Generator, light: Light, style: Style = PLAIN) -> 'PlantShop':
        """Grows four trees and two bushes."""
        lit_left = light.to_sun[0] < 0
        trees = [foliage.tree(rng, lit_left=lit_left) for _ in range(4)]
        bushes = [foliage.bush(rng, lit_left=lit_left) for _ in range(2)]
        if not style.is_plain:
            for index in range(4):
                if rng.random() < style.bare:
                    trees[index] = foliage.bare_tree(rng)
                elif rng.random() < 0.2:
                    trees[index] = foliage.conifer(rng)
            trees, bushes = (
                [
                    plant.weathered(
                        int(rng.integers(1 << 31)), surface=style.surface, tint=1.3 * style.tint
                    )
                    for plant in own
                ]
                for own in (trees, bushes)
            )
        return cls(tuple(trees), tuple(bushes), 1.0 if style.is_plain else rng.uniform(0.8, 2.0))

    def tree(self, rng: np.random.Generator, x: float, s: float, y: float) -> Plant:
        """A tree at a place."""
        height = rng.uniform(4.8, 8.5) * self.growth
        texture = self.trees[rng.integers(len(self.trees))]
        return Plant(texture, np.array([x, y, s]), height * rng.uniform(0.68, 0.85), height)

    def bush(self, rng: np.random.Generator, x: float, s: float, y: float) -> Plant:
        """A bush at a place."""
        height = rng.uniform(0.9, 1.8)
        texture = self.bushes[rng.integers(len(self.bushes))]
        return Plant(texture, np.array([x, y, s]), height * rng.uniform(1.3, 1.7), height)


def lot_scenery(
    rng: np.random.Generator, street: Street, lot: Lot, shop: PlantShop, *, ground: float
) -> list[Plane | Plant | Gable]:
    """Everything on a lot, in drawing order (outer things first)."""
    line = street.property_line(lot.side)
    items: list[Plane | Plant | Gable] = []
    if lot.kind == 'building':
        return _house(rng, lot, line, ground, tall=True)
    if lot.kind in ('walled', 'fenced') and rng.random() < 0.75:
        items += _house(rng, lot, line + lot.side * lot.setback, ground, tall=False)
    items += _garden(rng, lot, line, shop, ground)
    length = np.array([0.0, 0.0, lot.end - lot.start])
    normal = np.array([-float(lot.side), 0.0, 0.0])
    if lot.kind == 'park':
        return items
    walled = lot.kind == 'walled'
    height = rng.uniform(1.8, 2.8) if walled else rng.uniform(1.3, 1.9)
    seed = int(rng.integers(1 << 31))
    make = facades.wall if walled else facades.fence
    items.append(
        Plane(
            lambda: make(np.random.default_rng(seed), width=length[2], height=height),
            np.array([line, ground, lot.start]),
            length,
            UP * height,
            normal,
            WALL if walled else FENCE,
        )
    )
    return items


def _house(
    rng: np.random.Generator, lot: Lot, front_x: float, ground: float, *, tall: bool
) -> list[Plane | Plant | Gable]:
    """Gable wall, front and roof of a house that fills the lot's length."""
    width = lot.end - lot.start
    storey = rng.uniform(2.9, 3.4)
    floors = int(rng.integers(3, 7)) if tall else int(rng.integers(2, 4))
    height, deep = floors * storey, 10.0
    side = float(lot.side)
    seed, other = (int(rng.integers(1 << 31)) for _ in range(2))
    base = facades.PLASTERS[rng.integers(len(facades.PLASTERS))] * 0.92
    corner = np.array([front_x, ground, lot.start])
    facing, inward = np.array([0.0, 0.0, -1.0]), np.array([-side, 0.0, 0.0])
    items: list[Plane | Plant | Gable] = [
        Plane(
            lambda: facades.gable(
                np.random.default_rng(other), width=deep, height=height, base=base
            ),
            corner,
            np.array([side * deep, 0, 0]),
            UP * height,
            facing,
            BUILDING,
        )
    ]
    pitched = rng.random() < (0.45 if tall else 0.85)
    rise = rng.uniform(1.8, 3.2)
    eave = corner + UP * height
    if pitched:
        items.append(
            Gable(
                np.array([eave, eave + [side * deep / 2, rise, 0], eave + [side * deep, 0, 0]]),
                base,
            )
        )
    items.append(
        Plane(
            lambda: facades.facade(
                np.random.default_rng(seed), width=width, floors=floors, storey=storey
            ),
            corner,
            np.array([0, 0, width]),
            UP * height,
            inward,
            BUILDING,
        )
    )
    if pitched:
        lean = np.array([side * deep / 2, rise, 0])
        tilted = np.array([-side * rise, deep / 2, 0]) / np.hypot(rise, deep / 2)
        items.append(
            Plane(
                lambda: facades.roof(
                    np.random.default_rng(other), width=width, height=float(np.linalg.norm(lean))
                ),
                eave + [-side * 0.3, -0.1, -0.2],
                np.array([0, 0, width + 0.4]),
                lean,
                tilted,
                BUILDING,
            )
        )
    return items


def _garden(
    rng: np.random.Generator, lot: Lot, line: float, shop: PlantShop, ground: float
) -> list[Plant]:
    """Trees and bushes, far ones first."""
    plants: list[Plant] = []
    park = lot.kind == 'park'
    for place in np.arange(lot.start + 1.5, lot.end - 1, rng.uniform(3.5, 6)):
        deep = rng.uniform(2.0, 14.0) if park else rng.uniform(1.6, max(lot.setback - 1, 1.8))
        x = line + lot.side * deep
        if rng.random() < (0.75 if park else 0.4):
            plants.append(shop.tree(rng, x, place, ground))
        elif rng.random() < 0.7:
            plants.append(shop.bush(rng, x, place, ground))
    return sorted(plants, key=lambda plant: -plant.base[2])


def street_plants(
    rng: np.random.Generator,
    street: Street,
    shop: PlantShop,
    *,
    start: float,
    end: float,
    ground: float,
) -> list[Plant]:
    """Trees along the kerb and bushes on the grass behind the pavement."""
    plants: list[Plant] = []
    for sign in (-1, 1):
        side = street.side(sign)
        if rng.random() < 0.6:
            away = side.verge / 2 if side.verge else 0.6
            for place in np.arange(start + rng.uniform(0, 9), end, rng.uniform(9, 17)):
                if rng.random() < 0.8:
                    plants.append(
                        shop.tree(
                            rng,
                            street.kerb(sign) + sign * away,
                            place + rng.uniform(-1, 1),
                            ground,
                        )
                    )
        if side.back:
            away = side.depth - side.back / 2
            for place in np.arange(start + rng.uniform(0, 9), end, rng.uniform(4, 12)):
                plants.append(
                    shop.bush(
                        rng, street.kerb(sign) + sign * away, place + rng.uniform(-1, 1), ground
                    )
                )
    return plants


def street_posts(
    rng: np.random.Generator, street: Street, *, start: float, end: float, ground: float
) -> list[LampPost | TrafficLight | Sign]:
    """Lamps, traffic lights and signs on both sides."""
    grey = POLE_GREYS[rng.integers(len(POLE_GREYS))]
    posts: list[LampPost | TrafficLight | Sign] = []
    for sign in (-1, 1):
        kerb = street.kerb(sign)
        step = rng.uniform(17, 24)
        for place in np.arange(start + rng.uniform(0, step), end, step):
            pose = Pose(kerb + sign * 0.55, ground, float(place))
            reach, height = -sign * rng.uniform(1.2, 2.0), rng.uniform(5.6, 7.2)
            posts.append(LampPost(pose, reach, height, grey))
        for crossing in street.crossings:
            pose = Pose(kerb + sign * 0.6, ground, crossing - 2.4)
            arm = -sign * rng.uniform(2.2, 3.6) if rng.random() < 0.45 else 0.0
            # Both posts of a crossing show the same light.
            posts.append(TrafficLight(pose, arm, 7.3 * crossing % TrafficLight.CYCLE, grey))
        step = rng.uniform(9, 15)
        for place in np.arange(start + rng.uniform(0, step), end, step):
            near = min((abs(place - crossing) for crossing in street.crossings), default=99.0)
            if near < 3.5:
                continue
            count = 2 if rng.random() < 0.3 else 1
            kinds = tuple(str(name) for name in rng.choice(SIGNS, count, replace=False))
            pose = Pose(
                kerb + sign * rng.uniform(0.6, 0.9),
                ground,
                float(place),
                float(rng.uniform(-0.12, 0.12)),
            )
            posts.append(Sign(pose, kinds, float(rng.uniform(0.40, 0.52)), grey))
    return posts
