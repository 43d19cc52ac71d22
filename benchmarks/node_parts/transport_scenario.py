# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cameras beside which the node is compared with a bare one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """Cameras of one size and rate.

    Attributes:
        width: of an image [px].
        height: of an image [px].
        rate: images per second of each camera.
        cameras: how many.
    """

    width: int
    height: int
    rate: float
    cameras: int

    @property
    def name(self) -> str:
        """For tables and files."""
        return f'{self.cameras}x{self.width}x{self.height}@{self.rate:g}Hz'

    @property
    def camera_names(self) -> list[str]:
        """Prefixes of the topics."""
        return [f'camera_{index}' for index in range(self.cameras)]


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(1920, 1080, 30, 1),
        Scenario(2048, 1024, 30, 1),
        Scenario(1280, 720, 20, 4),
    )
}
