# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to what a network takes, in the order of the published models."""

import copy

import numpy as np
import torch
from torch import Tensor

from training.models.pixels import PixelNormalisation
from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.geometry import InputGeometry, resize_to_content


def prepare_image(
    image_bgr: np.ndarray, geometry: InputGeometry, normalise: PixelNormalisation
) -> Tensor:
    """Normalise an image, resize it as floating point numbers, and pad it with zeros.

    The robot resizes 8-bit pixels first, which rounds them once more and pads with a colour that
    is zero only nearly; the difference is below one grey level.

    Args:
        image_bgr: uint8 ``[image_height, image_width, 3]``, BGR.
        geometry: Where the image goes.
        normalise: Of the network that will see it.

    Returns:
        float32 ``[3, input_height, input_width]`` on the CPU.

    Raises:
        ImageError: If the image does not have the size that the geometry was made for.
    """
    expected = (geometry.image_height, geometry.image_width, 3)
    if image_bgr.shape != expected or image_bgr.dtype != np.uint8:
        raise ImageError(
            f'image has shape {image_bgr.shape} and type {image_bgr.dtype}, expected {expected} '
            'and uint8; make a new geometry when the size changes'
        )
    # A copy: a mirror image of one column counts as contiguous, with a negative stride.
    pixels = torch.from_numpy(image_bgr.copy()).permute(2, 0, 1)
    normalised = copy.deepcopy(normalise).cpu()(pixels[None])[0].permute(1, 2, 0)  # [h, w, 3]
    content = resize_to_content(np.ascontiguousarray(normalised.numpy()), geometry)
    canvas = torch.zeros(3, geometry.input_height, geometry.input_width)
    rows, columns = geometry.content_height, geometry.content_width
    canvas[:, :rows, :columns] = torch.from_numpy(content).permute(2, 0, 1)
    return canvas
