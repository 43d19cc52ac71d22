# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that counts as a thing: who or what it is, and where it is at any time."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from upsnet_ros.core.labels import encode_label

from .camera import Camera
from .canvas import Part
from .classes import BICYCLE, BUS, CAR, MOTORCYCLE, PERSON, RIDER, TRAIN, TRUCK
from .light import Light
from .painting_order import Extent
from .people import Outfit, walker_limbs
from .solids import Pose, Solid, limb_parts
from .two_wheelers import Bicycle, Motorcycle, far_to_near, ride_parts

# Beyond this distance [m] a thing would be too small to be worth a label.
REACH = {
    PERSON: 36.0,
    RIDER: 30.0,
    CAR: 56.0,
    TRUCK: 75.0,
    BUS: 75.0,
    TRAIN: 80.0,
    MOTORCYCLE: 30.0,
    BICYCLE: 27.0,
}


class Body(Protocol):
    """The shape of an actor."""

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Train ids of what it consists of."""

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width and height [m]."""

    def parts(
        self, pose: Pose, camera: Camera, light: Light, time: float, labels: tuple[int, ...]
    ) -> list[Part]:
        """What the camera sees of it, far to near; one label per class id."""


@dataclass(frozen=True)
class VehicleBody:
    """A car, truck, bus or tram. size is length, width, height [m]."""

    class_id: int
    solid: Solid

    @property
    def class_ids(self) -> tuple[int, ...]:
        """One instance."""
        return (self.class_id,)

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width, height [m]."""
        return self.solid.length, self.solid.width, self.solid.height

    def parts(
        self, pose: Pose, camera: Camera, light: Light, time: float, labels: tuple[int, ...]
    ) -> list[Part]:
        """Faces turned towards the camera."""
        return self.solid.parts(pose, camera, light, labels[0])


@dataclass(frozen=True)
class WalkerBody:
    """Somebody on foot. stride 0 stands; pace is steps' phase speed [rad/s]."""

    outfit: Outfit
    stride: float
    pace: float
    start: float

    class_ids = (PERSON,)

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width, height [m]."""
        return 0.4, 0.5, self.outfit.height

    def parts(
        self, pose: Pose, camera: Camera, light: Light, time: float, labels: tuple[int, ...]
    ) -> list[Part]:
        """Limbs at this moment of the step."""
        limbs = walker_limbs(self.outfit, self.start + self.pace * time, self.stride)
        return far_to_near(limb_parts(limbs, pose, camera, light, labels[0]))


@dataclass(frozen=True)
class RideBody:
    """Somebody riding: two instances, the two-wheeler and the rider."""

    vehicle: Bicycle | Motorcycle
    outfit: Outfit
    pace: float
    start: float

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The two-wheeler, then the rider."""
        return (BICYCLE if isinstance(self.vehicle, Bicycle) else MOTORCYCLE, RIDER)

    size = (1.8, 0.7, 1.75)

    def parts(
        self, pose: Pose, camera: Camera, light: Light, time: float, labels: tuple[int, ...]
    ) -> list[Part]:
        """Two-wheeler and rider, mixed by depth."""
        phase = self.start + self.pace * time
        return ride_parts(
            self.vehicle, self.outfit, phase, pose, camera, light, (labels[0], labels[1])
        )


@dataclass(frozen=True)
class ParkedTwoWheelerBody:
    """A bicycle or a motorcycle without a rider."""

    vehicle: Bicycle | Motorcycle

    size = (1.8, 0.6, 1.05)

    @property
    def class_ids(self) -> tuple[int, ...]:
        """One instance."""
        return (BICYCLE if isinstance(self.vehicle, Bicycle) else MOTORCYCLE,)

    def parts(
        self, pose: Pose, camera: Camera, light: Light, time: float, labels: tuple[int, ...]
    ) -> list[Part]:
        """Its pieces."""
        return far_to_near(self.vehicle.parts(pose, camera, light, labels[0]))


@dataclass(frozen=True)
class Actor:
    """A body on its way.

    Attributes:
        body: shape and classes.
        start: pose at time 0.
        velocity: (x, s) [m/s].
        instances: instance number per class of the body, each 1..255.
    """

    body: Body
    start: Pose
    velocity: tuple[float, float]
    instances: tuple[int, ...]

    @property
    def labels(self) -> tuple[int, ...]:
        """Label image values, one per class of the body."""
        return tuple(
            encode_label(class_id, instance)
            for class_id, instance in zip(self.body.class_ids, self.instances, strict=True)
        )

    def pose(self, time: float) -> Pose:
        """Where it is at a time [s]."""
        return Pose(
            self.start.x + self.velocity[0] * time,
            self.start.y,
            self.start.s + self.velocity[1] * time,
            self.start.heading,
        )

    def in_reach(self, camera: Camera, time: float, factor: float = 1.0) -> bool:
        """Whether it is in front of the camera and within REACH times a factor."""
        extent = self.extent(time)
        reach = min(REACH[class_id] for class_id in self.body.class_ids)
        return extent.end - camera.s > 2.0 and extent.start - camera.s < reach * factor

    def in_view(self, camera: Camera, time: float) -> bool:
        """Whether any of it can lie in the picture; near things always may."""
        pose, (length, width, height) = self.pose(time), self.body.size
        place = camera.to_camera(np.array([pose.x, pose.y, pose.s]))
        radius = length + width + height
        aside = abs(place[0]) * camera.focal - camera.width / 2 * place[2]
        return bool(aside < radius * (camera.focal + camera.width / 2))

    def extent(self, time: float) -> Extent:
        """What it takes up along the road."""
        pose = self.pose(time)
        length, width, _ = self.body.size
        half = max(abs(np.cos(pose.heading)) * length, width) / 2
        return Extent(pose.s - half, pose.s + half, pose.x)

    def parts(self, camera: Camera, light: Light, time: float) -> list[Part]:
        """What the camera sees of it."""
        return self.body.parts(self.pose(time), camera, light, time, self.labels)

    def footprint(self, time: float) -> np.ndarray:
        """Its outline on the ground, float [4, 3] street coordinates [m]."""
        length, width, _ = self.body.size
        corners = np.array(
            [
                (-width / 2, 0, -length / 2),
                (width / 2, 0, -length / 2),
                (width / 2, 0, length / 2),
                (-width / 2, 0, length / 2),
            ]
        )
        return self.pose(time).to_street(corners)
