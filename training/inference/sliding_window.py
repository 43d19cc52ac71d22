# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Semantic logits window by window: PSPNet is tested on crops of the size it was trained on."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from upsnet_ros.core.structures import SEMANTIC_STRIDE

ALIGNMENT = 8  # pixels; windows start on a cell of every stride a semantic network has
STEP_SHARE = 2 / 3  # of the window's side, as PSPNet is tested


def windowed_logits(network: Callable[[Tensor], Tensor], images: Tensor, *, side: int) -> Tensor:
    """Mean logits of square windows that overlap by a third.

    Args:
        network: Maps ``[B, 3, h, w]`` to logits ``[B, S, h / 4, w / 4]``.
        images: ``[B, 3, H, W]``, sides multiples of 8.
        side: Side of a window in pixels, a multiple of 8; an image that is smaller on one axis is
            taken whole there.

    Returns:
        float32 ``[B, S, H / 4, W / 4]``.

    Source: Zhao et al. 2017, as the paper's supplement tests it.
    """
    quarter = [length // SEMANTIC_STRIDE for length in images.shape[2:]]
    total, times = images.new_zeros(()), images.new_zeros(quarter)
    for top, bottom in spans(images.shape[2], side):
        for left, right in spans(images.shape[3], side):
            logits = network(images[:, :, top:bottom, left:right]).float()
            if not total.ndim:  # the number of classes is known now
                total = logits.new_zeros(*logits.shape[:2], *quarter)
            rows = slice(top // SEMANTIC_STRIDE, bottom // SEMANTIC_STRIDE)
            columns = slice(left // SEMANTIC_STRIDE, right // SEMANTIC_STRIDE)
            total[:, :, rows, columns] += logits
            times[rows, columns] += 1
    return torch.div(total, times)


def spans(length: int, side: int) -> Iterator[tuple[int, int]]:
    """Where windows begin and end along one axis: all of it is covered, none reaches out."""
    step = max(int(side * STEP_SHARE) // ALIGNMENT * ALIGNMENT, ALIGNMENT)
    start = 0
    while start + side < length:
        yield start, start + side
        start += step
    yield max(length - side, 0), length
