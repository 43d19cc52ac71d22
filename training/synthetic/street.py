# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a street: its cross-section, its markings, and what lies along both sides."""

from dataclasses import dataclass

import numpy as np

from .classes import SIDEWALK, TERRAIN

LOT_KINDS = ('building', 'walled', 'fenced', 'park')


@dataclass(frozen=True)
class Line:
    """A painted line: its middle x, its width, its dashes and gaps [m]; dash 0 is solid."""

    x: float
    width: float
    dash: float = 0.0
    gap: float = 0.0


@dataclass(frozen=True)
class Lane:
    """A lane: middle x [m] and direction (1 as the camera, -1 oncoming)."""

    x: float
    direction: int
    rails: bool = False


@dataclass(frozen=True)
class Lot:
    """A piece of land beside the street.

    Attributes:
        side: -1 left, 1 right.
        start, end: along the road [m].
        kind: one of LOT_KINDS.
        setback: distance of the house behind the property line [m].
    """

    side: int
    start: float
    end: float
    kind: str
    setback: float


@dataclass(frozen=True)
class Side:
    """What lies between the kerb and the property line on one side.

    Attributes:
        verge: width of the grass strip next to the kerb [m], 0 for none.
        walk: width of the pavement [m].
        back: width of the grass strip behind the pavement [m], 0 for none.
    """

    verge: float
    walk: float
    back: float

    @property
    def depth(self) -> float:
        """From the kerb to the property line [m]."""
        return self.verge + self.walk + self.back


@dataclass(frozen=True)
class Street:
    """The plan; see the attributes' own classes.

    Attributes:
        road_left, road_right: x of the kerbs [m].
        reserve_half: half the width of the tram reserve in the middle [m], 0 for none.
        green_reserve: the reserve is grass.
        tracks: x of tram tracks [m].
        lanes, lines: lanes and painted lines.
        parking: x of the parking lanes' middles [m].
        crossings: s of pedestrian crossings [m].
        sides: left and right.
        lots: of both sides.
        ego_x: where the camera drives [m].
    """

    road_left: float
    road_right: float
    reserve_half: float
    green_reserve: bool
    tracks: tuple[float, ...]
    lanes: tuple[Lane, ...]
    lines: tuple[Line, ...]
    parking: tuple[float, ...]
    crossings: tuple[float, ...]
    sides: tuple[Side, Side]
    lots: tuple[Lot, ...]
    ego_x: float
    yard_kinds: tuple[np.ndarray, np.ndarray]
    yard_start: float

    def side(self, sign: int) -> Side:
        """The left (-1) or the right (1) side."""
        return self.sides[0 if sign < 0 else 1]

    def kerb(self, sign: int) -> float:
        """X of a side's kerb [m]."""
        return self.road_left if sign < 0 else self.road_right

    def property_line(self, sign: int) -> float:
        """X of a side's property line [m]."""
        return self.kerb(sign) + sign * self.side(sign).depth

    def ground_kinds(self, x: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Class beside the road: uint8, SIDEWALK or TERRAIN, for places beyond the kerbs."""
        kinds = np.full(x.shape, SIDEWALK, np.uint8)
        for index, sign in enumerate((-1, 1)):
            side = self.sides[index]
            away = (x - self.kerb(sign)) * sign
            if side.verge:
                kinds[(away > 0.25) & (away < side.verge)] = TERRAIN
            if side.back:
                kinds[(away > side.verge + side.walk) & (away <= side.depth)] = TERRAIN
            beyond = away > side.depth
            table = self.yard_kinds[index]
            place = np.clip(s[beyond] - self.yard_start, 0, len(table) - 1).astype(np.int32)
            kinds[beyond] = table[place]
        return kinds


def make_street(rng: np.random.Generator, *, start: float, end: float) -> Street:
    """Plans a street from s = start to s = end [m]."""
    lanes_each = 1 if rng.random() < 0.72 else 2
    width = rng.uniform(3.1, 3.5)
    rails = rng.random()
    reserve = rng.uniform(1.75, 2.0) if rails < 0.42 else 0.0
    shared = 0.42 <= rails < 0.62
    parking_left, parking_right = rng.random() < 0.55, rng.random() < 0.55
    bike = 1.5 if rng.random() < 0.4 else 0.5
    driven = reserve + lanes_each * width
    edge = driven + bike
    left, right = edge + 2.2 * parking_left, edge + 2.2 * parking_right
    lanes = tuple(
        Lane(sign * (reserve + width * (index + 0.5)), sign, shared and index == 0)
        for sign in (-1, 1)
        for index in range(lanes_each)
    )
    tracks = (0.0,) if reserve else tuple(lane.x for lane in lanes if lane.rails)
    parking = tuple(
        x for x, used in ((-(edge + 1.1), parking_left), (edge + 1.1, parking_right)) if used
    )
    crossings = tuple(np.arange(start + rng.uniform(10, 45), end, rng.uniform(38, 55)).tolist())
    sides = (_make_side(rng), _make_side(rng))
    lots = tuple(lot for sign in (-1, 1) for lot in _make_lots(rng, sign, start, end))
    yard_start = start - 20
    left_yards, right_yards = (_yard_table(lots, sign, yard_start, end + 400) for sign in (-1, 1))
    ego_lane = (
        max(lane.x for lane in lanes)
        if rng.random() < 0.5
        else min(lane.x for lane in lanes if lane.direction > 0)
    )
    return Street(
        -left,
        right,
        reserve,
        bool(rng.random() < 0.6),
        tracks,
        lanes,
        _make_lines(reserve, lanes_each, width, driven, bike, left, right),
        parking,
        crossings,
        sides,
        lots,
        ego_lane,
        (left_yards, right_yards),
        yard_start,
    )


def _make_lines(
    reserve: float,
    lanes_each: int,
    width: float,
    driven: float,
    bike: float,
    left: float,
    right: float,
) -> tuple[Line, ...]:
    """Middle line, lane lines, edge lines."""
    lines = []
    if reserve:
        lines += [Line(-reserve - 0.12, 0.14), Line(reserve + 0.12, 0.14)]
    elif lanes_each == 1:
        lines.append(Line(0.0, 0.15, 4.0, 4.0))
    else:
        lines += [Line(-0.12, 0.13), Line(0.12, 0.13)]
    for sign in (-1, 1):
        for index in range(1, lanes_each):
            lines.append(Line(sign * (reserve + width * index), 0.15, 3.5, 5.0))
        dashed = bike > 1
        lines.append(Line(sign * driven, 0.14, 1.2 if dashed else 0.0, 1.2))
    for sign, kerb in ((-1, left), (1, right)):
        if kerb > driven + bike + 1:
            lines.append(Line(sign * (driven + bike), 0.12, 1.0, 1.6))
    return tuple(lines)


def _make_side(rng: np.random.Generator) -> Side:
    """Widths of grass and pavement."""
    verge = rng.uniform(1.3, 2.4) if rng.random() < 0.5 else 0.0
    back = rng.uniform(1.2, 3.0) if rng.random() < 0.45 else 0.0
    return Side(verge, rng.uniform(2.8, 4.4), back)


def _make_lots(rng: np.random.Generator, side: int, start: float, end: float) -> list[Lot]:
    """A row of lots."""
    lots, place = [], start - rng.uniform(0, 15)
    weights = np.array([0.34, 0.24, 0.27, 0.15])
    weights = weights * rng.uniform(0.6, 1.4, 4)
    while place < end:
        kind = LOT_KINDS[rng.choice(4, p=weights / weights.sum())]
        length = rng.uniform(9, 18) if kind == 'building' else rng.uniform(10, 20)
        setback = 0.0 if kind == 'building' else rng.uniform(4, 9)
        lots.append(Lot(side, place, place + length, kind, setback))
        place += length + (rng.uniform(0, 5) if rng.random() < 0.25 else 0.0)
    return lots


def _yard_table(lots: tuple[Lot, ...], side: int, start: float, end: float) -> np.ndarray:
    """Ground class behind the property line for every metre of s; uint8 [M]."""
    table = np.full(int(end - start), TERRAIN, np.uint8)
    for lot in lots:
        if lot.side == side and lot.kind == 'building':
            low, high = int(lot.start - start), int(np.ceil(lot.end - start))
            table[max(low, 0) : max(high, 0)] = SIDEWALK
    return table
