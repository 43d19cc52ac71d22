# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is examined: a model, and the computer as the environment and its files show it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from upsnet_ros.backends.select import AUTOMATIC, TENSORRT, backend_of
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
        return backend_of(self.backend, self.model_path) == TENSORRT

    @property
    def needed(self) -> ProfileSizes:
        """Shared memory that the images of the cameras need."""
        return profile_sizes(cameras=self.cameras, size=self.camera_size)

    def variable(self, name: str) -> str:
        """An environment variable; empty where it is not set."""
        return self.environment.get(name, '').strip()
