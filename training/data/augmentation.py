# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an image and its label image to a training sample: flip, scale, pad or crop."""

from collections.abc import Callable

import cv2
import numpy as np
import torch

from training.data.label_runs import LabelRuns
from training.data.objects import LabelObjects, find_objects, trace_outlines
from training.data.sample import Polygons, Sample
from upsnet_ros.core.geometry import PAD_VALUE, SIDE_MULTIPLE
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL


def make_sample(
    name: str,
    image: np.ndarray,
    labels: np.ndarray,
    *,
    scale: float,
    flip: bool,
    num_stuff: int,
    draw_polygons: bool = False,
    alter: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> Sample:
    """Build a sample of a whole image.

    Boxes and outlines come from the label image at full size, times ``scale``. An object whose
    pixels vanish when resized keeps its box, as in the published models.

    Args:
        name: For messages.
        image: uint8 ``[H, W, 3]`` BGR.
        labels: uint16 ``[H, W]`` label image of the same size.
        scale: Resize factor; image bilinear, labels nearest.
        flip: Mirror left and right.
        num_stuff: Number of stuff classes.
        draw_polygons: Whether to trace the objects' outlines.
        alter: Changes the pixels of the resized image.
        seed: Of the sample.
    """
    if flip:
        image, labels = cv2.flip(image, 1), cv2.flip(labels, 1)
    runs = LabelRuns.of(labels)
    objects = find_objects(runs, num_stuff=num_stuff)
    outlines = trace_outlines(labels, objects) if draw_polygons else []
    instances = resize(_instances(runs, objects), scale, nearest=True)
    image, labels = _altered(resize(image, scale), alter), resize(labels, scale, nearest=True)
    size = labels.shape
    padded = tuple(-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE for side in size)
    labels = _on_canvas(labels, padded, UNKNOWN_LABEL)
    return Sample(
        name=name,
        image=torch.from_numpy(_on_canvas(image, padded, PAD_VALUE)).permute(2, 0, 1),
        semantic=_semantic(labels),
        boxes=torch.from_numpy(objects.boxes * np.float32(scale)),
        classes=_thing_classes(objects.values, num_stuff),
        instances=torch.from_numpy(_on_canvas(instances, padded, -1)),
        size=size,
        scale=scale,
        polygons=_scaled(outlines, scale),
        crowd_boxes=torch.from_numpy(objects.crowd_boxes * np.float32(scale)),
        crowd_classes=_thing_classes(objects.crowd_values, num_stuff),
        seed=seed,
    )


def make_crop(
    name: str,
    image: np.ndarray,
    labels: np.ndarray,
    *,
    scale: float,
    flip: bool,
    side: int,
    alter: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> Sample:
    """Build a sample of a random square of an image, for a network without an instance half.

    The square lies anywhere inside the resized image; where that is smaller, the rest is padding.
    The sample has no objects.

    Args:
        name: For messages.
        image: uint8 ``[H, W, 3]`` BGR.
        labels: uint16 ``[H, W]`` label image of the same size.
        scale: Resize factor.
        flip: Mirror left and right.
        side: Height and width of the square in pixels of the resized image.
        alter: Changes the pixels of the square.
        seed: Of the sample; it also places the square.
    """
    if flip:
        image, labels = cv2.flip(image, 1), cv2.flip(labels, 1)
    image, labels = resize(image, scale), resize(labels, scale, nearest=True)
    generator = np.random.default_rng(seed)
    top, left = (int(generator.integers(0, max(s - side, 0) + 1)) for s in labels.shape)
    window = slice(top, top + side), slice(left, left + side)
    image, labels = _altered(image[window], alter), labels[window]
    return Sample(
        name=name,
        image=torch.from_numpy(_on_canvas(image, (side, side), PAD_VALUE)).permute(2, 0, 1),
        semantic=_semantic(_on_canvas(labels, (side, side), UNKNOWN_LABEL)),
        boxes=torch.zeros(0, 4),
        classes=torch.zeros(0, dtype=torch.long),
        instances=torch.full((side, side), -1, dtype=torch.int16),
        size=labels.shape,
        scale=scale,
        seed=seed,
    )


def resize(pixels: np.ndarray, scale: float, *, nearest: bool = False) -> np.ndarray:
    """Resize by a factor, sampling at steps of ``1 / scale`` as the published models do.

    Args:
        pixels: ``[H, W]`` or ``[H, W, 3]``.
        scale: The factor.
        nearest: Take the pixel at ``floor(position / scale)`` instead of interpolating.

    Returns:
        The sides times ``scale``, rounded; the array itself at scale 1.
    """
    if scale == 1.0:
        return pixels
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)


def _altered(
    image: np.ndarray, alter: Callable[[np.ndarray], np.ndarray] | None
) -> np.ndarray:
    return image if alter is None else alter(image)


def _on_canvas(
    pixels: np.ndarray, size: tuple[int, int], value: int | tuple[int, ...]
) -> np.ndarray:
    """The pixels at the top left of a new array of a value."""
    height, width = pixels.shape[:2]
    canvas = np.empty((*size, *pixels.shape[2:]), pixels.dtype)
    canvas[:height, :width] = pixels
    canvas[height:] = value
    canvas[:height, width:] = value
    return canvas


def _semantic(labels: np.ndarray) -> torch.Tensor:
    """Train ids of a label image; void is 65535, so it becomes 255."""
    return torch.from_numpy((labels >> INSTANCE_BITS).astype(np.uint8))


def _thing_classes(values: np.ndarray, num_stuff: int) -> torch.Tensor:
    return torch.from_numpy((values >> INSTANCE_BITS).astype(np.int64) - num_stuff + 1)


def _instances(runs: LabelRuns, objects: LabelObjects) -> np.ndarray:
    """Row of each pixel's object, -1 where there is none: int16 ``[H, W]``."""
    rows = np.full(len(runs.values), -1, np.int16)
    rows[np.searchsorted(runs.values, objects.values)] = np.arange(len(objects.values))
    return runs.painted(rows)


def _scaled(outlines: list[Polygons], scale: float) -> list[Polygons]:
    return [[line * np.float32(scale) for line in own] for own in outlines]
