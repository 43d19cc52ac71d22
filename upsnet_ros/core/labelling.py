# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From channels of pixels to labels: their grid, their values, their instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from upsnet_ros.core.compiled import pixel_loops, share_rows
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, LabelSet
from upsnet_ros.core.masks import NO_INSTANCES, PlacedInstances
from upsnet_ros.core.structures import SEMANTIC_STRIDE, Instance
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
        row_counts: int64 [labels height], how many image rows show each label row.
        column_counts: int64 [labels width], likewise.
        one_to_one: whether label pixels are the image's pixels.
    """

    labels: Window
    canvas: Window
    scale: float
    image_rows: np.ndarray
    image_columns: np.ndarray
    row_counts: np.ndarray
    column_counts: np.ndarray
    one_to_one: bool

    def to_image(self, label_map: np.ndarray) -> np.ndarray:
        """Return a label map [labels height, labels width] at the image's size, nearest pixel."""
        if self.one_to_one:
            return label_map
        # Columns first: the map is then still small, and rows are copied in one piece each.
        columns = np.take(label_map, self.image_columns, axis=1, mode='clip')
        return np.take(columns, self.image_rows, axis=0, mode='clip')


def _make_frame(
    labels: Window,
    canvas: Window,
    *,
    scale: float,
    image_rows: np.ndarray,
    image_columns: np.ndarray,
) -> LabelFrame:
    """Return a frame with its pixel counts, all arrays read-only because frames are shared."""
    row_counts = np.bincount(image_rows, minlength=labels.height)
    column_counts = np.bincount(image_columns, minlength=labels.width)
    for array in (image_rows, image_columns, row_counts, column_counts):
        array.setflags(write=False)
    return LabelFrame(
        labels=labels,
        canvas=canvas,
        scale=scale,
        image_rows=image_rows,
        image_columns=image_columns,
        row_counts=row_counts,
        column_counts=column_counts,
        one_to_one=bool((row_counts == 1).all() and (column_counts == 1).all()),
    )


def nearest_source(size: int, scale: float, source_size: int) -> np.ndarray:
    """Return the source pixel of each pixel of a nearest resize by factor `1 / scale`.

    The rule is floor(pixel * scale), with the scale rounded to 32 bits first: the published code
    keeps it so, and where the rounding is downwards, every pixel that falls on a multiple of it
    shows the source pixel before. The ratio of the two sizes picks other rows.

    Args:
        size: pixels of the result along one axis.
        scale: source pixels per pixel of the result.
        source_size: pixels of the source along the same axis.

    Returns:
        int64 [size], each from 0 to source_size - 1.
    """
    step = np.float64(np.float32(scale))
    source = np.floor(np.arange(size, dtype=np.float64) * step).astype(np.int64)
    return np.minimum(source, source_size - 1)


@lru_cache(maxsize=16)  # one for each image size
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


@dataclass(frozen=True, eq=False)
class PixelChannels:
    """Which channel of the panoptic logits each label pixel belongs to.

    Channels are the N stuff classes, then k instances, then unknown.

    Attributes:
        winner: uint16 [labels height, labels width], the largest channel.
        best_class: uint8 of the same size, the largest semantic channel; [0, 0] if not wanted.
        histogram: int64 [N + k + 1, S], image pixels of each pair of the two.
    """

    winner: np.ndarray
    best_class: np.ndarray
    histogram: np.ndarray


def panoptic_channels(
    semantic_logits: np.ndarray,
    instances: PlacedInstances,
    frame: LabelFrame,
    *,
    num_stuff: int,
    predict_unknown: bool,
    num_threads: int = 1,
    with_best_class: bool = False,
) -> PixelChannels:
    """Find the largest channel of the panoptic logits at every label pixel.

    Args:
        semantic_logits: float32 [S, H/4, W/4] over the padded input, stuff channels first.
        instances: the kept ones.
        frame: the label pixels.
        num_stuff: number of stuff classes N.
        predict_unknown: whether there is an unknown channel.
        num_threads: threads that share the rows.
        with_best_class: whether that map is wanted.

    Source: UPSNet section 3.1, panoptic head.
    """
    size = (frame.labels.height, frame.labels.width)
    winner = np.empty(size, dtype=np.uint16)
    best_class = np.empty(size if with_best_class else (0, 0), dtype=np.uint8)
    histograms: list[np.ndarray] = []
    logits = np.require(semantic_logits, np.float32, ['C', 'ALIGNED'])

    def label(first: int, last: int) -> None:
        histogram = np.zeros((num_stuff + len(instances.classes) + 1, len(logits)), dtype=np.int64)
        pixel_loops().label_rows(
            logits,
            frame.scale / SEMANTIC_STRIDE,
            first,
            last,
            num_stuff,
            predict_unknown,
            instances.classes,
            instances.semantic_windows,
            instances.mask_windows,
            instances.mask_lines,
            instances.mask_starts,
            frame.row_counts,
            frame.column_counts,
            winner,
            best_class,
            histogram,
        )
        histograms.append(histogram)

    share_rows(label, size, num_threads=num_threads)
    return PixelChannels(winner, best_class, sum(histograms[1:], histograms[0]))


def label_image(channels: PixelChannels, table: np.ndarray, frame: LabelFrame) -> np.ndarray:
    """Return the labels of the image.

    Args:
        channels: of the label pixels; where these are the image's, `winner` is overwritten.
        table: uint16 [N + k + 1], label of each channel.
        frame: the label pixels.

    Returns:
        uint16 [image height, image width].
    """
    size = (len(frame.image_rows), len(frame.image_columns))
    image = channels.winner if frame.one_to_one else np.empty(size, dtype=np.uint16)
    pixel_loops().write_labels(
        channels.winner, table, frame.image_rows, frame.image_columns, image
    )
    return image


def semantic_image(
    logits: np.ndarray, geometry: InputGeometry, *, num_stuff: int, label_resolution: str
) -> np.ndarray:
    """Return the class with the largest semantic logit of every image pixel.

    Args:
        logits: float32 [S, H/4, W/4] over the padded input, stuff channels first.
        geometry: how the image lies in the network's input.
        num_stuff: number of stuff channels.
        label_resolution: `input_frame` decides on the network's pixels and enlarges by nearest
            pixel (as published), `image` interpolates logits to the image's pixels first.

    Returns:
        uint8 [image height, image width].
    """
    frame = label_frame(geometry, label_resolution)
    channels = panoptic_channels(
        logits,
        NO_INSTANCES,
        frame,
        num_stuff=num_stuff,
        predict_unknown=False,
        with_best_class=True,
    )
    return frame.to_image(channels.best_class)


@dataclass(frozen=True, eq=False)
class LabelAssignment:
    """The label value of every channel.

    Attributes:
        table: uint16 [N + k + 1], label of stuff class i at i, of instance i at N + i, unknown at
            the end.
        instance_areas: int64 [k], image pixels of each instance; 0 for one that is nowhere, or
            that became stuff.
        unknown_area: image pixels without a class.
    """

    table: np.ndarray
    instance_areas: np.ndarray
    unknown_area: int


def assign_labels(
    histogram: np.ndarray,
    *,
    instance_classes: Sequence[int] | np.ndarray,
    num_stuff: int,
    stuff_area_limit: int,
    by_majority: bool,
) -> LabelAssignment:
    """Decide the label of every channel.

    An instance becomes stuff if the most frequent semantic class of its pixels is a stuff class
    that covers at least half of them; it then is part of that stuff. After that, a stuff class
    with fewer pixels than the limit becomes unknown. All areas are counted in image pixels.

    Args:
        histogram: int64 [N + k + 1, S], image pixels of each channel by their best semantic class.
        instance_classes: train id of each of the k instances.
        num_stuff: number of stuff classes N.
        stuff_area_limit: smallest area of a stuff class [image px].
        by_majority: False keeps every instance in its class, whatever the semantic head says.

    Source: UPSNet section 3.2, with the conventions of the published models.
    """
    classes = np.asarray(instance_classes, dtype=np.int64)
    channel_areas, votes = histogram.sum(axis=1), histogram[num_stuff:-1]  # [N + k + 1], [k, S]
    areas = channel_areas[num_stuff:-1]
    favourite = votes.argmax(axis=1)  # [k], the lowest of equals
    # 2 * votes >= area, so that an area of zero needs no division.
    is_stuff = (favourite < num_stuff) & (2 * votes.max(axis=1, initial=0) >= areas) & (areas > 0)
    is_stuff &= by_majority

    stuff_areas = channel_areas[:num_stuff].copy()
    np.add.at(stuff_areas, favourite[is_stuff], areas[is_stuff])
    too_small = stuff_areas < stuff_area_limit
    stuff_labels = np.arange(num_stuff) << INSTANCE_BITS
    stuff_labels[too_small] = UNKNOWN_LABEL

    table = np.full(num_stuff + len(classes) + 1, UNKNOWN_LABEL, dtype=np.uint16)
    table[:num_stuff] = stuff_labels
    thing_areas = np.where(is_stuff, 0, areas)
    table[num_stuff:-1] = _number_instances(classes, thing_areas)
    table[num_stuff:-1][is_stuff] = stuff_labels[favourite[is_stuff]]
    known = int(stuff_areas[~too_small].sum() + thing_areas.sum())
    return LabelAssignment(table, thing_areas, int(channel_areas.sum()) - known)


def _number_instances(classes: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return label values that count the instances with pixels from 1 per class: int64 [k]."""
    labels = np.full(len(classes), UNKNOWN_LABEL, dtype=np.int64)
    for class_id in np.unique(classes):
        present = np.flatnonzero((classes == class_id) & (areas > 0))
        labels[present] = (class_id << INSTANCE_BITS) + np.arange(1, len(present) + 1)
    return labels


def describe_instances(
    *,
    boxes: np.ndarray,
    scores: np.ndarray,
    assignment: LabelAssignment,
    geometry: InputGeometry,
    label_set: LabelSet,
) -> tuple[Instance, ...]:
    """Return the instances that have pixels, in the order given.

    Args:
        boxes: float32 [k, 4] of the instance channels, in input-frame pixels.
        scores: float32 [k].
        assignment: what became of the channels.
        geometry: how the image lies in the network's input.
        label_set: the classes.
    """
    labels = assignment.table[label_set.num_stuff : -1].tolist()
    corner = np.array([geometry.image_width - 1, geometry.image_height - 1] * 2)
    columns = (
        np.clip(boxes / geometry.scale, 0, corner).tolist(),
        scores.tolist(),
        labels,
        assignment.instance_areas.tolist(),
    )
    described = []
    for box, score, label, area in zip(*columns, strict=True):
        if area == 0:
            continue
        class_id = label >> INSTANCE_BITS
        described.append(
            Instance(
                label=label,
                class_id=class_id,
                class_name=label_set.classes[class_id].name,
                score=score,
                box=tuple(box),
                area=area,
            )
        )
    return tuple(described)
