# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A slow, literal panoptic head: every channel dense, every step as the rules state it.

It shares no code with `upsnet_ros.core` and computes in float64. The production head is tested
against it, and the benchmark compares their times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

VOID = 255
MASK = 28


@dataclass
class ReferenceAnswer:
    """The reference's answer.

    Attributes:
        label_image: uint16 [image height, image width].
        margin: float64 of the same size, distance between the two largest logits; where it is
            tiny, rounding in float32 may decide otherwise.
        channels: number of instance channels.
    """

    label_image: np.ndarray
    margin: np.ndarray
    channels: int


def bilinear_axis(source: int, size: int, step: float) -> np.ndarray:
    """Return the interpolation matrix [size, source] of half-pixel bilinear sampling."""
    matrix = np.zeros((size, source))
    for target in range(size):
        position = (target + 0.5) * step - 0.5
        low = math.floor(position)
        part = position - low
        matrix[target, min(max(low, 0), source - 1)] += 1.0 - part
        matrix[target, min(max(low + 1, 0), source - 1)] += part
    return matrix


def bilinear(array: np.ndarray, size: tuple[int, int], step: tuple[float, float]) -> np.ndarray:
    """Resize [h, w] to `size`, `step` source pixels per result pixel."""
    rows = bilinear_axis(array.shape[0], size[0], step[0])
    columns = bilinear_axis(array.shape[1], size[1], step[1])
    return rows @ array.astype(np.float64) @ columns.T


def paste(box, logits, height, width):
    """Return the resized mask logits in a zero map, and where they lie as a boolean map."""
    x1, y1, x2, y2 = (math.trunc(value) for value in box)
    w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    patch = bilinear(logits, (h, w), (MASK / h, MASK / w))
    full, inside = np.zeros((height, width)), np.zeros((height, width), dtype=bool)
    ys, xs = np.arange(y1, y1 + h), np.arange(x1, x1 + w)
    ys_in, xs_in = (ys >= 0) & (ys < height), (xs >= 0) & (xs < width)
    full[np.ix_(ys[ys_in], xs[xs_in])] = patch[np.ix_(ys_in, xs_in)]
    inside[np.ix_(ys[ys_in], xs[xs_in])] = True
    return full, inside


def prune(boxes, classes, mask_logits, height, width, overlap_threshold):
    """Return [(index, Y map)] of the kept candidates."""
    canvases, kept = {}, []
    for index in range(len(boxes)):
        full, inside = paste(boxes[index], mask_logits[index], height, width)
        mask = inside & (full > 0)
        area = int(mask.sum())
        if area == 0:
            continue
        canvas = canvases.setdefault(int(classes[index]), np.zeros((height, width), dtype=bool))
        if int((canvas & mask).sum()) / area > overlap_threshold:
            continue
        canvas |= mask
        kept.append((index, full))
    if not kept and len(boxes):
        kept.append((0, np.zeros((height, width))))
    return kept


def semantic_map_of(box, channel):
    """Return X: the class's semantic logits inside the box, zero outside."""
    height, width = channel.shape
    result = np.zeros_like(channel)
    top, bottom = math.trunc(box[1]), int(np.rint(box[3])) + 1
    left, right = math.trunc(box[0]), int(np.rint(box[2])) + 1
    rows = [y for y in range(height) if top <= y < bottom]
    columns = [x for x in range(width) if left <= x < right]
    result[np.ix_(rows, columns)] = channel[np.ix_(rows, columns)]
    return result


def reference_panoptic_head(
    semantic_logits,
    boxes,
    scores,
    classes,
    mask_logits,
    *,
    num_stuff,
    image_size,
    content_size,
    scale,
    score_threshold=0.6,
    mask_overlap_threshold=0.3,
    stuff_area_limit=2048,
    predict_unknown=True,
    instance_class='majority',
    label_resolution='input_frame',
) -> ReferenceAnswer:
    """Return the labels of one image; the arguments are those of the production head."""
    keep = [i for i in range(len(scores)) if scores[i] > score_threshold]
    boxes, classes = np.asarray(boxes, dtype=np.float64)[keep], np.asarray(classes)[keep]
    mask_logits = np.asarray(mask_logits)[keep]

    quarter_h, quarter_w = semantic_logits.shape[1:]
    if label_resolution == 'input_frame':
        grid, step, content = (quarter_h * 4, quarter_w * 4), 0.25, content_size
    else:
        grid, step, content = image_size, scale / 4, image_size
        boxes = boxes / scale
    semantic = np.stack([bilinear(c, grid, (step, step)) for c in semantic_logits])
    kept = prune(boxes, classes, mask_logits, *grid, mask_overlap_threshold)
    count = len(kept)

    things = semantic[num_stuff:].max(axis=0)
    x_maps = [semantic_map_of(boxes[i], semantic[classes[i]]) for i, _ in kept]
    channels = list(semantic[:num_stuff])
    channels += [x + y for x, (_, y) in zip(x_maps, kept, strict=True)]
    if predict_unknown:
        channels.append(things - (np.max(x_maps, axis=0) if count else 0.0))
    z = np.stack(channels)
    panoptic = z.argmax(axis=0)
    panoptic[panoptic == num_stuff + count] = VOID + 1000
    top_two = np.sort(np.concatenate([z, np.full((1, *grid), -np.inf)]), axis=0)[-2:]
    margin = top_two[1] - top_two[0]
    semantic_label = semantic.argmax(axis=0)

    panoptic, margin, semantic_label = (
        a[: content[0], : content[1]] for a in (panoptic, margin, semantic_label)
    )
    if label_resolution == 'input_frame':
        rounded = float(np.float32(scale))
        rows = [min(math.floor(y * rounded), content[0] - 1) for y in range(image_size[0])]
        columns = [min(math.floor(x * rounded), content[1] - 1) for x in range(image_size[1])]
        panoptic, margin, semantic_label = (
            a[np.ix_(rows, columns)] for a in (panoptic, margin, semantic_label)
        )

    label_image = encode(
        panoptic,
        semantic_label if instance_class == 'majority' else None,
        [int(classes[i]) for i, _ in kept],
        num_stuff,
        stuff_area_limit,
    )
    return ReferenceAnswer(label_image, margin, count)


def encode(panoptic, semantic_label, instance_classes, num_stuff, stuff_area_limit):
    """Assign classes in the image's frame, number the instances per class, drop small stuff.

    Without semantic labels, every instance keeps its own class.
    """
    class_map = np.full(panoptic.shape, VOID)
    instance_map = np.full(panoptic.shape, VOID)
    number = {}
    for label in sorted(set(panoptic.ravel().tolist())):
        region = panoptic == label
        if label < num_stuff:
            class_map[region], instance_map[region] = label, 0
            continue
        if label >= VOID + 1000:
            continue
        own = instance_classes[label - num_stuff]
        if semantic_label is None:
            mode, votes = own, region.sum()
        else:
            values, counts = np.unique(semantic_label[region], return_counts=True)
            mode, votes = values[counts.argmax()], counts.max()
        if mode != own and votes / region.sum() >= 0.5 and mode < num_stuff:
            class_map[region], instance_map[region] = mode, 0
        else:
            number[own] = number.get(own, 0) + 1
            class_map[region], instance_map[region] = own, number[own]
    for stuff in range(num_stuff):
        region = class_map == stuff
        if region.sum() < stuff_area_limit:
            class_map[region], instance_map[region] = VOID, VOID
    return (class_map * 256 + instance_map).astype(np.uint16)
