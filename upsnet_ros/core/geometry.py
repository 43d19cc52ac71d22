# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How an image lies in the network's input: one scale factor, padding at bottom and right.

Two frames exist. The image frame is the camera's pixels. The input frame is the network's; image
coordinates times `scale` are input coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError, ParameterError

# The mean colour (blue, green, red) rounded, so that padding is nearly zero after subtraction.
PAD_VALUE = (103, 116, 123)
# All strides of the feature pyramid divide the sides of an input.
SIDE_MULTIPLE = 32


@dataclass(frozen=True)
class InputGeometry:
    """Where an image lies in the network's input.

    Attributes:
        image_height: rows of the camera image [px].
        image_width: columns of the camera image [px].
        input_height: rows of the network input, padding included [px].
        input_width: columns of the network input, padding included [px].
        scale: input pixels per image pixel, the same for both axes.
        content_height: rows of the network input that show the image [px].
        content_width: columns of the network input that show the image [px].
    """

    image_height: int
    image_width: int
    input_height: int
    input_width: int
    scale: float
    content_height: int
    content_width: int

    def __post_init__(self) -> None:
        """Refuse sizes below one pixel and content that leaves the input."""
        sizes = (self.image_height, self.image_width, self.content_height, self.content_width)
        if min(sizes) < 1:
            raise ParameterError(
                f'image {self.image_height}x{self.image_width} with content {self.content_height}x'
                f'{self.content_width} (height x width), expected at least one pixel on every side'
            )
        if not (math.isfinite(self.scale) and self.scale > 0.0):
            raise ParameterError(f'scale is {self.scale}, expected a finite number above 0')
        if self.content_height > self.input_height or self.content_width > self.input_width:
            raise ParameterError(
                f'content {self.content_height}x{self.content_width} (height x width) is larger '
                f'than the input {self.input_height}x{self.input_width}; use InputGeometry.fit'
            )

    @classmethod
    def fit(cls, *, image_size: tuple[int, int], input_size: tuple[int, int]) -> InputGeometry:
        """Return the geometry with the largest scale at which the whole image fits.

        Args:
            image_size: (height, width) of the camera image [px].
            input_size: (height, width) of the network input [px].

        Raises:
            ParameterError: a side is below one pixel.
        """
        image_height, image_width = image_size
        input_height, input_width = input_size
        if min(*image_size, *input_size) < 1:
            raise ParameterError(
                f'image size {image_size} and input size {input_size} (height, width), expected '
                'at least one pixel on every side'
            )
        scale = min(input_height / image_height, input_width / image_width)
        # A very long image can round to zero rows: one row must remain for anything to be seen.
        return cls(
            image_height=image_height,
            image_width=image_width,
            input_height=input_height,
            input_width=input_width,
            scale=scale,
            content_height=min(max(round(image_height * scale), 1), input_height),
            content_width=min(max(round(image_width * scale), 1), input_width),
        )

    @classmethod
    def for_short_side(
        cls, image_size: tuple[int, int], *, short_side: int, max_long_side: int
    ) -> InputGeometry:
        """Return the geometry in which the published models are tested: the input fits the image.

        The short side gets its wanted size unless the long side would then be too long; the input
        is the resized image, padded to multiples of 32.

        Args:
            image_size: (height, width) of the camera image [px].
            short_side: wanted short side of the resized image [px].
            max_long_side: longest allowed long side of the resized image [px].

        Raises:
            ParameterError: a side is below one pixel.
        """
        if min(*image_size, short_side, max_long_side) < 1:
            raise ParameterError(
                f'image size {image_size} (height, width), short side {short_side} and longest '
                f'side {max_long_side}, expected at least one pixel each'
            )
        scale = short_side / min(image_size)
        if round(scale * max(image_size)) > max_long_side:
            scale = max_long_side / max(image_size)
        height, width = (max(round(side * scale), 1) for side in image_size)
        padded_height, padded_width = (
            -(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE for side in (height, width)
        )
        return cls(*image_size, padded_height, padded_width, scale, height, width)


def place_image(
    image_bgr: np.ndarray,
    geometry: InputGeometry,
    *,
    pad_value: tuple[int, int, int] = PAD_VALUE,
) -> np.ndarray:
    """Scale an image into the network's input and pad the rest.

    The resize is bilinear without antialiasing and samples at steps of exactly `1 / scale`, not
    at the ratio of the rounded sizes, so that image coordinate times scale stays true everywhere.

    Args:
        image_bgr: uint8 [image_height, image_width, 3], BGR.
        geometry: where the image goes.
        pad_value: colour of the padding, BGR, 0 to 255.

    Returns:
        uint8 [input_height, input_width, 3], C-contiguous. It is a new array unless the image
        already has the input's size; then it is the image itself.

    Raises:
        ImageError: the image does not have the size that the geometry was made for.
    """
    expected = (geometry.image_height, geometry.image_width, 3)
    if image_bgr.shape != expected or image_bgr.dtype != np.uint8:
        raise ImageError(
            f'image has shape {image_bgr.shape} and type {image_bgr.dtype}, expected {expected} '
            'and uint8; make a new geometry when the size changes'
        )
    if expected[:2] == (geometry.input_height, geometry.input_width):
        return np.ascontiguousarray(image_bgr)
    canvas = np.empty((geometry.input_height, geometry.input_width, 3), dtype=np.uint8)
    rows, columns = geometry.content_height, geometry.content_width
    canvas[:rows, :columns] = resize_to_content(image_bgr, geometry)
    canvas[rows:] = pad_value
    canvas[:rows, columns:] = pad_value
    return canvas


def resize_to_content(image: np.ndarray, geometry: InputGeometry) -> np.ndarray:
    """Return an image at the size that it has in the input, see `place_image`.

    Args:
        image: uint8 or float32 [image_height, image_width, C].
        geometry: how the image lies in the input.

    Returns:
        [content_height, content_width, C] of the same type; the image itself at scale 1.
    """
    size = (geometry.content_width, geometry.content_height)
    if geometry.scale == 1.0:
        return image
    by_factor = (
        round(geometry.image_width * geometry.scale),
        round(geometry.image_height * geometry.scale),
    )
    if by_factor != size:
        # Only a side that rounds to nothing: the step cannot be kept, the row can.
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(
        image, None, fx=geometry.scale, fy=geometry.scale, interpolation=cv2.INTER_LINEAR
    )


def check_image(image_bgr: np.ndarray) -> None:
    """Raise ImageError unless this is a uint8 [H, W, 3] array with at least one pixel."""
    if not isinstance(image_bgr, np.ndarray):
        raise ImageError(
            f'image is {type(image_bgr).__name__}, expected a NumPy array; decode it first'
        )
    if image_bgr.dtype != np.uint8:
        raise ImageError(
            f'image has type {image_bgr.dtype}, expected uint8; scale it to 0 to 255 and convert'
        )
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3:
        raise ImageError(
            f'image has shape {image_bgr.shape}, expected [height, width, 3] in BGR; convert grey '
            'or alpha images first'
        )
    if image_bgr.size == 0:
        raise ImageError(
            f'image has shape {image_bgr.shape}, expected at least one pixel; check the camera'
        )
