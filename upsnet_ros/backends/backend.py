# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every inference library looks like to the rest of the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from upsnet_ros.core.structures import NetworkOutput


class Backend(Protocol):
    """A loaded network.

    Attributes:
        name: the library, for example `onnxruntime`.
        device: where it runs, for example `cpu` or `cuda:0`.
        input_size: (height, width) of the images it takes [px].
    """

    name: str
    device: str
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
    """A network that also takes images of several cameras at once.

    Attributes:
        cameras: the most images of one run.
    """

    cameras: int

    def infer_batch(self, images_bgr: Sequence[np.ndarray]) -> list[NetworkOutput]:
        """Run the network once for one to `cameras` images; each as for `infer`."""
