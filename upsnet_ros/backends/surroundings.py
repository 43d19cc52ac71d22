# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine must fit: the libraries, the driver and the GPU of this computer."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """A CUDA device.

    Attributes:
        name: as the driver gives it.
        compute_capability: for example `8.7`.
        integrated: whether it shares its memory with the processor.
    """

    name: str
    compute_capability: str
    integrated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Surroundings:
    """Where an engine is to run.

    Attributes:
        tensorrt: version of the installed TensorRT, for example `10.16.1.11`.
        cuda_driver: newest CUDA version that the driver can run, for example `13.0`.
        gpu: the device.
        platform: operating system and processor, for example `linux-x86_64`.
        model_sha256: hash of the ONNX file that the manifest in use describes.
    """

    tensorrt: str
    cuda_driver: str
    gpu: Gpu
    platform: str
    model_sha256: str


def current_platform() -> str:
    """Operating system and processor of this computer, for example `linux-aarch64`."""
    return f'{sys.platform}-{platform.machine().lower()}'
