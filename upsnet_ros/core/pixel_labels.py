# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is decided at each pixel, in loops that numba compiles.

The panoptic logits Z of UPSNet, section 3.1, have a channel for each stuff class, for each
instance and for unknown; all of them at full resolution would be hundreds of megabytes. Here a row
of label pixels is interpolated, compared channel by channel in lines that stay in a core's cache,
counted and forgotten. Every instance channel is zero outside its own windows, so only those are
worked on.

Importing this module compiles the loops, or reads from disk what an earlier process compiled:
import it where half a second, and the first time some, do not matter, and never to do without
labels. All loops are in this file because numba looks at one file to see whether what it kept is
out of date. They hold no lock of the interpreter, so threads can share the rows of one image.

Windows are int64 [..., 4]: top, left, bottom, right. Axes of arrays: S classes, N of them stuff;
logits of h x w; label pixels H x W; n candidates; k instances.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from upsnet_ros.core.structures import MASK_SIZE

_LOGGER = logging.getLogger(__name__)


def compiled(*arguments: types.Type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that compiles a loop for arguments of these types alone."""

    def compile_loop(loop: Callable[..., None]) -> Callable[..., None]:
        options: dict[str, Any] = {'nogil': True, 'error_model': 'numpy'}
        signature = types.void(*arguments)
        try:
            return numba.njit(signature, cache=True, **options)(loop)
        except Exception as error:
            # No folder can be written to, the disk is full, or what is kept there is damaged. That
            # costs the time to compile and nothing else; an error of the loop itself comes again.
            _LOGGER.warning(
                'a loop over pixels is compiled at every start (%s): no folder can be written to, '
                'it is full, or what numba keeps there is damaged; set NUMBA_CACHE_DIR to an '
                'empty folder of your own',
                error,
            )
            return numba.njit(signature, **options)(loop)

    return compile_loop


def _input(dtype: types.Type, ndim: int) -> types.Array:
    """Return the type of an array in one piece that is only read."""
    return types.Array(dtype, ndim, 'C', readonly=True)


def _output(dtype: types.Type, ndim: int) -> types.Array:
    """Return the type of an array in one piece that is written."""
    return types.Array(dtype, ndim, 'C')


# What one pixel does: numbers, and arrays to read.


@numba.njit
def mix(low, high, weight):
    """Return the value between two neighbours; exactly theirs where they are equal."""
    return low + (high - low) * weight


@numba.njit
def source_position(pixel, step):
    """Return where a pixel's centre lies among the centres of source pixels, `step` of them each.

    This is bilinear interpolation between pixel centres (align_corners False).
    """
    return (pixel + 0.5) * step - 0.5


@numba.njit
def neighbours(position, size):
    """Return the two source pixels around a position, inside, and the weight of the second."""
    low = int(math.floor(position))  # of a GPU's floor a float
    return min(max(low, 0), size - 1), min(max(low + 1, 0), size - 1), np.float32(position - low)


@numba.njit
def span(window, y, width):
    """Return the columns that a window covers in row y, from 0 to `width`; (0, 0) for none."""
    left, right = max(window[1], 0), min(window[3], width)
    if window[0] <= y < window[2] and left < right:
        return left, right
    return 0, 0


# What a row does. Arrays are cut so that each loop over them starts at 0; others are not compiled
# to the widest instructions.


@numba.njit
def stretch_by_four(source, line):
    """Enlarge a row of w logits to 4 w: the usual case, several times faster than `stretch`."""
    last = len(source) - 1
    line[0] = line[1] = source[0]
    inner = line[2:]
    for x in range(last):
        low, high = source[x], source[x + 1]
        inner[4 * x] = mix(low, high, np.float32(0.125))
        inner[4 * x + 1] = mix(low, high, np.float32(0.375))
        inner[4 * x + 2] = mix(low, high, np.float32(0.625))
        inner[4 * x + 3] = mix(low, high, np.float32(0.875))
    inner[4 * last] = inner[4 * last + 1] = source[last]


@numba.njit
def place_columns(first, step, size, low, high, weights):
    """Write the neighbours of the pixels `first`, `first` + 1 and so on in a row of `size`."""
    for x in range(len(low)):
        low[x], high[x], weights[x] = neighbours(source_position(first + x, step), size)


@numba.njit
def stretch(source, low, high, weights, line):
    """Interpolate a row of logits at placed columns."""
    for x in range(len(low)):
        line[x] = mix(source[low[x]], source[high[x]], weights[x])


@numba.njit
def stretch_channels(logits, row, step, low, high, weights, lines):
    """Enlarge one row of all channels: float32 [S, W or more]."""
    for channel in range(len(logits)):
        if step == 0.25:
            stretch_by_four(logits[channel, row], lines[channel])
        else:
            stretch(logits[channel, row], low, high, weights, lines[channel])


@numba.njit
def offer(logits, channel, best, winner):
    """Let a channel win where its logits are strictly larger."""
    for x in range(len(best)):
        larger = logits[x] > best[x]
        best[x] = logits[x] if larger else best[x]
        winner[x] = channel if larger else winner[x]


@numba.njit
def offer_zeros(channel, best, winner):
    """Let a channel win that is zero everywhere."""
    for x in range(len(best)):
        larger = best[x] < np.float32(0)
        best[x] = np.float32(0) if larger else best[x]
        winner[x] = channel if larger else winner[x]


@numba.njit
def best_of(upper, lower, weight, first, last, best, winner):
    """Find the largest of the channels `first` to `last` - 1 between two rows, the first of ties.

    Four at a time, which stores a fourth as often; processors without AVX-512 store slowly where a
    condition decides. A channel that is offered twice wins no pixel the second time.
    """
    best[:], winner[:] = -np.inf, 0
    for one in range(first, last, 4):
        two, three, four = min(one + 1, last - 1), min(one + 2, last - 1), min(one + 3, last - 1)
        above_1, below_1, number_1 = upper[one], lower[one], np.int32(one)
        above_2, below_2, number_2 = upper[two], lower[two], np.int32(two)
        above_3, below_3, number_3 = upper[three], lower[three], np.int32(three)
        above_4, below_4, number_4 = upper[four], lower[four], np.int32(four)
        for x in range(len(best)):
            logit, number = mix(above_1[x], below_1[x], weight), number_1
            logit_2 = mix(above_2[x], below_2[x], weight)
            number = number_2 if logit_2 > logit else number
            logit = logit_2 if logit_2 > logit else logit
            logit_3 = mix(above_3[x], below_3[x], weight)
            number = number_3 if logit_3 > logit else number
            logit = logit_3 if logit_3 > logit else logit
            logit_4 = mix(above_4[x], below_4[x], weight)
            number = number_4 if logit_4 > logit else number
            logit = logit_4 if logit_4 > logit else logit
            larger = logit > best[x]
            best[x] = logit if larger else best[x]
            winner[x] = number if larger else winner[x]


@numba.njit
def put_semantic(above, below, weight, logits, largest):
    """Put a semantic channel between two rows into an instance's, and raise the largest to it."""
    for x in range(len(logits)):
        logits[x] = mix(above[x], below[x], weight)
        largest[x] = max(largest[x], logits[x])


@numba.njit
def mask_rows(window, y):
    """Return the two rows of a mask around row y of its window, and the weight of the second."""
    step = MASK_SIZE / (window[2] - window[0])
    return neighbours(source_position(y - window[0], step), MASK_SIZE)


@numba.njit
def add_mask(above, below, weight, logits):
    """Add a row of a mask between two of its rows."""
    for x in range(len(logits)):
        logits[x] += mix(above[x], below[x], weight)


@numba.njit
def start_largest(windows, y, largest):
    """Begin the largest semantic logit of all instances: zero where any of them is absent."""
    largest[:] = 0
    left, right = 0, len(largest)
    for index in range(len(windows)):
        first, last = span(windows[index], y, len(largest))
        left, right = max(left, first), min(right, last)
    if len(windows) > 0 and left < right:
        largest[left:right] = -np.inf


@numba.njit
def count_row(winner, best_class, column_counts, row_count, histogram):
    """Add the image pixels of each pair of channel and class; equal neighbours go together."""
    run = 0
    for x in range(len(winner)):
        if x > 0 and (winner[x] != winner[x - 1] or best_class[x] != best_class[x - 1]):
            histogram[winner[x - 1], best_class[x - 1]] += run * row_count
            run = 0
        run += column_counts[x]
    histogram[winner[-1], best_class[-1]] += run * row_count


# The loops over an image.


@compiled(
    *(_input(types.float32, 3), _input(types.int64, 1), _input(types.int64, 1)),
    *(_input(types.int64, 2), _input(types.int64, 1), types.float64, types.int64),
    *(_output(types.float32, 2), _output(types.uint8, 2), _output(types.boolean, 1)),
)
def claim_masks(
    mask_logits,
    order,
    classes,
    windows,
    starts,
    overlap_threshold,
    most_of_class,
    lines,
    covered,
    kept,
):
    """Find the candidates whose masks better ones of their class do not cover already.

    Args:
        mask_logits: float32 [n, 28, 28].
        order: int64 [n], the candidates class by class, the best of each class first.
        classes: int64 [n].
        windows: int64 [n, 4], where the masks lie, also outside the canvas.
        starts: int64 [n], first column of each mask in `lines`.
        overlap_threshold: covered share of a mask above which it is dropped.
        most_of_class: instances that a class can have.
        lines: float32 [28, all columns], written: the rows of each mask, enlarged to the columns
            of its window that lie on the canvas.
        covered: uint8 [canvas height, canvas width] to work in.
        kept: bool [n], written.
    """
    height, width = covered.shape
    low, high = np.empty(width, np.uint32), np.empty(width, np.uint32)
    weights = np.empty(width, np.float32)
    number = 0
    for place in range(len(order)):
        index = order[place]
        kept[index] = False
        if place == 0 or classes[index] != classes[order[place - 1]]:
            covered[:] = 0
            number = 0
        if number == most_of_class:
            continue
        window, start = windows[index], starts[index]
        left, right = span(window, window[0], width)
        columns = right - left
        first, step = left - window[1], MASK_SIZE / (window[3] - window[1])
        place_columns(first, step, MASK_SIZE, low[:columns], high[:columns], weights[:columns])
        for row in range(MASK_SIZE):
            line = lines[row, start : start + columns]
            stretch(mask_logits[index, row], low[:columns], high[:columns], weights, line)
        area = overlap = 0
        for y in range(max(window[0], 0), min(window[2], height)):
            upper, lower, weight = mask_rows(window, y)
            above = lines[upper, start : start + columns]
            below = lines[lower, start : start + columns]
            taken = covered[y, left:right]
            for x in range(len(taken)):
                inside = mix(above[x], below[x], weight) > np.float32(0)
                area += inside
                overlap += inside and taken[x] > 0
                # 2: its own pixels, until it is known whether it is kept.
                taken[x] |= 2 if inside else 0
        kept[index] = area > 0 and overlap / area <= overlap_threshold
        number += kept[index]
        for y in range(max(window[0], 0), min(window[2], height)):
            taken = covered[y, left:right]
            for x in range(len(taken)):
                taken[x] = (taken[x] | taken[x] >> 1) & 1 if kept[index] else taken[x] & 1


@compiled(
    *(_input(types.float32, 3), types.float64, types.int64, types.int64, types.int64),
    *(types.boolean, _input(types.int64, 1), _input(types.int64, 2), _input(types.int64, 2)),
    *(_input(types.float32, 2), _input(types.int64, 1)),
    *(_input(types.int64, 1), _input(types.int64, 1)),
    *(_output(types.uint16, 2), _output(types.uint8, 2), _output(types.int64, 2)),
)
def label_rows(
    semantic_logits,
    step,
    first,
    last,
    num_stuff,
    predict_unknown,
    classes,
    semantic_windows,
    mask_windows,
    mask_lines,
    mask_starts,
    row_counts,
    column_counts,
    winner,
    best_class,
    histogram,
):
    """Find the winning channel and the best semantic class of some rows, and count them.

    Channels are the stuff classes, then the instances in the order given, then unknown; the first
    of equal logits wins. Without instances no instance channel exists; the published code then
    adds one that is zero everywhere, which only ever takes pixels from classes with negative
    logits and calls them a stuff class. It is left out here.

    Args:
        semantic_logits: float32 [S, h, w] over the padded input, stuff first.
        step: logit pixels per label pixel.
        first: first label row to work on.
        last: row behind the last.
        num_stuff: number of stuff classes N.
        predict_unknown: whether there is an unknown channel.
        classes: int64 [k].
        semantic_windows: int64 [k, 4], where the semantic logits of an instance's class count.
        mask_windows: int64 [k, 4], where its mask lies, also outside the image.
        mask_lines: float32 [28, all columns], see `claim_masks`.
        mask_starts: int64 [k], first column of each instance's mask there.
        row_counts: int64 [H], image rows that show each label row.
        column_counts: int64 [W], likewise.
        winner: uint16 [H, W], written: stuff class 0 to N - 1, N + i for instance i, N + k for
            unknown.
        best_class: uint8 [H, W], written: the class with the largest semantic logit, the lowest
            of equals. [0, 0] if nobody wants it.
        histogram: int64 [N + k + 1, S]; image pixels of each channel and best class are added.

    Source: UPSNet section 3.1, panoptic head, with the conventions of the published models.
    """
    num_classes, source_height, source_width = semantic_logits.shape
    width = winner.shape[1]
    upper = np.empty((num_classes, max(width, 4 * source_width)), np.float32)
    lower = np.empty_like(upper)
    upper_row = lower_row = -1
    best, thing = np.empty(width, np.float32), np.empty(width, np.float32)
    thing_class, semantic = np.empty(width, np.int32), np.empty(width, np.int32)
    owner = np.empty(width, np.int32)
    largest, line = np.empty(width, np.float32), np.empty(width, np.float32)
    low, high = np.empty(width, np.uint32), np.empty(width, np.uint32)
    weights = np.empty(width, np.float32)
    place_columns(0, step, source_width, low, high, weights)
    for y in range(first, last):
        # The rows of logits above and below, enlarged; mostly the label row before had them too.
        above, below, weight = neighbours(source_position(y, step), source_height)
        if above == lower_row:
            upper, lower, upper_row, lower_row = lower, upper, lower_row, upper_row
        if above != upper_row:
            stretch_channels(semantic_logits, above, step, low, high, weights, upper)
            upper_row = above
        if below != lower_row:
            stretch_channels(semantic_logits, below, step, low, high, weights, lower)
            lower_row = below

        best_of(upper, lower, weight, 0, num_stuff, best, owner)
        best_of(upper, lower, weight, num_stuff, num_classes, thing, thing_class)
        for x in range(width):
            semantic[x] = thing_class[x] if thing[x] > best[x] else owner[x]

        # An instance is zero where it is absent. The first that is absent from a pixel may win it
        # with that, the later ones not: all those before cover the columns `left` to `right`.
        start_largest(semantic_windows, y, largest)
        left, right = 0, width
        for index in range(len(classes)):
            from_semantic, to_semantic = span(semantic_windows[index], y, width)
            from_mask, to_mask = span(mask_windows[index], y, width)
            begin, end = from_semantic, to_semantic
            if from_mask < to_mask:
                begin = from_mask if begin == end else min(from_mask, begin)
                end = max(to_mask, end)
            channel = np.int32(num_stuff + index)
            if left < right:
                until, behind = min(begin, right), max(end, left)
                offer_zeros(channel, best[left:until], owner[left:until])
                offer_zeros(channel, best[behind:right], owner[behind:right])
                left, right = max(left, begin), min(right, end)
            if begin == end:
                continue
            line[begin:end] = 0
            put_semantic(
                upper[classes[index], from_semantic:to_semantic],
                lower[classes[index], from_semantic:to_semantic],
                weight,
                line[from_semantic:to_semantic],
                largest[from_semantic:to_semantic],
            )
            if from_mask < to_mask:
                up, down, part = mask_rows(mask_windows[index], y)
                start, stop = mask_starts[index], mask_starts[index] + to_mask - from_mask
                add_mask(
                    mask_lines[up, start:stop],
                    mask_lines[down, start:stop],
                    part,
                    line[from_mask:to_mask],
                )
            offer(line[begin:end], channel, best[begin:end], owner[begin:end])

        if predict_unknown:
            for x in range(width):
                thing[x] -= largest[x]
            offer(thing, np.int32(num_stuff + len(classes)), best, owner)
        count_row(owner, semantic, column_counts, row_counts[y], histogram)
        for x in range(width):
            winner[y, x] = owner[x]
        if len(best_class) > 0:
            for x in range(width):
                best_class[y, x] = semantic[x]


@compiled(
    *(_input(types.uint16, 2), _input(types.uint16, 1)),
    *(_input(types.int64, 1), _input(types.int64, 1), _output(types.uint16, 2)),
)
def write_labels(winner, table, image_rows, image_columns, image):
    """Write the labels of an image.

    Args:
        winner: uint16 [H, W], channel of each label pixel.
        table: uint16 [N + k + 1], label of each channel.
        image_rows: int64 [image height], the label row that each image row shows.
        image_columns: int64 [image width], likewise.
        image: uint16 [image height, image width], written; `winner` itself where label pixels are
            image pixels.
    """
    for y in range(len(image)):
        row, labels = winner[image_rows[y]], image[y]
        if y > 0 and image_rows[y] == image_rows[y - 1]:
            for x in range(len(labels)):  # numba takes twice as long to compile labels[:] = ...
                labels[x] = image[y - 1, x]
        else:
            for x in range(len(labels)):
                labels[x] = table[row[image_columns[x]]]
