# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The semantic and the winning channel of every pixel, without building all channels.

All S semantic channels at full resolution would be 160 MB for a 2048 x 1024 input. Only running
maxima and the channels that instances need are kept. Every instance channel is zero outside its
own window, so only windows are worked on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from upsnet_ros.core.masks import PlacedInstance
from upsnet_ros.core.window import EMPTY, Window, row_bands


class WorkMemory:
    """Hands out arrays by name, in the same memory each time.

    Maps of an image are large enough that the system hands out fresh pages for each, and filling
    those in costs more than the work done on them. One thread may use one work memory.
    """

    def __init__(self) -> None:
        """Start with no memory."""
        self._memory: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """Return an uninitialised array, valid until the same name is asked for again.

        Args:
            name: tells arrays apart that are needed at the same time.
            shape: shape of the array; the memory of a name grows to the largest.
            dtype: element type.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or memory.size < size:
            memory = self._memory[name] = np.empty(size, dtype=np.uint8)
        return memory[:size].view(dtype).reshape(shape)


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
        best = self.stuff_class.copy()
        for rows in row_bands(best.shape):
            is_thing = self.thing_logit[rows] > self.stuff_logit[rows]
            # Thing ids are above all stuff ids, so a maximum selects.
            chosen = self.thing_class[rows] * is_thing.view(np.uint8)
            np.maximum(best[rows], chosen, out=best[rows])
        return best


def semantic_maps(
    logits: np.ndarray,
    *,
    size: tuple[int, int],
    upsampling: float,
    num_stuff: int,
    kept_classes: Iterable[int],
    memory: WorkMemory,
) -> SemanticMaps:
    """Interpolate semantic logits and reduce them.

    Args:
        logits: float32 [S, H/4, W/4] over the padded input, stuff channels first.
        size: (h, w) of the label grid [px].
        upsampling: label pixels per logit pixel; bilinear between pixel centres, clamped at the
            borders (align_corners False).
        num_stuff: number of stuff channels.
        kept_classes: classes whose interpolated channel is wanted.
        memory: where the maps are; they are valid until it is used for the next image.
    """
    channels = {
        class_id: memory.array(f'channel {number}', size, np.float32)
        for number, class_id in enumerate(sorted(set(kept_classes)))
    }
    stuff_class = memory.array('stuff class', size, np.uint8)
    thing_class = memory.array('thing class', size, np.uint8)
    stuff_logit = memory.array('stuff logit', size, np.float32)
    thing_logit = memory.array('thing logit', size, np.float32)
    for index, logit in ((stuff_class, stuff_logit), (thing_class, thing_logit)):
        index.fill(0)
        logit.fill(-np.inf)
    for strip in _strips(logits.shape[1:], size, upsampling, memory):
        rows = strip.rows
        for number, channel in enumerate(logits):
            values = strip.interpolate(channel)
            if number in channels:
                channels[number][rows] = values
            if number < num_stuff:
                strip.raise_maximum(values, number, stuff_logit[rows], stuff_class[rows])
            else:
                strip.raise_maximum(values, number, thing_logit[rows], thing_class[rows])
    return SemanticMaps(stuff_class, stuff_logit, thing_class, thing_logit, channels)


class _Strip:
    """A strip of label rows."""

    def __init__(
        self, rows: slice, source: Window, *, width: int, factor: float, memory: WorkMemory
    ) -> None:
        """Prepare a strip.

        Args:
            rows: its rows on the label grid.
            source: pixels of the logits that it is made from; the first row lies on a whole row
                of the label grid.
            width: its columns.
            factor: label pixels per logit pixel.
            memory: what to work in; the strip made before cannot be used any more.
        """
        self.rows = rows
        self._source = source.slices
        self._factor = factor
        first_row = rows.start - round(source.top * factor)
        size = (rows.stop - rows.start, width)
        self._wanted = Window(first_row, 0, first_row + size[0], width).slices
        # OpenCV derives this size from the factor by the same rounding.
        enlarged = (round(source.height * factor), round(source.width * factor))
        self._enlarged = memory.array('enlarged', enlarged, np.float32)
        self._larger = memory.array('larger', size, np.bool_)
        self._candidate = memory.array('candidate', size, np.uint8)

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
    source_size: tuple[int, int], size: tuple[int, int], factor: float, memory: WorkMemory
) -> Iterator[_Strip]:
    """Yield the strips that make up the label grid, from the top."""
    height, width = size
    source_height = min(math.ceil(height / factor) + 1, source_size[0])
    source_width = min(math.ceil(width / factor) + 1, source_size[1])
    step = _strip_step(source_height, width, factor)
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
        yield _Strip(rows, source, width=width, factor=factor, memory=memory)


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


def panoptic_argmax(
    maps: SemanticMaps,
    instances: Sequence[PlacedInstance],
    *,
    num_stuff: int,
    predict_unknown: bool,
) -> np.ndarray:
    """Return the winning channel of every pixel.

    Channels are the stuff classes, then the instances in the order given, then unknown; the first
    of equal logits wins. The stuff logits and thing logits of `maps` are overwritten.

    Args:
        maps: semantic logits at label resolution [h, w], with the channel of every instance's
            class.
        instances: the kept instances. Without any, no instance channel exists; the published code
            then adds one that is zero everywhere, which only ever takes pixels from classes with
            negative logits and calls them a stuff class. It is left out here.
        num_stuff: number of stuff classes N.
        predict_unknown: whether there is an unknown channel.

    Returns:
        uint16 [h, w]: stuff class 0 to N - 1, N + i for instance i, N + k (with k instances) for
        unknown.

    Source: UPSNet section 3.1, panoptic head, with the conventions of the published models.
    """
    best = maps.stuff_logit
    labels = Window(0, 0, *best.shape)
    winner = maps.stuff_class.astype(np.uint16)
    uncovered = labels
    for index, instance in enumerate(instances):
        extent = instance.extent.intersect(labels)
        _offer_zero(best, winner, num_stuff + index, inside=uncovered, outside=extent)
        uncovered = uncovered.intersect(extent)
        if not extent.is_empty:
            logits = _instance_logits(instance, maps.channels[instance.class_id], extent)
            _offer(logits, num_stuff + index, best[extent.slices], winner[extent.slices])
    if predict_unknown:
        unknown = maps.thing_logit
        _subtract_largest_semantic_logit(unknown, instances, maps.channels)
        channel = np.uint16(num_stuff + len(instances))
        for rows in row_bands(best.shape):
            # It is the last channel, so a maximum selects it.
            chosen = (unknown[rows] > best[rows]) * channel
            np.maximum(winner[rows], chosen, out=winner[rows])
    return winner


def _offer(logits: np.ndarray, channel: int, best: np.ndarray, winner: np.ndarray) -> None:
    """Let a channel win, in place, where its logits are strictly larger."""
    larger = logits > best
    np.copyto(best, logits, where=larger)
    np.copyto(winner, np.uint16(channel), where=larger)


def _offer_zero(
    best: np.ndarray, winner: np.ndarray, channel: int, *, inside: Window, outside: Window
) -> None:
    """Let an instance win, in place, with the logit 0 that it has outside its window.

    It wins only where all stuff logits are negative and every earlier instance is present; those
    that come later find zero already there. So `inside`, the pixels that all earlier instances
    cover, shrinks quickly and this is rarely any work.
    """
    if inside.is_empty:
        return
    negative = best[inside.slices] < 0.0
    common = inside.intersect(outside)
    if not common.is_empty:
        negative[common.relative_to(inside).slices] = False
    if negative.any():
        best[inside.slices][negative] = 0.0
        winner[inside.slices][negative] = channel


def _instance_logits(instance: PlacedInstance, channel: np.ndarray, extent: Window) -> np.ndarray:
    """Return semantic plus mask logits of an instance inside a window: float32, its size."""
    semantic, mask = instance.semantic.intersect(extent), instance.mask.intersect(extent)
    if semantic == extent:
        logits = channel[extent.slices].copy()
    else:
        logits = np.zeros((extent.height, extent.width), dtype=np.float32)
        logits[semantic.relative_to(extent).slices] = channel[semantic.slices]
    if not mask.is_empty:
        part = mask.relative_to(instance.mask).slices
        logits[mask.relative_to(extent).slices] += instance.mask_logits[part]
    return logits


def _subtract_largest_semantic_logit(
    thing_logit: np.ndarray,
    instances: Sequence[PlacedInstance],
    channels: dict[int, np.ndarray],
) -> None:
    """Subtract, in place, the largest semantic logit over all instances from float32 [h, w].

    Each is zero outside its window, so the largest is at least zero wherever one is absent, and
    nothing changes where all are.
    """
    labels = Window(0, 0, *thing_logit.shape)
    windows = [instance.semantic.intersect(labels) for instance in instances]
    any_present, all_present = EMPTY, labels
    for window in windows:
        any_present = any_present.enclose(window)
        all_present = all_present.intersect(window)
    if any_present.is_empty:
        return
    largest = np.zeros((any_present.height, any_present.width), dtype=np.float32)
    if not all_present.is_empty:
        largest[all_present.relative_to(any_present).slices] = -np.inf
    for instance, window in zip(instances, windows, strict=True):
        if not window.is_empty:
            here = largest[window.relative_to(any_present).slices]
            np.maximum(here, channels[instance.class_id][window.slices], out=here)
    thing_logit[any_present.slices] -= largest
