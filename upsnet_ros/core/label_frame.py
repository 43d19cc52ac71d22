# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pixel grid on which panoptic labels are decided, and how it maps to the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.window import Window

LABEL_RESOLUTIONS = ('input_frame', 'image')


@dataclass(frozen=True, eq=False)
class LabelFrame:
    """A grid of label pixels.

    Attributes:
        labels: the grid itself, from pixel (0, 0).
        canvas: the grid on which masks are pruned; it may hold padding behind the labels.
        scale: input-frame pixels per label pixel.
        image_rows: int64 [image height], the label row that each image row shows.
        image_columns: int64 [image width], likewise.
        pixel_counts: float64 [labels height, labels width], how many image pixels show each label
            pixel. It sums to the number of image pixels.
        one_to_one: whether label pixels are the image's pixels.
    """

    labels: Window
    canvas: Window
    scale: float
    image_rows: np.ndarray
    image_columns: np.ndarray
    pixel_counts: np.ndarray
    one_to_one: bool

    def to_image(self, label_map: np.ndarray) -> np.ndarray:
        """Return a label map [labels height, labels width] at the image's size, nearest pixel."""
        if self.one_to_one:
            return label_map
        # Columns first: the map is then still small, and rows are copied in one piece each.
        columns = np.take(label_map, self.image_columns, axis=1, mode='clip')
        return np.take(columns, self.image_rows, axis=0, mode='clip')


def _counts(index: np.ndarray, size: int) -> np.ndarray:
    """Return how often each of 0 to size - 1 occurs: float64 [size]."""
    return np.bincount(index, minlength=size).astype(np.float64)


def _make_frame(
    labels: Window,
    canvas: Window,
    *,
    scale: float,
    image_rows: np.ndarray,
    image_columns: np.ndarray,
) -> LabelFrame:
    """Return a frame with its pixel counts, all arrays read-only because frames are shared."""
    pixel_counts = np.outer(
        _counts(image_rows, labels.height), _counts(image_columns, labels.width)
    )
    for array in (image_rows, image_columns, pixel_counts):
        array.setflags(write=False)
    return LabelFrame(
        labels=labels,
        canvas=canvas,
        scale=scale,
        image_rows=image_rows,
        image_columns=image_columns,
        pixel_counts=pixel_counts,
        one_to_one=bool((pixel_counts == 1.0).all()),
    )


def nearest_source(size: int, scale: float, source_size: int) -> np.ndarray:
    """Return the source pixel of each pixel of a nearest resize by factor `1 / scale`.

    The rule is floor(pixel * scale) with a 64-bit scale. A 32-bit scale, or the ratio of the two
    sizes, picks other rows.

    Args:
        size: pixels of the result along one axis.
        scale: source pixels per pixel of the result.
        source_size: pixels of the source along the same axis.

    Returns:
        int64 [size], each from 0 to source_size - 1.
    """
    source = np.floor(np.arange(size, dtype=np.float64) * scale).astype(np.int64)
    return np.minimum(source, source_size - 1)


@lru_cache(maxsize=4)  # one for each image size; 16 MB for 2048 x 1024
def label_frame(geometry: InputGeometry, resolution: str) -> LabelFrame:
    """Return the grid for one kind of label resolution.

    Args:
        geometry: how the image lies in the network's input.
        resolution: `input_frame` decides labels on the network's pixels and enlarges them to the
            image by nearest pixel, as the published models do. `image` interpolates the logits
            straight to the image's pixels: the same rules on a finer (or coarser) grid, with
            smoother edges when the input is smaller than the image.

    Raises:
        ParameterError: the resolution is not one of the two.
    """
    if resolution == 'input_frame':
        return _make_frame(
            Window(0, 0, geometry.content_height, geometry.content_width),
            Window(0, 0, geometry.input_height, geometry.input_width),
            scale=1.0,
            image_rows=nearest_source(
                geometry.image_height, geometry.scale, geometry.content_height
            ),
            image_columns=nearest_source(
                geometry.image_width, geometry.scale, geometry.content_width
            ),
        )
    if resolution == 'image':
        image = Window(0, 0, geometry.image_height, geometry.image_width)
        return _make_frame(
            image,
            image,
            scale=geometry.scale,
            image_rows=np.arange(geometry.image_height),
            image_columns=np.arange(geometry.image_width),
        )
    raise ParameterError(
        f"label resolution is '{resolution}', expected one of {', '.join(LABEL_RESOLUTIONS)}"
    )
