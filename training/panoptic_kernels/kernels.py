# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head and what places an image, as kernels for GPUs.

What a pixel does is that of `upsnet_ros.core.pixel_labels`: the same functions, compiled for
another machine, without contraction of products and sums, so that every label is the same. There
a row is worked on channel by channel; here a thread works on a pixel, or a few below each other.

One image is these launches in a row, each of which finds what those before it wrote:

    place_image      the camera's bytes to the network's input
    check_output     numbers that are none, impossible rows
    measure_rows     which rows are candidates, and their windows
    place_masks      where columns, then rows, of a window lie in its mask
    draw_masks       each candidate's mask as bits
    claim_masks      which masks better ones of their class do not cover
    choose_instances those kept, in order
    list_members     the instances near each tile of pixels
    label_pixels     winner and best class of each pixel, and how many there are of each pair
    gather_counts    their sum
    count_votes      area and favourite class of each channel
    assign_labels    label of each channel
    write_labels     the labels of the image

Nothing here depends on the size of a block. No launch reads memory that none has written, and no
value of the network's answer makes one read or write outside its arrays: an answer with faults
has no candidates.

Axes of arrays: S classes, N of them stuff; K rows of the network's answer; canvas of rows x
columns of label pixels with padding; T tiles. Windows are int32 [K, 4]: top, left, bottom, right.
Settings are float64 [5]: score threshold, mask overlap threshold, stuff area limit, whether there
is unknown, whether a majority decides the class of an instance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numba import cuda

from upsnet_ros.backends.frame_launches import LAYOUTS, TILE_HEIGHT, TILE_WIDTH, WORD_BITS
from upsnet_ros.core.labels import INSTANCE_BITS, MAX_INSTANCE, UNKNOWN_LABEL
from upsnet_ros.core.pixel_labels import mix, neighbours, source_position
from upsnet_ros.core.structures import MASK_SIZE


@dataclass(frozen=True)
class Kernel:
    """A kernel and how it is launched.

    Attributes:
        function: its source.
        block: threads along x, y, z.
        parameters: type of each by name: `float32[2]` is an array of two axes.
    """

    function: Callable[..., None]
    block: tuple[int, int, int]
    parameters: dict[str, str]


KERNELS: dict[str, Kernel] = {}


def kernel(*block: int, **parameters: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that lists a kernel with its block and the types of its parameters."""

    def list_kernel(function: Callable[..., None]) -> Callable[..., None]:
        x, y, z = (*block, 1, 1)[:3]
        KERNELS[function.__name__] = Kernel(function, (x, y, z), parameters)
        return function

    return list_kernel


# From the camera's bytes to the network's input.


@numba.njit
def clip(value):
    """Return the nearest number from 0 to 255."""
    return min(max(value, 0), 255)


# BT.601 with the range of video: shares of luma, and of red and blue in each colour, as whole
# numbers of 2**-20 so that every machine rounds alike.
_SHIFT = 20
_HALF = 1 << (_SHIFT - 1)
_LUMA, _BLUE_IN_BLUE, _BLUE_IN_GREEN, _RED_IN_GREEN, _RED_IN_RED = (
    round(share * (1 << _SHIFT)) for share in (1.164, 2.018, -0.391, -0.813, 1.596)
)


@numba.njit
def yuv_to_bgr(luma, blue, red):
    """Return the colour of a brightness and two differences of colour."""
    grey = _LUMA * max(luma - 16, 0) + _HALF
    blue, red = blue - 128, red - 128
    return (
        clip((grey + _BLUE_IN_BLUE * blue) >> _SHIFT),
        clip((grey + _BLUE_IN_GREEN * blue + _RED_IN_GREEN * red) >> _SHIFT),
        clip((grey + _RED_IN_RED * red) >> _SHIFT),
    )


@numba.njit
def mosaic_to_bgr(raw, y, x, red_row, red_column, height, width):
    """Return a colour of a Bayer mosaic: the mean of the nearest cells of each colour.

    Pixels at the border have the colour of their neighbour inside.
    """
    y, x = min(max(y, 1), height - 2), min(max(x, 1), width - 2)
    own = int(raw[y, x])
    beside = int(raw[y, x - 1]) + int(raw[y, x + 1])
    above = int(raw[y - 1, x]) + int(raw[y + 1, x])
    across = int(raw[y - 1, x - 1]) + int(raw[y - 1, x + 1])
    across += int(raw[y + 1, x - 1]) + int(raw[y + 1, x + 1])
    in_red_row, in_red_column = (y - red_row) % 2 == 0, (x - red_column) % 2 == 0
    if in_red_row == in_red_column:
        green, other = (beside + above + 2) // 4, (across + 2) // 4
        return (other, green, own) if in_red_row else (own, green, other)
    if in_red_row:
        return (above + 1) // 2, own, (beside + 1) // 2
    return (beside + 1) // 2, own, (above + 1) // 2


BGR, RGB, BGRA, RGBA, MONO, YUYV, UYVY, NV12, NV21, RGGB, BGGR, GBRG, GRBG = LAYOUTS.values()


@numba.njit
def camera_pixel(raw, layout, y, x, height, width):
    """Return blue, green and red of a camera's pixel.

    Args:
        raw: uint8 [rows, bytes of a row], as the camera sends them.
        layout: of the pixels, one of those above.
        y: row of the image.
        x: column of the image.
        height: of the image.
        width: of the image.
    """
    if layout <= RGB:
        first, second, third = raw[y, 3 * x], raw[y, 3 * x + 1], raw[y, 3 * x + 2]
    elif layout <= RGBA:
        first, second, third = raw[y, 4 * x], raw[y, 4 * x + 1], raw[y, 4 * x + 2]
    elif layout == MONO:
        first = second = third = raw[y, x]
    elif layout <= UYVY:
        pair, luma, chroma = 4 * (x // 2), layout == UYVY, layout == YUYV
        return yuv_to_bgr(
            int(raw[y, 2 * x + luma]),
            int(raw[y, pair + chroma]),
            int(raw[y, pair + 2 + chroma]),
        )
    elif layout <= NV21:
        below, pair, swap = height + y // 2, 2 * (x // 2), layout == NV21
        return yuv_to_bgr(
            int(raw[y, x]), int(raw[below, pair + swap]), int(raw[below, pair + 1 - swap])
        )
    else:
        red_row, red_column = layout in (BGGR, GBRG), layout in (BGGR, GRBG)
        return mosaic_to_bgr(raw, y, x, red_row, red_column, height, width)
    if layout == RGB or layout == RGBA:
        return int(third), int(second), int(first)
    return int(first), int(second), int(third)


@numba.njit
def grey_level(value):
    """Return the nearest whole number."""
    return int(math.floor(value + np.float32(0.5)))


@kernel(
    32,
    8,
    raw='uint8[2]',
    layout='int64',
    height='int64',
    width='int64',
    row_low='int32[1]',
    row_high='int32[1]',
    row_weights='float32[1]',
    column_low='int32[1]',
    column_high='int32[1]',
    column_weights='float32[1]',
    padding='uint8[1]',
    placed='uint8[3]',
)
def place_image(
    raw,
    layout,
    height,
    width,
    row_low,
    row_high,
    row_weights,
    column_low,
    column_high,
    column_weights,
    padding,
    placed,
):
    """Scale an image into the network's input and pad the rest, see `core.geometry.place_image`.

    Args:
        raw: uint8 [rows, bytes of a row].
        layout: of its pixels.
        height: of the image.
        width: of the image.
        row_low: int32 [rows of the input that show the image], the image row above each.
        row_high: int32 likewise, that below.
        row_weights: float32 likewise, of the row below.
        column_low: int32 [columns of the input that show the image], likewise.
        column_high: likewise.
        column_weights: likewise.
        padding: uint8 [3], colour of the rest, BGR.
        placed: uint8 [input height, input width, 3], written.
    """
    x, y = cuda.grid(2)
    if y >= placed.shape[0] or x >= placed.shape[1]:
        return
    if y >= len(row_low) or x >= len(column_low):
        for channel in range(3):
            placed[y, x, channel] = padding[channel]
        return
    top, bottom, weight_y = row_low[y], row_high[y], row_weights[y]
    left, right, weight_x = column_low[x], column_high[x], column_weights[x]
    blue = green = red = np.float32(0)
    for corner in range(4):
        below, beside = corner >= 2, corner % 2 == 1
        weight = weight_y if below else np.float32(1) - weight_y
        weight *= weight_x if beside else np.float32(1) - weight_x
        if weight > 0:
            source_y, source_x = bottom if below else top, right if beside else left
            colour = camera_pixel(raw, layout, source_y, source_x, height, width)
            blue += weight * np.float32(colour[0])
            green += weight * np.float32(colour[1])
            red += weight * np.float32(colour[2])
    placed[y, x, 0] = grey_level(blue)
    placed[y, x, 1] = grey_level(green)
    placed[y, x, 2] = grey_level(red)


# From the network's answer to candidates.


@numba.njit
def valid_rows(count, slots):
    """Return how many rows of the answer hold a candidate."""
    return min(max(int(count), 0), slots)


@numba.njit
def count_faults(values, size, first, stride):
    """Return how many of every `stride`-th value are no finite number."""
    number = 0
    for index in range(first, size, stride):
        if not math.isfinite(values[index]):
            number += 1
    return number


@kernel(
    256,
    semantic_logits='float32[1]',
    boxes='float32[1]',
    scores='float32[1]',
    classes='int32[1]',
    mask_logits='float32[1]',
    count='int32[1]',
    num_stuff='int64',
    num_classes='int64',
    reach='float64',
    faults='int32[1]',
)
def check_output(
    semantic_logits,
    boxes,
    scores,
    classes,
    mask_logits,
    count,
    num_stuff,
    num_classes,
    reach,
    faults,
):
    """Count what `core.structures.check_output` refuses; any number of threads share the work.

    Args:
        semantic_logits: float32 [all].
        boxes: float32 [4 K].
        scores: float32 [K].
        classes: int32 [K].
        mask_logits: float32 [784 K].
        count: int32 [1].
        num_stuff: stuff classes.
        num_classes: all classes.
        reach: largest coordinate of a box.
        faults: int32 [1], added to.
    """
    first, stride = cuda.grid(1), cuda.gridsize(1)
    rows = valid_rows(count[0], len(scores))
    found = count_faults(semantic_logits, len(semantic_logits), first, stride)
    found += count_faults(boxes, 4 * rows, first, stride)
    found += count_faults(scores, rows, first, stride)
    found += count_faults(mask_logits, MASK_SIZE * MASK_SIZE * rows, first, stride)
    for row in range(first, rows, stride):
        found += row + 1 < rows and scores[row + 1] > scores[row]
        found += classes[row] < num_stuff or classes[row] >= num_classes
        for corner in range(4 * row, 4 * row + 4):
            found += abs(boxes[corner]) > reach
    if first == 0 and rows != count[0]:
        found += 1
    if found > 0:
        cuda.atomic.add(faults, 0, found)


@numba.njit
def is_candidate(row, scores, rows, threshold):
    """Return whether a row scores enough."""
    return row < rows and scores[row] > threshold


@numba.njit
def half_to_even(value):
    """Return the nearest whole number, the even one of two."""
    low = int(math.floor(value))
    rest = value - low
    return low + 1 if rest > 0.5 or (rest == 0.5 and low % 2 == 1) else low


@kernel(
    128,
    boxes='float32[2]',
    scores='float32[1]',
    count='int32[1]',
    faults='int32[1]',
    settings='float64[1]',
    scale='float64',
    candidates='int32[1]',
    semantic_windows='int32[2]',
    mask_windows='int32[2]',
    mask_areas='int32[1]',
    kept='int32[1]',
)
def measure_rows(
    boxes,
    scores,
    count,
    faults,
    settings,
    scale,
    candidates,
    semantic_windows,
    mask_windows,
    mask_areas,
    kept,
):
    """Find the candidates and their windows, see `core.window`; a thread for each row.

    Args:
        boxes: float32 [K, 4].
        scores: float32 [K], descending.
        count: int32 [1].
        faults: int32 [1]; with any there is no candidate.
        settings: see above.
        scale: input pixels per label pixel.
        candidates: int32 [1], written.
        semantic_windows: of the candidates, written.
        mask_windows: likewise.
        mask_areas: int32 [K], zeros are written.
        kept: int32 [K], likewise.
    """
    row = cuda.grid(1)
    if row >= len(scores):
        return
    rows = valid_rows(count[0], len(scores)) if faults[0] == 0 else 0
    threshold = np.float32(settings[0])
    mask_areas[row] = kept[row] = 0
    if not is_candidate(row, scores, rows, threshold):
        if row == 0:
            candidates[0] = 0
        return
    if not is_candidate(row + 1, scores, rows, threshold):
        candidates[0] = row + 1
    left, top = np.float64(boxes[row, 0]) / scale, np.float64(boxes[row, 1]) / scale
    right, bottom = np.float64(boxes[row, 2]) / scale, np.float64(boxes[row, 3]) / scale
    first_column, first_row = int(left), int(top)
    semantic_windows[row, 0] = mask_windows[row, 0] = first_row
    semantic_windows[row, 1] = mask_windows[row, 1] = first_column
    semantic_windows[row, 2] = half_to_even(bottom) + 1
    semantic_windows[row, 3] = half_to_even(right) + 1
    mask_windows[row, 2] = first_row + max(int(bottom) - first_row + 1, 1)
    mask_windows[row, 3] = first_column + max(int(right) - first_column + 1, 1)


# Masks.


@kernel(
    128,
    mask_windows='int32[2]',
    axis='int64',
    candidates='int32[1]',
    low='uint8[2]',
    high='uint8[2]',
    weights='float32[2]',
)
def place_masks(mask_windows, axis, candidates, low, high, weights):
    """Find where the pixels of a window lie in its mask, along one axis.

    Args:
        mask_windows: of the rows.
        axis: 0 for rows, 1 for columns.
        candidates: int32 [1].
        low: uint8 [K, pixels of the canvas along the axis], written where a window is.
        high: likewise.
        weights: float32 likewise, of `high`.
    """
    pixel, row, _ = cuda.grid(3)
    if row >= candidates[0] or pixel >= low.shape[1]:
        return
    first, last = mask_windows[row, axis], mask_windows[row, 2 + axis]
    if pixel < first or pixel >= last:
        return
    position = source_position(pixel - first, MASK_SIZE / (last - first))
    low[row, pixel], high[row, pixel], weights[row, pixel] = neighbours(position, MASK_SIZE)


@numba.njit
def mask_logit(mask_logits, row, up, down, part, low, high, weight):
    """Return a mask's logit between four of its cells."""
    above = mix(mask_logits[row, up, low], mask_logits[row, up, high], weight)
    below = mix(mask_logits[row, down, low], mask_logits[row, down, high], weight)
    return mix(above, below, part)


@kernel(
    32,
    8,
    mask_logits='float32[3]',
    classes='int32[1]',
    num_stuff='int64',
    mask_windows='int32[2]',
    candidates='int32[1]',
    mask_row_low='uint8[2]',
    mask_row_high='uint8[2]',
    mask_row_weights='float32[2]',
    mask_column_low='uint8[2]',
    mask_column_high='uint8[2]',
    mask_column_weights='float32[2]',
    masks='uint32[3]',
    claimed='uint32[3]',
    mask_areas='int32[1]',
)
def draw_masks(
    mask_logits,
    classes,
    num_stuff,
    mask_windows,
    candidates,
    mask_row_low,
    mask_row_high,
    mask_row_weights,
    mask_column_low,
    mask_column_high,
    mask_column_weights,
    masks,
    claimed,
    mask_areas,
):
    """Draw the masks as bits, and clear what they can claim; a thread for each word.

    Args:
        mask_logits: float32 [K, 28, 28].
        classes: int32 [K].
        num_stuff: stuff classes.
        mask_windows: of the rows.
        candidates: int32 [1].
        mask_row_low: see `place_masks`.
        mask_row_high: likewise.
        mask_row_weights: likewise.
        mask_column_low: likewise.
        mask_column_high: likewise.
        mask_column_weights: likewise.
        masks: uint32 [K, canvas rows, words of a row], written where a window is.
        claimed: uint32 [S - N, canvas rows, words of a row], likewise.
        mask_areas: int32 [K], pixels of each mask are added.
    """
    word, y, row = cuda.grid(3)
    if row >= candidates[0] or y >= masks.shape[1] or word >= masks.shape[2]:
        return
    left = max(mask_windows[row, 1], 0, WORD_BITS * word)
    right = min(mask_windows[row, 3], mask_column_low.shape[1], WORD_BITS * (word + 1))
    if y < mask_windows[row, 0] or y >= mask_windows[row, 2] or left >= right:
        return
    up, down, part = mask_row_low[row, y], mask_row_high[row, y], mask_row_weights[row, y]
    bits = area = 0
    for x in range(left, right):
        low, high, weight = (
            mask_column_low[row, x],
            mask_column_high[row, x],
            mask_column_weights[row, x],
        )
        if mask_logit(mask_logits, row, up, down, part, low, high, weight) > np.float32(0):
            bits |= 1 << (x - WORD_BITS * word)
            area += 1
    masks[row, y, word] = bits
    claimed[classes[row] - num_stuff, y, word] = 0
    if area > 0:
        cuda.atomic.add(mask_areas, row, area)


@kernel(
    1024,
    classes='int32[1]',
    num_stuff='int64',
    mask_windows='int32[2]',
    candidates='int32[1]',
    settings='float64[1]',
    masks='uint32[3]',
    canvas_width='int64',
    mask_areas='int32[1]',
    claimed='uint32[3]',
    kept='int32[1]',
)
def claim_masks(
    classes,
    num_stuff,
    mask_windows,
    candidates,
    settings,
    masks,
    canvas_width,
    mask_areas,
    claimed,
    kept,
):
    """Find the candidates whose masks better ones of their class do not cover already.

    A block for each class, which takes its candidates one after the other.

    Args:
        classes: int32 [K].
        num_stuff: stuff classes.
        mask_windows: of the rows.
        candidates: int32 [1].
        settings: see above.
        masks: see `draw_masks`.
        canvas_width: its columns.
        mask_areas: int32 [K], pixels of each mask.
        claimed: see `draw_masks`; pixels of the masks kept so far.
        kept: int32 [K], written.
    """
    overlap = cuda.shared.array(1, numba.int32)
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    thing = cuda.grid(1) // threads
    number = 0
    for row in range(candidates[0]):
        if classes[row] - num_stuff != thing or number == MAX_INSTANCE or mask_areas[row] == 0:
            continue
        top, bottom = max(mask_windows[row, 0], 0), min(mask_windows[row, 2], masks.shape[1])
        first = max(mask_windows[row, 1], 0) // WORD_BITS
        words = (min(mask_windows[row, 3], canvas_width) - 1) // WORD_BITS + 1 - first
        if thread == 0:
            overlap[0] = 0
        cuda.syncthreads()
        common = 0
        for index in range(thread, words * (bottom - top), threads):
            y, word = top + index // words, first + index % words
            common += cuda.popc(masks[row, y, word] & claimed[thing, y, word])
        if common > 0:
            cuda.atomic.add(overlap, 0, common)
        cuda.syncthreads()
        is_kept = overlap[0] / mask_areas[row] <= settings[1]
        if is_kept:
            number += 1
            for index in range(thread, words * (bottom - top), threads):
                y, word = top + index // words, first + index % words
                claimed[thing, y, word] |= masks[row, y, word]
            if thread == 0:
                kept[row] = 1
        # What is claimed is seen by all, and nobody reads the overlap any more.
        cuda.syncthreads()


@kernel(
    128,
    kept='int32[1]',
    candidates='int32[1]',
    mask_windows='int32[2]',
    rows='int32[1]',
    instances='int32[1]',
)
def choose_instances(kept, candidates, mask_windows, rows, instances):
    """List the kept rows in order; without any the best one stays, its mask nowhere.

    A thread for each row.

    Args:
        kept: int32 [K].
        candidates: int32 [1].
        mask_windows: that of the first row is emptied if it alone stays.
        rows: int32 [K], written: row of each instance.
        instances: int32 [1], written: how many there are.
    """
    row = cuda.grid(1)
    if row >= len(kept):
        return
    before = 0
    for other in range(row):
        before += kept[other]
    if kept[row] != 0:
        rows[before] = row
    if row == len(kept) - 1:
        number = before + kept[row]
        if number == 0 and candidates[0] > 0:
            number = 1
            rows[0] = 0
            for side in range(4):
                mask_windows[0, side] = 0
        instances[0] = number


# Pixels.


@numba.njit
def touches(windows, row, top, left, bottom, right):
    """Return whether a window has pixels in a rectangle."""
    return (
        windows[row, 0] < bottom
        and windows[row, 2] > top
        and windows[row, 1] < right
        and windows[row, 3] > left
        and windows[row, 0] < windows[row, 2]
        and windows[row, 1] < windows[row, 3]
    )


@numba.njit
def holds(windows, row, y, x):
    """Return whether a pixel lies in a window."""
    return windows[row, 0] <= y < windows[row, 2] and windows[row, 1] <= x < windows[row, 3]


@kernel(
    32,
    8,
    rows='int32[1]',
    instances='int32[1]',
    semantic_windows='int32[2]',
    mask_windows='int32[2]',
    members='int16[3]',
)
def list_members(rows, instances, semantic_windows, mask_windows, members):
    """List the instances that have a window in a tile of pixels; a thread for each tile.

    Args:
        rows: int32 [K], row of each instance.
        instances: int32 [1].
        semantic_windows: of the rows.
        mask_windows: likewise.
        members: int16 [tiles below each other, side by side, K + 1], written: how many, then
            their numbers in order.
    """
    column, line = cuda.grid(2)
    if line >= members.shape[0] or column >= members.shape[1]:
        return
    top, left = line * TILE_HEIGHT, column * TILE_WIDTH
    bottom, right = top + TILE_HEIGHT, left + TILE_WIDTH
    number = 0
    for instance in range(instances[0]):
        row = rows[instance]
        if touches(semantic_windows, row, top, left, bottom, right) or touches(
            mask_windows, row, top, left, bottom, right
        ):
            number += 1
            members[line, column, number] = instance
    members[line, column, 0] = number


@numba.njit
def semantic_logit(logits, channel, up, down, part, low, high, weight):
    """Return a semantic logit between four."""
    above = mix(logits[channel, up, low], logits[channel, up, high], weight)
    below = mix(logits[channel, down, low], logits[channel, down, high], weight)
    return mix(above, below, part)


@kernel(
    TILE_WIDTH,
    8,
    semantic_logits='float32[3]',
    mask_logits='float32[3]',
    row_low='int32[1]',
    row_high='int32[1]',
    row_weights='float32[1]',
    column_low='int32[1]',
    column_high='int32[1]',
    column_weights='float32[1]',
    num_stuff='int64',
    settings='float64[1]',
    classes='int32[1]',
    rows='int32[1]',
    instances='int32[1]',
    semantic_windows='int32[2]',
    mask_windows='int32[2]',
    mask_row_low='uint8[2]',
    mask_row_high='uint8[2]',
    mask_row_weights='float32[2]',
    mask_column_low='uint8[2]',
    mask_column_high='uint8[2]',
    mask_column_weights='float32[2]',
    members='int16[3]',
    row_counts='int32[1]',
    column_counts='int32[1]',
    winner='uint16[2]',
    histograms='int32[3]',
)
def label_pixels(
    semantic_logits,
    mask_logits,
    row_low,
    row_high,
    row_weights,
    column_low,
    column_high,
    column_weights,
    num_stuff,
    settings,
    classes,
    rows,
    instances,
    semantic_windows,
    mask_windows,
    mask_row_low,
    mask_row_high,
    mask_row_weights,
    mask_column_low,
    mask_column_high,
    mask_column_weights,
    members,
    row_counts,
    column_counts,
    winner,
    histograms,
):
    """Find the winning channel of each pixel, and count them: `core.pixel_labels.label_rows`.

    A thread for each column of a tile, so that equal neighbours are counted together. Blocks that
    are in work at once count in histograms of their own.

    Args:
        semantic_logits: float32 [S, h, w].
        mask_logits: float32 [K, 28, 28].
        row_low: int32 [H], the row of logits above each label row.
        row_high: int32 [H], that below.
        row_weights: float32 [H], of the row below.
        column_low: int32 [W], likewise.
        column_high: likewise.
        column_weights: likewise.
        num_stuff: stuff classes N.
        settings: see above.
        classes: int32 [K].
        rows: int32 [K], row of each instance.
        instances: int32 [1].
        semantic_windows: of the rows.
        mask_windows: likewise.
        mask_row_low: see `place_masks`.
        mask_row_high: likewise.
        mask_row_weights: likewise.
        mask_column_low: likewise.
        mask_column_high: likewise.
        mask_column_weights: likewise.
        members: see `list_members`.
        row_counts: int32 [H], image rows that show each label row.
        column_counts: int32 [W], likewise.
        winner: uint16 [H, W], written: channel of each label pixel.
        histograms: int32 [copies, N + K + 1, S]; image pixels of each channel and best class are
            added to one of them.
    """
    x, line = cuda.grid(2)
    if line >= members.shape[0] or x >= winner.shape[1]:
        return
    column = x // TILE_WIDTH
    copy = (line + column) % histograms.shape[0]
    left, right, weight = column_low[x], column_high[x], column_weights[x]
    number = instances[0]
    last_owner = last_semantic = run = 0
    for y in range(TILE_HEIGHT * line, min(TILE_HEIGHT * (line + 1), winner.shape[0])):
        up, down, part = row_low[y], row_high[y], row_weights[y]

        best, owner = np.float32(-np.inf), 0
        for channel in range(num_stuff):
            logit = semantic_logit(semantic_logits, channel, up, down, part, left, right, weight)
            if logit > best:
                best, owner = logit, channel
        thing, semantic = np.float32(-np.inf), 0
        for channel in range(num_stuff, len(semantic_logits)):
            logit = semantic_logit(semantic_logits, channel, up, down, part, left, right, weight)
            if logit > thing:
                thing, semantic = logit, channel
        if not thing > best:
            semantic = owner

        # An instance is zero where it is absent. The first that is absent may win with that, the
        # later ones not: up to `present` none has been.
        present = covering = 0
        largest = np.float32(-np.inf)
        for place in range(1, members[line, column, 0] + 1):
            instance = members[line, column, place]
            row = rows[instance]
            in_semantic = holds(semantic_windows, row, y, x)
            in_mask = holds(mask_windows, row, y, x)
            if not (in_semantic or in_mask):
                continue
            if instance == present:
                present += 1
            elif present >= 0:
                if best < np.float32(0):
                    best, owner = np.float32(0), num_stuff + present
                present = -1
            logit = np.float32(0)
            if in_semantic:
                logit = semantic_logit(
                    semantic_logits, classes[row], up, down, part, left, right, weight
                )
                largest = max(largest, logit)
                covering += 1
            if in_mask:
                logit += mask_logit(
                    mask_logits,
                    row,
                    mask_row_low[row, y],
                    mask_row_high[row, y],
                    mask_row_weights[row, y],
                    mask_column_low[row, x],
                    mask_column_high[row, x],
                    mask_column_weights[row, x],
                )
            if logit > best:
                best, owner = logit, num_stuff + instance
        if 0 <= present < number and best < np.float32(0):
            best, owner = np.float32(0), num_stuff + present

        if settings[3] != 0:
            if covering < number or number == 0:
                largest = max(largest, np.float32(0))
            if thing - largest > best:
                owner = num_stuff + number

        winner[y, x] = owner
        if run > 0 and (owner != last_owner or semantic != last_semantic):
            cuda.atomic.add(histograms, (copy, last_owner, last_semantic), run)
            run = 0
        last_owner, last_semantic = owner, semantic
        run += row_counts[y] * column_counts[x]
    if run > 0:
        cuda.atomic.add(histograms, (copy, last_owner, last_semantic), run)


# From channels to labels.


@kernel(32, 8, histograms='int32[3]', histogram='int32[2]')
def gather_counts(histograms, histogram):
    """Add the histograms; a thread for each pair of channel and class.

    Args:
        histograms: int32 [copies, N + K + 1, S].
        histogram: int32 [N + K + 1, S], written.
    """
    semantic, channel = cuda.grid(2)
    if channel >= histogram.shape[0] or semantic >= histogram.shape[1]:
        return
    pixels = 0
    for copy in range(len(histograms)):
        pixels += histograms[copy, channel, semantic]
    histogram[channel, semantic] = pixels


@kernel(
    128,
    histogram='int32[2]',
    pixels='int32[1]',
    favourites='int32[1]',
    votes='int32[1]',
)
def count_votes(histogram, pixels, favourites, votes):
    """Find the area and the most frequent semantic class of each channel; a thread for each.

    Args:
        histogram: int32 [N + K + 1, S].
        pixels: int32 [N + K + 1], written: image pixels.
        favourites: int32 likewise, the lowest of equals.
        votes: int32 likewise, image pixels of that class.
    """
    channel = cuda.grid(1)
    if channel >= len(histogram):
        return
    area = favourite = most = 0
    for semantic in range(histogram.shape[1]):
        count = histogram[channel, semantic]
        area += count
        if count > most:
            most, favourite = count, semantic
    pixels[channel], favourites[channel], votes[channel] = area, favourite, most


@numba.njit
def becomes_stuff(channel, num_stuff, by_majority, pixels, favourites, votes):
    """Return whether a stuff class takes an instance."""
    return (
        by_majority != 0
        and favourites[channel] < num_stuff
        and 2 * votes[channel] >= pixels[channel]
        and pixels[channel] > 0
    )


@numba.njit
def stuff_area(stuff, num_stuff, number, by_majority, pixels, favourites, votes):
    """Return the image pixels of a stuff class, with the instances that it takes."""
    area = pixels[stuff]
    for channel in range(num_stuff, num_stuff + number):
        if favourites[channel] == stuff and becomes_stuff(
            channel, num_stuff, by_majority, pixels, favourites, votes
        ):
            area += pixels[channel]
    return area


@kernel(
    128,
    pixels='int32[1]',
    favourites='int32[1]',
    votes='int32[1]',
    classes='int32[1]',
    rows='int32[1]',
    instances='int32[1]',
    num_stuff='int64',
    settings='float64[1]',
    table='uint16[1]',
    areas='int32[1]',
)
def assign_labels(
    pixels,
    favourites,
    votes,
    classes,
    rows,
    instances,
    num_stuff,
    settings,
    table,
    areas,
):
    """Decide the label of each channel: `core.labelling.assign_labels`; a thread for each.

    Args:
        pixels: int32 [N + K + 1], see `count_votes`.
        favourites: likewise.
        votes: likewise.
        classes: int32 [K].
        rows: int32 [K], row of each instance.
        instances: int32 [1].
        num_stuff: stuff classes N.
        settings: see above.
        table: uint16 [N + K + 1], written: label of each channel.
        areas: int32 likewise, image pixels that carry it as its own: 0 for what became stuff or
            unknown.
    """
    channel = cuda.grid(1)
    if channel >= len(table):
        return
    number, by_majority = instances[0], settings[4]
    stuff, is_stuff = channel, channel < num_stuff
    if not is_stuff and channel < num_stuff + number:
        is_stuff = becomes_stuff(channel, num_stuff, by_majority, pixels, favourites, votes)
        stuff = favourites[channel]
    label, area = UNKNOWN_LABEL, 0
    if is_stuff:
        whole = stuff_area(stuff, num_stuff, number, by_majority, pixels, favourites, votes)
        if whole >= settings[2]:
            label = stuff << INSTANCE_BITS
            if channel == stuff:
                area = whole
    elif channel < num_stuff + number and pixels[channel] > 0:
        thing = classes[rows[channel - num_stuff]]
        label = (thing << INSTANCE_BITS) + 1
        area = pixels[channel]
        for other in range(num_stuff, channel):
            if (
                classes[rows[other - num_stuff]] == thing
                and pixels[other] > 0
                and not becomes_stuff(other, num_stuff, by_majority, pixels, favourites, votes)
            ):
                label += 1
    table[channel], areas[channel] = label, area


@kernel(
    32,
    8,
    winner='uint16[2]',
    table='uint16[1]',
    image_rows='int32[1]',
    image_columns='int32[1]',
    image='uint16[2]',
)
def write_labels(winner, table, image_rows, image_columns, image):
    """Write the labels of an image, see `core.pixel_labels.write_labels`; a thread for each pixel.

    Args:
        winner: uint16 [H, W], channel of each label pixel.
        table: uint16 [N + K + 1], label of each channel.
        image_rows: int32 [image height], the label row that each image row shows.
        image_columns: int32 [image width], likewise.
        image: uint16 [image height, image width], written.
    """
    x, y = cuda.grid(2)
    if y < image.shape[0] and x < image.shape[1]:
        image[y, x] = table[winner[image_rows[y], image_columns[x]]]
