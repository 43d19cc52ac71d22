# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fills a street with traffic and people."""

from dataclasses import dataclass, field

import numpy as np

from upsnet_ros.core.labels import MAX_INSTANCE

from .actors import Actor, Body, ParkedTwoWheelerBody, RideBody, VehicleBody, WalkerBody
from .cars import build_any_car, build_car
from .classes import BUS, CAR, TRAIN, TRUCK
from .ground import KERB_HEIGHT
from .heavy_vehicles import build_bus, build_tram, build_truck
from .people import make_outfit
from .solids import Pose
from .street import Lane, Street
from .two_wheelers import make_bicycle, make_motorcycle


@dataclass
class Cast:
    """Collects actors and numbers the instances of each class from 1."""

    actors: list[Actor] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    varied: bool = False

    def car(self, rng: np.random.Generator) -> Body:
        """A car of the few bodies of the demo, or of any."""
        return VehicleBody(CAR, build_any_car(rng) if self.varied else build_car(rng))

    def add(self, body: Body, pose: Pose, velocity: tuple[float, float] = (0.0, 0.0)) -> None:
        """Adds an actor; numbers start again at 1 after 255 of a class."""
        numbers = []
        for class_id in body.class_ids:
            count = self.counts.get(class_id, 0)
            self.counts[class_id] = count + 1
            numbers.append(count % MAX_INSTANCE + 1)
        self.actors.append(Actor(body, pose, velocity, tuple(numbers)))


def make_cast(
    rng: np.random.Generator,
    street: Street,
    *,
    duration: float,
    speed: float,
    end: float,
    varied: bool = False,
) -> list[Actor]:
    """All actors of a drive.

    Args:
        rng: source of randomness.
        street: its plan.
        duration: of the drive [s].
        speed: mean speed of the camera [m/s].
        end: how far along the road anything stands [m].
        varied: more cars, of any body and standing anyhow, and crowds.
    """
    cast = Cast(varied=varied)
    _trams(rng, cast, street, duration=duration, speed=speed, end=end)
    for lane in street.lanes:
        _lane_traffic(rng, cast, street, lane, duration=duration, speed=speed, end=end)
    _parked_cars(rng, cast, street, end)
    for sign in (-1, 1):
        _people(rng, cast, street, sign, duration, end)
        _parked_two_wheelers(rng, cast, street, sign, end)
        if not varied or rng.random() < 0.5:
            _cyclists(rng, cast, street, sign, duration=duration, speed=speed, end=end)
    _crossing_people(rng, cast, street, duration)
    if varied:
        _anywhere(rng, cast, street)
    return cast.actors


def _vehicle(rng: np.random.Generator, cast: Cast, *, rails: bool) -> Body:
    """Something for a lane."""
    kinds = ('car', 'truck', 'bus', 'motorcycle', 'bicycle', 'tram')
    weights = np.array([0.44, 0.16, 0.16, 0.13, 0.06, 0.25 if rails else 0.0])
    if cast.varied:
        weights = np.array([0.76, 0.08, 0.06, 0.03, 0.04, 0.03 if rails else 0.0])
    kind = kinds[rng.choice(6, p=weights / weights.sum())]
    if kind == 'car':
        return cast.car(rng)
    if kind == 'truck':
        return VehicleBody(TRUCK, build_truck(rng))
    if kind == 'bus':
        return VehicleBody(BUS, build_bus(rng))
    if kind == 'tram':
        return VehicleBody(TRAIN, build_tram(rng))
    return _ride(rng, motorcycle=kind == 'motorcycle')


def _ride(rng: np.random.Generator, *, motorcycle: bool) -> RideBody:
    """Somebody on a two-wheeler."""
    vehicle = make_motorcycle(rng) if motorcycle else make_bicycle(rng)
    return RideBody(
        vehicle, make_outfit(rng), 0.0 if motorcycle else 7.0, float(rng.uniform(0, 6))
    )


def _lane_traffic(
    rng: np.random.Generator,
    cast: Cast,
    street: Street,
    lane: Lane,
    *,
    duration: float,
    speed: float,
    end: float,
) -> None:
    """A row of vehicles of one speed, so that none runs into the next."""
    pace = speed if lane.direction > 0 else -rng.uniform(0.7, 1.2) * speed
    is_ego = lane.x == street.ego_x
    if lane.direction > 0 and not is_ego:
        pace = speed * rng.uniform(0.9, 1.06)
    last = end if lane.direction > 0 else end - pace * duration
    place = rng.uniform(9, 24) if is_ego else rng.uniform(7, 22)
    while place < last:
        body = _vehicle(rng, cast, rails=lane.rails)
        length = body.size[0]
        heading = (0.0 if lane.direction > 0 else np.pi) + rng.normal(0, 0.012)
        x = lane.x + rng.normal(0, 0.12)
        cast.add(body, Pose(x, 0.0, place + length / 2, heading), (0.0, pace))
        place += length + rng.uniform(5, 20)


def _trams(
    rng: np.random.Generator,
    cast: Cast,
    street: Street,
    *,
    duration: float,
    speed: float,
    end: float,
) -> None:
    """Trams on the reserve in the middle."""
    if not street.reserve_half:
        return
    direction = 1 if rng.random() < 0.5 else -1
    pace = direction * speed * rng.uniform(0.8, 1.05)
    place = rng.uniform(8, 34)
    last = end - min(pace, 0) * duration
    while place < last:
        body = VehicleBody(TRAIN, build_tram(rng))
        cast.add(
            body,
            Pose(0.0, 0.0, place + body.size[0] / 2, 0.0 if direction > 0 else np.pi),
            (0.0, pace),
        )
        place += body.size[0] + rng.uniform(14, 45)


def _parked_cars(rng: np.random.Generator, cast: Cast, street: Street, end: float) -> None:
    """Cars, a few vans and motorcycles in the parking lanes."""
    for x in street.parking:
        fill = rng.uniform(0.3, 1.0) if cast.varied else rng.uniform(0.35, 0.75)
        cars = 0.93 if cast.varied else 0.78
        place = rng.uniform(0, 6)
        while place < end:
            clear = all(abs(place + 3 - crossing) > 7 for crossing in street.crossings)
            heading = 0.0 if x > 0 else np.pi
            if clear and rng.random() < fill:
                choice = rng.random()
                pose = Pose(
                    x + rng.normal(0, 0.08), 0.0, place + 3.0, heading + rng.normal(0, 0.015)
                )
                if choice < cars:
                    cast.add(cast.car(rng), pose)
                elif choice < cars + 0.1 - 0.07 * cast.varied:
                    cast.add(VehicleBody(TRUCK, build_truck(rng)), pose)
                    place += 4.5
                else:
                    turned = Pose(pose.x, 0.0, pose.s, heading + rng.uniform(0.5, 1.4))
                    cast.add(ParkedTwoWheelerBody(make_motorcycle(rng)), turned)
            place += rng.uniform(5.6, 7.0)


def _people(
    rng: np.random.Generator, cast: Cast, street: Street, sign: int, duration: float, end: float
) -> None:
    """People on one pavement, alone and in groups."""
    side = street.side(sign)
    place = rng.uniform(3, 10)
    gap = rng.uniform(1.5, 14) if cast.varied else rng.uniform(4, 10)
    groups = [1, 1, 2, 2, 3, 5] if cast.varied else [1, 1, 1, 2, 2, 3]
    while place < end + 2 * duration:
        for _ in range(int(rng.choice(groups))):
            away = side.verge + rng.uniform(0.9, side.walk - 0.4)
            standing = rng.random() < 0.2
            way = 1 if rng.random() < 0.5 else -1
            walk = 0.0 if standing else rng.uniform(0.9, 1.6)
            heading = (
                rng.uniform(0, 2 * np.pi)
                if standing
                else (0.0 if way > 0 else np.pi) + rng.normal(0, 0.1)
            )
            body = WalkerBody(
                make_outfit(rng, muted=cast.varied),
                0.0 if standing else 1.0,
                4.2 * max(walk, 0.1),
                float(rng.uniform(0, 6)),
            )
            cast.add(
                body,
                Pose(
                    street.kerb(sign) + sign * away,
                    KERB_HEIGHT,
                    place + rng.uniform(-0.8, 0.8),
                    heading,
                ),
                (0.0, way * walk),
            )
        place += rng.exponential(gap) + 1.2


def _parked_two_wheelers(
    rng: np.random.Generator, cast: Cast, street: Street, sign: int, end: float
) -> None:
    """Bicycles and motorcycles on the pavement, mostly across it."""
    place = rng.uniform(4, 12)
    while place < end:
        clear = all(abs(place - crossing) > 3 for crossing in street.crossings)
        bicycle = rng.random() < 0.6
        spread = 0.0
        for _ in range(int(rng.choice([1, 2, 3]))):
            if not clear:
                break
            heading = sign * np.pi / 2 + rng.normal(0, 0.35) + (np.pi if rng.random() < 0.5 else 0)
            vehicle = make_bicycle(rng) if bicycle else make_motorcycle(rng)
            cast.add(
                ParkedTwoWheelerBody(vehicle),
                Pose(
                    street.kerb(sign) + sign * rng.uniform(1.1, 1.5),
                    KERB_HEIGHT,
                    place + spread,
                    heading,
                ),
            )
            spread += rng.uniform(0.8, 1.5)
        place += rng.uniform(7, 20)


def _cyclists(
    rng: np.random.Generator,
    cast: Cast,
    street: Street,
    sign: int,
    *,
    duration: float,
    speed: float,
    end: float,
) -> None:
    """Riders along the edge of the carriageway."""
    outer = max(lane.x * sign for lane in street.lanes) * sign
    x = outer + sign * rng.uniform(1.9, 2.2)
    pace = sign * rng.uniform(4.0, 6.0) if sign < 0 else max(speed * 0.8, 3.5)
    place = rng.uniform(6, 20)
    while place < end + (duration * abs(pace) if sign < 0 else 0):
        motorcycle = rng.random() < 0.25
        cast.add(
            _ride(rng, motorcycle=motorcycle),
            Pose(x, 0.0, place, (0.0 if sign > 0 else np.pi) + rng.normal(0, 0.12)),
            (0.0, pace),
        )
        place += rng.uniform(9, 30)


def _crossing_people(
    rng: np.random.Generator, cast: Cast, street: Street, duration: float
) -> None:
    """Walkers and riders on the pedestrian crossings of a short visit.

    A long drive has none: its traffic does not stop for them.
    """
    if duration > 8:
        return
    for crossing in street.crossings:
        busy = any(
            abs(actor.pose(0.0).s - crossing) < actor.body.size[0] / 2 + 3
            and street.road_left < actor.start.x < street.road_right
            for actor in cast.actors
        )
        if busy:
            continue
        for _ in range(int(rng.integers(0, 4))):
            way = 1 if rng.random() < 0.5 else -1
            x = rng.uniform(street.road_left + 0.5, street.road_right - 0.5)
            s = crossing + rng.uniform(-1.3, 1.3)
            if rng.random() < 0.6:
                body: Body = WalkerBody(make_outfit(rng), 1.0, 5.5, float(rng.uniform(0, 6)))
                speed = 1.3
            else:
                body, speed = _ride(rng, motorcycle=bool(rng.random() < 0.4)), 3.0
            cast.add(body, Pose(x, 0.0, s, way * np.pi / 2), (way * speed, 0.0))


def _anywhere(rng: np.random.Generator, cast: Cast, street: Street) -> None:
    """Cars that turn, park askew or stand in yards, and people who walk where they like."""
    for _ in range(int(rng.integers(0, 14))):
        sign = 1 if rng.random() < 0.5 else -1
        inside = rng.random() < 0.3
        edge = street.kerb(sign)
        x = rng.uniform(0.3, 1.0) * edge if inside else edge + sign * rng.uniform(0.5, 12.0)
        pose = Pose(x, 0.0, rng.uniform(8, 75), rng.uniform(0, 2 * np.pi))
        if _is_free(cast, pose, 5.0):
            cast.add(cast.car(rng), pose)
    for _ in range(int(rng.integers(0, 12))):
        x = rng.uniform(street.road_left - 4, street.road_right + 4)
        pose = Pose(x, 0.0, rng.uniform(4, 50), rng.uniform(0, 2 * np.pi))
        if _is_free(cast, pose, 1.5):
            body = WalkerBody(
                make_outfit(rng, muted=True),
                float(rng.random() < 0.7),
                5.0,
                float(rng.uniform(0, 6)),
            )
            cast.add(body, pose)


def _is_free(cast: Cast, pose: Pose, distance: float) -> bool:
    """Whether nobody stands within a distance [m] of a place at the start."""
    return all(
        abs(actor.start.x - pose.x) > distance / 2
        or abs(actor.start.s - pose.s) > (distance + actor.body.size[0]) / 2
        for actor in cast.actors
    )
