# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is examined, and what a check found of it: fine, doubtful or wrong, and what to do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from upsnet_ros.backends.backend import AUTOMATIC
from upsnet_ros.backends.select import needs_tensorrt
from upsnet_ros.core.model_files import ENGINE_SUFFIX
from upsnet_ros.dds_profile import DEFAULT_CAMERAS, DEFAULT_SIZE, ProfileSizes, profile_sizes


@dataclass(frozen=True)
class Subject:
    """What the checks look at.

    Attributes:
        model_path: ONNX file or TensorRT engine.
        backend: one of `BACKENDS`.
        images: folder with images to run the model on; None for those of the package.
        frames: most images to run it on.
        cameras: cameras of the vehicle.
        camera_size: width and height of their images [pixels].
        environment: the environment variables.
        proc: where Linux shows processes and the kernel's settings.
        control_groups: where control groups are mounted.
        shared_memory: folder of shared memory.
    """

    model_path: Path
    backend: str = AUTOMATIC
    images: Path | None = None
    frames: int = 3
    cameras: int = DEFAULT_CAMERAS
    camera_size: tuple[int, int] = DEFAULT_SIZE
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    proc: Path = Path('/proc')
    control_groups: Path = Path('/sys/fs/cgroup')
    shared_memory: Path = Path('/dev/shm')

    @property
    def is_engine(self) -> bool:
        """Whether the model is a TensorRT engine."""
        return self.model_path.suffix == ENGINE_SUFFIX

    @property
    def needs_tensorrt(self) -> bool:
        """Whether TensorRT and a GPU have to be there."""
        return needs_tensorrt(self.backend, self.model_path)

    @property
    def needed(self) -> ProfileSizes:
        """Shared memory that the images of the cameras need."""
        return profile_sizes(cameras=self.cameras, size=self.camera_size)

    def variable(self, name: str) -> str:
        """An environment variable; empty where it is not set."""
        return self.environment.get(name, '').strip()


class Level(str, Enum):
    """How bad a finding is; an error keeps the node from running as it should."""

    OK = 'ok'
    WARNING = 'warning'
    ERROR = 'error'


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: what was looked at.
        level: how bad it is.
        found: what is there; the message of an error of this package holds the rest as well.
        expected: what should be there; empty where all is well or `found` says it.
        remedy: what to do; likewise.
        values: figures for programs that read the report.
    """

    what: str
    level: Level
    found: str
    expected: str = ''
    remedy: str = ''
    values: Mapping[str, Any] = field(default_factory=dict)


def fine(what: str, found: str, **values: Any) -> Finding:
    """All is well."""
    return Finding(what, Level.OK, found, values=values)


def doubtful(what: str, found: str, *, expected: str, remedy: str, **values: Any) -> Finding:
    """The node runs, but not as well as it could, or not everywhere."""
    return Finding(what, Level.WARNING, found, expected, remedy, values)


def wrong(what: str, found: str, *, expected: str, remedy: str, **values: Any) -> Finding:
    """The node does not run as it should."""
    return Finding(what, Level.ERROR, found, expected, remedy, values)


def judged(
    what: str, found: str, level: Level, *, expected: str, remedy: str, **values: Any
) -> Finding:
    """As bad as the level says; what is fine needs no remedy."""
    if level is Level.OK:
        return fine(what, found, **values)
    return Finding(what, level, found, expected, remedy, values)


def level_of(is_fine: bool, *, is_needed: bool = False) -> Level:
    """How bad it is where something is not fine: an error if the node cannot do without it."""
    if is_fine:
        return Level.OK
    return Level.ERROR if is_needed else Level.WARNING


def refused(what: str, error: Exception) -> Finding:
    """An error of this package, whose message says what was found, expected and to be done."""
    return Finding(what, Level.ERROR, str(error))
