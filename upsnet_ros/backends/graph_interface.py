# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes into a network's graph and what comes out, the same for every inference library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from upsnet_ros.core.errors import ImageError, ManifestError
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

TensorEntries = Mapping[str, Mapping[str, Any]]


def check_graph(
    inputs: TensorEntries,
    outputs: TensorEntries,
    manifest: ModelManifest,
    *,
    images: int = 1,
) -> None:
    """Raise ManifestError unless names, shapes and types of a graph fit the manifest.

    Args:
        inputs: by name, `shape` as a list and `dtype` as NumPy name, as a manifest writes them.
        outputs: likewise; more than the manifest names are allowed.
        manifest: what the graph should be for one image.
        images: how many it takes at once.
    """
    wanted = {
        manifest.input.name: {
            'shape': [images, *manifest.input.shape[1:]],
            'dtype': manifest.input.dtype,
        }
    }
    if inputs != wanted:
        raise ManifestError('input', wanted, f'{inputs}, the inputs of the model file')
    for name, description in manifest.outputs.items():
        described = description.to_dict()
        described['shape'] = [images, *described['shape'][1:]]
        if outputs.get(name) != described:
            raise ManifestError(
                f'outputs.{name}',
                described,
                f'{outputs.get(name, "no such output")}, as in the model file',
            )


def check_network_image(image_bgr: np.ndarray, size: tuple[int, int]) -> None:
    """Raise ImageError unless this is a uint8 [H, W, 3] image of the network's own size."""
    shape = (*size, 3)
    if image_bgr.shape != shape or image_bgr.dtype != np.uint8:
        raise ImageError(
            f'network input has shape {image_bgr.shape} and type {image_bgr.dtype}, expected '
            f'{shape} and uint8; place the image with place_image'
        )


def to_network_output(values: Mapping[str, np.ndarray], index: int = 0) -> NetworkOutput:
    """Return the answer for one image of a batch."""
    return NetworkOutput(
        semantic_logits=values['semantic_logits'][index],
        boxes=values['boxes'][index],
        scores=values['scores'][index],
        classes=values['classes'][index],
        mask_logits=values['mask_logits'][index],
        count=int(values['count'][index]),
    )
