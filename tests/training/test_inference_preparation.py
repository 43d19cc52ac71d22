# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images become what the published models saw: normalised, resized, padded with zeros."""

import numpy as np
import pytest
import torch

from training.inference.preparation import prepare_image
from training.models.pixels import PixelNormalisation
from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.geometry import InputGeometry


def random_image(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def sampled(pixels: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
    """Sample [h, w, C] at (pixel + 0.5) / scale - 0.5, clamped at the borders."""
    for axis in (0, 1):
        position = (np.arange(size[axis]) + 0.5) / scale - 0.5
        low = np.floor(position).astype(int)
        share = (position - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        last = pixels.shape[axis] - 1
        before, after = (np.take(pixels, np.clip(i, 0, last), axis) for i in (low, low + 1))
        pixels = before * (1 - share) + after * share
    return pixels


@pytest.mark.parametrize('pixels', ['caffe', 'torchvision'])
@pytest.mark.parametrize('image_size', [(48, 64), (37, 53), (64, 30)])
def test_pixels_are_normalised_then_sampled_then_padded(
    image_size: tuple[int, int], pixels: str
) -> None:
    image = random_image(image_size)
    geometry = InputGeometry.for_short_side(image_size, short_side=70, max_long_side=130)
    values = image.astype(np.float64)
    if pixels == 'caffe':
        values = values - (102.9801, 115.9465, 122.7717)
    else:
        values = (values[..., ::-1] / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    size = (geometry.content_height, geometry.content_width)
    want = np.zeros((geometry.input_height, geometry.input_width, 3))
    want[: size[0], : size[1]] = sampled(values, geometry.scale, size)
    have = prepare_image(image, geometry, PixelNormalisation(pixels))
    assert have.dtype == torch.float32
    np.testing.assert_allclose(have.permute(1, 2, 0).numpy(), want, atol=2e-3)
    assert (want[size[0] :] == 0).all() and (have[:, size[0] :] == 0).all()


def test_images_of_another_geometry_are_refused() -> None:
    geometry = InputGeometry.for_short_side((32, 64), short_side=32, max_long_side=64)
    for image in (random_image((32, 63)), random_image((32, 64)).astype(np.float32)):
        with pytest.raises(ImageError, match='expected'):
            prepare_image(image, geometry, PixelNormalisation('caffe'))
