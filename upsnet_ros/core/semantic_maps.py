# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Semantic logits at label resolution: best stuff class and best thing class of every pixel.

All S channels at full resolution would be 160 MB for a 2048 x 1024 input. Only running maxima
and the channels that instances need are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from upsnet_ros.core.window import Window

# Label pixels worked on at a time: logits, maxima and masks of a strip stay in a core's cache.
_STRIP_PIXELS = 1 << 17
# A strip must start where a source row and a label row begin together, within so many rows.
_LONGEST_PERIOD = 16


@dataclass(frozen=True, eq=False)
class SemanticMaps:
    """The semantic head's answer at label resolution h x w.

    Attributes:
        stuff_class: uint8 [h, w], stuff class with the largest logit, the lowest of equals.
        stuff_logit: float32 [h, w], that logit; -inf when the label set has no stuff.
        thing_class: uint8 [h, w], likewise for things.
        thing_logit: float32 [h, w], likewise for things.
        channels: float32 [h, w] by class id, only for the classes asked for.
    """

    stuff_class: np.ndarray
    stuff_logit: np.ndarray
    thing_class: np.ndarray
    thing_logit: np.ndarray
    channels: dict[int, np.ndarray]

    def best_class(self) -> np.ndarray:
        """Return the class with the largest logit of all, the lowest of equals: uint8 [h, w]."""
        is_thing = self.thing_logit > self.stuff_logit
        # Thing ids are above all stuff ids, so a maximum selects; it is faster than np.where.
        return np.maximum(self.stuff_class, self.thing_class * is_thing.view(np.uint8))


def semantic_maps(
    logits: np.ndarray,
    *,
    size: tuple[int, int],
    upsampling: float,
    num_stuff: int,
    kept_classes: Iterable[int],
) -> SemanticMaps:
    """Interpolate semantic logits and reduce them.

    Args:
        logits: float32 [S, H/4, W/4] over the padded input, stuff channels first.
        size: (h, w) of the label grid [px].
        upsampling: label pixels per logit pixel; bilinear between pixel centres, clamped at the
            borders (align_corners False).
        num_stuff: number of stuff channels.
        kept_classes: classes whose interpolated channel is wanted.
    """
    channels = {index: np.empty(size, dtype=np.float32) for index in set(kept_classes)}
    stuff_class, thing_class = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
    stuff_logit = np.full(size, -np.inf, dtype=np.float32)
    thing_logit = np.full(size, -np.inf, dtype=np.float32)
    for strip in _strips(logits.shape[1:], size, upsampling):
        rows = strip.rows
        for index, channel in enumerate(logits):
            values = strip.interpolate(channel)
            if index in channels:
                channels[index][rows] = values
            if index < num_stuff:
                strip.raise_maximum(values, index, stuff_logit[rows], stuff_class[rows])
            else:
                strip.raise_maximum(values, index, thing_logit[rows], thing_class[rows])
    return SemanticMaps(stuff_class, stuff_logit, thing_class, thing_logit, channels)


class _Scratch:
    """Memory that the strips of a call use one after another; fresh pages cost more than work."""

    def __init__(self) -> None:
        """Start with no memory; the first strip is the largest or nearly so."""
        self._bytes = np.empty(0, dtype=np.uint8)

    def arrays(
        self, *requests: tuple[tuple[int, int], type[np.generic]]
    ) -> tuple[np.ndarray, ...]:
        """Return uninitialised arrays of the given shapes and types, until the next call."""
        sizes = [math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in requests]
        starts = [sum(-(-size // 64) * 64 for size in sizes[:i]) for i in range(len(sizes))]
        if self._bytes.size < starts[-1] + sizes[-1]:
            self._bytes = np.empty(starts[-1] + sizes[-1], dtype=np.uint8)
        return tuple(
            self._bytes[start : start + size].view(dtype).reshape(shape)
            for start, size, (shape, dtype) in zip(starts, sizes, requests, strict=True)
        )


class _Strip:
    """A strip of label rows."""

    def __init__(
        self, rows: slice, source: Window, *, width: int, factor: float, scratch: _Scratch
    ) -> None:
        """Prepare a strip.

        Args:
            rows: its rows on the label grid.
            source: pixels of the logits that it is made from; the first row lies on a whole row
                of the label grid.
            width: its columns.
            factor: label pixels per logit pixel.
            scratch: memory to work in; the strip made before is not used any more.
        """
        self.rows = rows
        self._source = source.slices
        self._factor = factor
        first_row = rows.start - round(source.top * factor)
        size = (rows.stop - rows.start, width)
        self._wanted = Window(first_row, 0, first_row + size[0], width).slices
        # OpenCV derives this size from the factor by the same rounding.
        enlarged = (round(source.height * factor), round(source.width * factor))
        self._enlarged, self._larger, self._candidate = scratch.arrays(
            (enlarged, np.float32), (size, np.bool_), (size, np.uint8)
        )

    def interpolate(self, channel: np.ndarray) -> np.ndarray:
        """Return the strip of a channel: float32 [rows, width], valid until the next call."""
        enlarged = cv2.resize(
            channel[self._source],
            None,
            dst=self._enlarged,
            fx=self._factor,
            fy=self._factor,
            interpolation=cv2.INTER_LINEAR,
        )
        return enlarged[self._wanted]

    def raise_maximum(
        self, values: np.ndarray, index: int, best: np.ndarray, best_index: np.ndarray
    ) -> None:
        """Update a running maximum and its index, in place, where `values` is strictly larger."""
        np.greater(values, best, out=self._larger)
        np.maximum(best, values, out=best)
        # Indices only grow from call to call, so the newest index is the largest: a maximum
        # writes it many times faster than a masked assignment.
        np.multiply(self._larger.view(np.uint8), np.uint8(index), out=self._candidate)
        np.maximum(best_index, self._candidate, out=best_index)


def _strips(
    source_size: tuple[int, int], size: tuple[int, int], factor: float
) -> Iterator[_Strip]:
    """Yield the strips that make up the label grid, from the top."""
    height, width = size
    source_height = min(math.ceil(height / factor) + 1, source_size[0])
    source_width = min(math.ceil(width / factor) + 1, source_size[1])
    step = _strip_step(source_height, width, factor)
    scratch = _Scratch()
    for top in range(0, source_height, step):
        is_last = top + step >= source_height
        rows = slice(round(top * factor), height if is_last else round((top + step) * factor))
        if rows.start >= height:
            return
        # The interpolation reaches one row further on either side. A strip that starts later
        # than the first row takes a whole period more, to stay on the grid.
        source_top = max(top - _period(factor), 0)
        source = Window(source_top, 0, min(top + step + 1, source_height), source_width)
        rows = slice(rows.start, min(rows.stop, height))
        yield _Strip(rows, source, width=width, factor=factor, scratch=scratch)


def _period(factor: float) -> int:
    """Return after how many source rows the label grid repeats; 0 if it takes too long."""
    period = Fraction(factor).limit_denominator(_LONGEST_PERIOD).denominator
    return period if abs(period * factor - round(period * factor)) < 1e-9 else 0


def _strip_step(source_height: int, width: int, factor: float) -> int:
    """Return the source rows per strip: whole periods, or all rows where there is no period."""
    period = _period(factor)
    if period == 0:
        return source_height
    rows = _STRIP_PIXELS / (width * factor)
    return max(round(rows / period), 1) * period
