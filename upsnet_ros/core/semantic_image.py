# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The semantic head's own answer at the image's size."""

from __future__ import annotations

import numpy as np

from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.label_frame import label_frame
from upsnet_ros.core.semantic_maps import semantic_maps
from upsnet_ros.core.structures import SEMANTIC_STRIDE
from upsnet_ros.core.work_memory import WorkMemory


def semantic_image(
    logits: np.ndarray,
    geometry: InputGeometry,
    *,
    num_stuff: int,
    label_resolution: str,
    memory: WorkMemory,
) -> np.ndarray:
    """Return the class with the largest semantic logit of every image pixel.

    Args:
        logits: float32 [S, H/4, W/4] over the padded input, stuff channels first.
        geometry: how the image lies in the network's input.
        num_stuff: number of stuff channels.
        label_resolution: `input_frame` decides on the network's pixels and enlarges by nearest
            pixel (as published), `image` interpolates logits to the image's pixels first.
        memory: what to work in.

    Returns:
        uint8 [image height, image width].
    """
    frame = label_frame(geometry, label_resolution)
    maps = semantic_maps(
        logits,
        size=(frame.labels.height, frame.labels.width),
        upsampling=SEMANTIC_STRIDE / frame.scale,
        num_stuff=num_stuff,
        kept_classes=(),
        memory=memory,
    )
    return frame.to_image(maps.best_class())
