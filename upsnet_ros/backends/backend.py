# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every inference library looks like to the rest of the package, and what it may use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from upsnet_ros.core.errors import ParameterError

if TYPE_CHECKING:  # the doctor asks for the cores where these may be missing
    import numpy as np

    from upsnet_ros.core.geometry import InputGeometry
    from upsnet_ros.core.panoptic_head import PanopticHead
    from upsnet_ros.core.structures import NetworkOutput, PanopticResult

AUTOMATIC = 'auto'  # of a backend, a device or a precision: what suits model and computer
_GROUPS_FILE = Path('/proc/self/cgroup')
_GROUPS_ROOT = Path('/sys/fs/cgroup')
_FIRST_VERSION_FOLDERS = ('cpu', 'cpu,cpuacct')


class Backend(Protocol):
    """A loaded network.

    Attributes:
        name: the library, for example `onnxruntime`.
        device: where it runs, for example `cpu` or `cuda:0`.
        precision: `fp32`, `bf16` or `fp16`, of the products.
        input_size: (height, width) of the images it takes [px].
    """

    name: str
    device: str
    precision: str
    input_size: tuple[int, int]

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """Run the network.

        Args:
            image_bgr: uint8 [H, W, 3] of exactly the input size, BGR.

        Returns:
            The answer, in arrays that later calls do not change.

        Raises:
            ImageError: the image has another shape or type.
            ModelError: the network failed, or answered something other than promised.
        """

    def close(self) -> None:
        """Free the network's memory; safe to call twice. `infer` then raises ModelError."""


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """A network that takes several images at once.

    Attributes:
        cameras: how many.
    """

    cameras: int

    def infer_batch(self, images_bgr: Sequence[np.ndarray]) -> list[NetworkOutput]:
        """Run the network once.

        Args:
            images_bgr: one to `cameras` images as for `infer`.

        Returns:
            The answer for each, in arrays that later calls do not change.

        Raises:
            ImageError: an image has another shape or type.
            ParameterError: there are no images or too many.
            ModelError: the network failed.
        """


@runtime_checkable
class LabellingBackend(Backend, Protocol):
    """A network that can label images itself, so that its answer need not leave the device.

    Attributes:
        can_label: whether it does here.
    """

    can_label: bool

    def label(
        self, image_bgr: np.ndarray, geometry: InputGeometry, head: PanopticHead
    ) -> PanopticResult:
        """Return the labels of a camera's image: placing it, the network and the panoptic head.

        Args:
            image_bgr: uint8 [H, W, 3] of the size of the geometry, BGR.
            geometry: how it lies in the network's input.
            head: whose parameters count, also where they differ from those for the last image.

        Returns:
            What the head would return, in arrays that later calls do not change.

        Raises:
            ImageError: the image has another shape or type.
            ModelError: the network failed, or its answer cannot be used.
        """


def available_cores() -> int:
    """Cores this process may run on, capped by the quota of its control group; at least 1.

    A container or a service is often given less than the machine has. Threads beyond its share
    only wait for each other and are held back together, so an image takes longer, not shorter.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    quota = cpu_quota(_GROUPS_FILE, _GROUPS_ROOT)
    return max(1, cores if quota is None else min(cores, int(quota)))


def threads_for(num_threads: int) -> int:
    """Threads that a parameter `num_threads` stands for: 0 is one per core, see `available_cores`.

    Raises:
        ParameterError: it is no whole number, or negative.
    """
    if type(num_threads) is not int or num_threads < 0:
        raise ParameterError(
            f'num_threads is {num_threads!r}, expected a whole number, 0 for one per core'
        )
    return num_threads or available_cores()


def cpu_quota(groups_file: Path, root: Path) -> float | None:
    """The smallest quota of a process's control groups [cores], or None where there is none.

    Args:
        groups_file: The groups as Linux lists them: lines `number:controllers:/path`.
        root: Where the control groups are mounted, of version 1 or 2.
    """
    quotas = [
        quota
        for folder in _group_folders(groups_file, root)
        for quota in (_second_version_quota(folder), _first_version_quota(folder))
        if quota is not None
    ]
    return min(quotas, default=None)


def _group_folders(groups_file: Path, root: Path) -> Iterator[Path]:
    """Folders of the process's groups and of all groups around them.

    Inside a container a listed path may not exist there; its mount is then the root itself.
    """
    try:
        lines = groups_file.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(':', 2)
        if not controllers:
            bases = [root]
        elif 'cpu' in controllers.split(','):
            bases = [root / name for name in _FIRST_VERSION_FOLDERS]
        else:
            continue
        for base in bases:
            group = base / path.lstrip('/')
            yield from (group, *(part for part in group.parents if part.is_relative_to(base)))


def _second_version_quota(folder: Path) -> float | None:
    """Quota in `cpu.max`: `max 100000`, or microseconds of each period."""
    try:
        quota, period = (folder / 'cpu.max').read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or `max`
        return None


def _first_version_quota(folder: Path) -> float | None:
    """Quota in `cpu.cfs_quota_us`, -1 for none."""
    try:
        quota = int((folder / 'cpu.cfs_quota_us').read_text())
        period = int((folder / 'cpu.cfs_period_us').read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
