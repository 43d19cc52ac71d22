# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the published test script makes of the heads' outputs, step by step and dense.

Written from the facts of the published models (section 11), like `reference_upsnet.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.training.reference_upsnet import decode, suppress

BOX_WEIGHTS = (10, 10, 5, 5)
LIMIT = 100
VOID = 255


@dataclass
class Regions:
    """Boxes [n, 4] in input pixels, scores [n], classes [n] in 1..T."""

    boxes: Tensor
    scores: Tensor
    classes: Tensor


def capped(
    boxes: list[Tensor], scores: list[Tensor], classes: list[Tensor], limit: int
) -> Regions:
    """The best, as many as `limit`, and all that score as much as the last of them."""
    found = Regions(torch.cat(boxes), torch.cat(scores), torch.cat(classes))
    if len(found.scores) <= limit:
        return found
    keep = found.scores >= found.scores.sort(descending=True).values[limit - 1]
    return Regions(found.boxes[keep], found.scores[keep], found.classes[keep])


def detections(
    proposals: Tensor,
    class_logits: Tensor,
    deltas: Tensor,
    size: tuple[int, int],
    limit: int = LIMIT,
) -> Regions:
    """Suppression per class, for average precision."""
    probabilities = class_logits.softmax(dim=1)
    boxes, scores, classes = [], [], []
    for c in range(1, class_logits.shape[1]):
        chosen = probabilities[:, c] > 0.05
        own_scores = probabilities[chosen, c]
        own = decode(proposals[chosen], deltas[chosen, c], BOX_WEIGHTS, size)
        kept = suppress(own, own_scores, 0.5)
        boxes.append(own[kept])
        scores.append(own_scores[kept])
        classes.append(torch.full((len(kept),), c))
    return capped(boxes, scores, classes, limit)


def candidates(
    proposals: Tensor,
    class_logits: Tensor,
    deltas: Tensor,
    size: tuple[int, int],
    threshold: float = 0.6,
) -> Regions:
    """Suppression over all classes together, for the panoptic head; by descending score."""
    probabilities = class_logits.softmax(dim=1)[:, 1:]
    rows, columns = torch.nonzero(probabilities > threshold, as_tuple=True)
    scores, classes = probabilities[rows, columns], columns + 1
    boxes = decode(proposals[rows], deltas[rows, classes], BOX_WEIGHTS, size)
    kept = suppress(boxes, scores, 0.5)
    return capped([boxes[kept]], [scores[kept]], [classes[kept]], LIMIT)


def pasted_mask(logits: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask of a detection in the original frame: bool [h, w].

    `logits` is [28, 28], `box` is x1, y1, x2, y2 in pixels of the original frame.
    """
    padded = np.zeros((30, 30), np.float32)
    padded[1:-1, 1:-1] = 1 / (1 + np.exp(-logits))
    centre = (box[:2] + box[2:]) / 2
    half = (box[2:] - box[:2]) / 2 * 30 / 28
    x1, y1, x2, y2 = (int(v) for v in (*(centre - half), *(centre + half)))
    w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    inside = cv2.resize(padded, (w, h), interpolation=cv2.INTER_LINEAR) > 0.5
    mask = np.zeros(size, bool)
    top, left, bottom, right = max(y1, 0), max(x1, 0), min(y1 + h, size[0]), min(x1 + w, size[1])
    if top < bottom and left < right:
        mask[top:bottom, left:right] = inside[top - y1 : bottom - y1, left - x1 : right - x1]
    return mask


def pruned(found: Regions, mask_logits: np.ndarray, size: tuple[int, int]) -> list:
    """[(row, Y)] of the candidates that stay; Y is float32 [H, W], zero outside the box."""
    canvases, kept = {}, []
    for row in range(len(found.boxes)):
        x1, y1, x2, y2 = (int(v) for v in found.boxes[row].tolist())
        w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
        patch = cv2.resize(mask_logits[row], (w, h), interpolation=cv2.INTER_LINEAR)
        full = np.zeros(size, np.float32)
        visible = patch[: size[0] - y1, : size[1] - x1]  # boxes start inside the image
        full[y1 : y1 + h, x1 : x1 + w] = visible
        mask = full > 0
        canvas = canvases.setdefault(int(found.classes[row]), np.zeros(size, bool))
        area = mask.sum()
        if area == 0 or (canvas & mask).sum() / area > 0.3:
            continue
        canvas |= mask
        kept.append((row, full))
    return kept or [(0, np.zeros(size, np.float32))]


@dataclass
class PanopticMaps:
    """The panoptic head's answer on padded input pixels.

    Attributes:
        labels: int64 [H, W]: stuff class 0..N-1, N + i for kept instance i, 255 unknown.
        semantic: int64 [H, W], largest of all S semantic logits.
        classes: Box class of every kept instance.
        margin: float32 [H, W], largest minus second largest panoptic logit.
    """

    labels: np.ndarray
    semantic: np.ndarray
    classes: list[int]
    margin: np.ndarray


def panoptic_maps(
    quarter: Tensor, found: Regions, mask_logits: np.ndarray, num_stuff: int
) -> PanopticMaps:
    """Logits of stuff, instances and unknown, and their argmax. There must be a candidate.

    `quarter` holds the semantic logits [S, H / 4, W / 4], `mask_logits` [n, 28, 28].
    """
    score = F.interpolate(quarter[None], scale_factor=4, mode='bilinear', align_corners=False)[0]
    score = score.numpy()  # [S, H, W]
    size = score.shape[1:]
    kept = pruned(found, mask_logits, size)
    classes = [int(found.classes[row]) for row, _ in kept]
    insides = []
    for (row, _), c in zip(kept, classes, strict=True):
        x1, y1, x2, y2 = found.boxes[row].tolist()
        inside = np.zeros(size, np.float32)
        rows, columns = slice(int(y1), round(y2) + 1), slice(int(x1), round(x2) + 1)
        inside[rows, columns] = score[num_stuff - 1 + c][rows, columns]
        insides.append(inside)
    unknown = score[num_stuff:].max(axis=0) - np.max(insides, axis=0)
    instances = [x + y for x, (_, y) in zip(insides, kept, strict=True)]
    z = np.stack([*score[:num_stuff], *instances, unknown])
    labels = z.argmax(axis=0)
    labels[labels == len(z) - 1] = VOID
    top = np.partition(z, -2, axis=0)[-2:]
    return PanopticMaps(labels, score.argmax(axis=0), classes, top[1] - top[0])


def unified_result(
    maps: PanopticMaps,
    *,
    content: tuple[int, int],
    scale: float,
    num_stuff: int,
    area_limit: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Semantic id (255 = void) and instance index of every pixel of the original frame."""
    height, width = (round(side / scale) for side in content)
    step = float(np.float32(scale))  # the published code keeps the scale in single precision
    rows = [min(int(y * step), content[0] - 1) for y in range(height)]
    columns = [min(int(x * step), content[1] - 1) for x in range(width)]
    labels, semantic = (a[np.ix_(rows, columns)] for a in (maps.labels, maps.semantic))
    result, index = labels.copy(), np.zeros_like(labels)
    present = [label for label in np.unique(labels) if label >= num_stuff]
    for rank, label in enumerate(present):
        if label == VOID:
            continue
        region = labels == label
        own = num_stuff - 1 + maps.classes[label - num_stuff]
        votes = np.bincount(semantic[region])
        mode = votes.argmax()
        if mode != own and votes[mode] / region.sum() >= 0.5 and mode < num_stuff:
            result[region] = mode
        else:
            result[region], index[region] = own, rank + 1
    for stuff in range(num_stuff):
        if (result == stuff).sum() < area_limit:
            result[result == stuff] = VOID
    return result, index
