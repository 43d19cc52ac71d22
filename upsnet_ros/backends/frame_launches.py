# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What runs on a GPU around the network for an image of one size: memory, and launches in order.

Plain data: whoever carries it out allocates the arrays, uploads the constants once, and for every
image sets the zeroed ones to zero and does the launches one after the other. What each kernel does
stands in `training/panoptic_kernels/kernels.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.compiled import pixel_loops
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labelling import LabelAssignment, describe_instances, label_frame
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import MASK_SIZE, SEMANTIC_STRIDE, PanopticResult

# Numbers of the layouts of a camera's pixels that `place_image` knows.
LAYOUTS = {
    'bgr8': 0,
    'rgb8': 1,
    'bgra8': 2,
    'rgba8': 3,
    'mono8': 4,
    'yuyv': 5,
    'uyvy': 6,
    'nv12': 7,
    'nv21': 8,
    'bayer_rggb8': 9,
    'bayer_bggr8': 10,
    'bayer_gbrg8': 11,
    'bayer_grbg8': 12,
}
# A thread labels so many pixels below each other, a warp as many side by side.
TILE_HEIGHT, TILE_WIDTH = 8, 32
WORD_BITS = 32
# Blocks in work at once seldom share one, so that they do not wait for each other.
HISTOGRAM_COPIES = 32
# Threads that look for faults go over the values several times.
_CHECKING_THREADS = 1 << 17
_MOST_PIXELS = 1 << 31
SETTINGS = (
    'score_threshold',
    'mask_overlap_threshold',
    'stuff_area_limit',
    'predict_unknown',
    'instance_class',
)


@dataclass(frozen=True)
class ArrayPlan:
    """Shape and element type (a NumPy name) of an array on the device."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel.

    Attributes:
        kernel: its name.
        threads: along x, y, z, to be rounded up to whole blocks.
        arguments: of each parameter whose name differs from that of an array or value of the
            plan: the name there, or a number.
        blocks: in place of threads, for a kernel that asks for so many blocks along x.
    """

    kernel: str
    threads: tuple[int, int, int]
    arguments: Mapping[str, str | int | float]
    blocks: int = 0

    def grid(self, block: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the blocks along x, y, z, if a block has so many threads."""
        if self.blocks:
            return self.blocks, 1, 1
        x, y, z = (-(-threads // size) for threads, size in zip(self.threads, block, strict=True))
        return x, y, z


@dataclass(frozen=True, eq=False)
class FramePlan:
    """Everything for images of one size.

    Attributes:
        arrays: by name, those of the network's input and output included.
        constants: their content, for those arrays that are written once.
        zeroed: arrays that are zero when an image begins.
        values: numbers that kernels take, by name of the parameter.
        before: launches before the network.
        after: launches behind it.
        results: arrays that are read on the host.
    """

    arrays: Mapping[str, ArrayPlan]
    constants: Mapping[str, np.ndarray]
    zeroed: tuple[str, ...]
    values: Mapping[str, int | float]
    before: tuple[Launch, ...]
    after: tuple[Launch, ...]
    results: tuple[str, ...]


# Of the network's answer, by the names that a manifest gives them.
ANSWER = ('semantic_logits', 'boxes', 'scores', 'classes', 'mask_logits', 'count')
# What is read on the host of every image: two bytes a pixel, and a table.
RESULTS = ('image', 'table', 'areas', 'rows', 'instances', 'boxes', 'scores', 'faults')


def head_settings(head: PanopticHead) -> np.ndarray:
    """Return what kernels read of a head's parameters: float64 [5], see `SETTINGS`."""
    parameters = head.parameters
    by_majority = parameters['instance_class'] == 'majority'
    values = {**parameters, 'instance_class': by_majority}
    return np.array([float(values[name]) for name in SETTINGS])


def plan_frame(
    geometry: InputGeometry,
    *,
    label_resolution: str,
    num_stuff: int,
    num_classes: int,
    slots: int,
    pad_value: tuple[int, int, int],
    raw_shape: tuple[int, int],
    layout: str = 'bgr8',
) -> FramePlan:
    """Return memory and launches for images of one size.

    Args:
        geometry: how an image lies in the network's input.
        label_resolution: of the labels, see `core.labelling.label_frame`.
        num_stuff: stuff classes.
        num_classes: all classes.
        slots: rows of the network's answer.
        pad_value: colour of the padding, BGR.
        raw_shape: rows and bytes of a row of what the camera sends.
        layout: of its pixels, one of `LAYOUTS`.

    Raises:
        ParameterError: there is no such layout or resolution, or an image has more pixels than
            kernels can count.
    """
    if layout not in LAYOUTS:
        raise ParameterError(f"layout is '{layout}', expected one of {', '.join(LAYOUTS)}")
    if geometry.image_height * geometry.image_width >= _MOST_PIXELS:
        raise ParameterError(
            f'image size is {geometry.image_width}x{geometry.image_height}, expected fewer than '
            f'{_MOST_PIXELS} pixels; let the camera send smaller images'
        )
    frame = label_frame(geometry, label_resolution)
    height, width = frame.labels.height, frame.labels.width
    canvas = (frame.canvas.height, frame.canvas.width)
    words = -(-canvas[1] // WORD_BITS)
    logits = (geometry.input_height // SEMANTIC_STRIDE, geometry.input_width // SEMANTIC_STRIDE)
    image = (geometry.image_height, geometry.image_width)
    channels = num_stuff + slots + 1
    tiles = (-(-height // TILE_HEIGHT), -(-width // TILE_WIDTH))
    checked = max(num_classes * logits[0] * logits[1], slots * MASK_SIZE**2)
    constants: dict[str, np.ndarray] = {
        'padding': np.array(pad_value, np.uint8),
        'row_counts': frame.row_counts.astype(np.int32),
        'column_counts': frame.column_counts.astype(np.int32),
        'image_rows': frame.image_rows.astype(np.int32),
        'image_columns': frame.image_columns.astype(np.int32),
        **_places('image_row', geometry.content_height, *_step(geometry, 0)),
        **_places('image_column', geometry.content_width, *_step(geometry, 1)),
        **_places('logit_row', height, frame.scale / SEMANTIC_STRIDE, logits[0]),
        **_places('logit_column', width, frame.scale / SEMANTIC_STRIDE, logits[1]),
    }
    arrays = {
        **{name: ArrayPlan(values.shape, str(values.dtype)) for name, values in constants.items()},
        'raw': ArrayPlan(raw_shape, 'uint8'),
        'placed': ArrayPlan((geometry.input_height, geometry.input_width, 3), 'uint8'),
        'semantic_logits': ArrayPlan((num_classes, *logits), 'float32'),
        'boxes': ArrayPlan((slots, 4), 'float32'),
        'scores': ArrayPlan((slots,), 'float32'),
        'classes': ArrayPlan((slots,), 'int32'),
        'mask_logits': ArrayPlan((slots, MASK_SIZE, MASK_SIZE), 'float32'),
        'count': ArrayPlan((1,), 'int32'),
        'settings': ArrayPlan((len(SETTINGS),), 'float64'),
        'faults': ArrayPlan((1,), 'int32'),
        'candidates': ArrayPlan((1,), 'int32'),
        'semantic_windows': ArrayPlan((slots, 4), 'int32'),
        'mask_windows': ArrayPlan((slots, 4), 'int32'),
        'mask_areas': ArrayPlan((slots,), 'int32'),
        'kept': ArrayPlan((slots,), 'int32'),
        **{
            f'mask_{axis}_{side}': ArrayPlan((slots, size), dtype)
            for axis, size in zip(('row', 'column'), canvas, strict=True)
            for side, dtype in (('low', 'uint8'), ('high', 'uint8'), ('weights', 'float32'))
        },
        'masks': ArrayPlan((slots, canvas[0], words), 'uint32'),
        'claimed': ArrayPlan((num_classes - num_stuff, canvas[0], words), 'uint32'),
        'rows': ArrayPlan((slots,), 'int32'),
        'instances': ArrayPlan((1,), 'int32'),
        'members': ArrayPlan((*tiles, slots + 1), 'int16'),
        'winner': ArrayPlan((height, width), 'uint16'),
        'histograms': ArrayPlan((HISTOGRAM_COPIES, channels, num_classes), 'int32'),
        'histogram': ArrayPlan((channels, num_classes), 'int32'),
        'pixels': ArrayPlan((channels,), 'int32'),
        'favourites': ArrayPlan((channels,), 'int32'),
        'votes': ArrayPlan((channels,), 'int32'),
        'table': ArrayPlan((channels,), 'uint16'),
        'areas': ArrayPlan((channels,), 'int32'),
        'image': ArrayPlan(image, 'uint16'),
    }
    return FramePlan(
        arrays=arrays,
        constants=constants,
        zeroed=('faults', 'histograms'),
        values={
            'layout': LAYOUTS[layout],
            'height': geometry.image_height,
            'width': geometry.image_width,
            'num_stuff': num_stuff,
            'num_classes': num_classes,
            'reach': 2.0 * max(geometry.input_height, geometry.input_width),
            'scale': frame.scale,
            'canvas_width': canvas[1],
        },
        before=(_over('place_image', arrays['placed'].shape[:2], _renamed('image')),),
        after=(
            Launch('check_output', (min(checked, _CHECKING_THREADS), 1, 1), {}),
            Launch('measure_rows', (slots, 1, 1), {}),
            *(
                Launch(
                    'place_masks',
                    (size, slots, 1),
                    {'axis': axis, **{side: f'mask_{name}_{side}' for side in _SIDES}},
                )
                for axis, (name, size) in enumerate(zip(('row', 'column'), canvas, strict=True))
            ),
            Launch('draw_masks', (words, canvas[0], slots), {}),
            Launch('claim_masks', (1, 1, 1), {}, blocks=num_classes - num_stuff),
            Launch('choose_instances', (slots, 1, 1), {}),
            _over('list_members', tiles, {}),
            Launch('label_pixels', (width, tiles[0], 1), _renamed('logit')),
            _over('gather_counts', (channels, num_classes), {}),
            Launch('count_votes', (channels, 1, 1), {}),
            Launch('assign_labels', (channels, 1, 1), {}),
            _over('write_labels', image, {}),
        ),
        results=RESULTS,
    )


_SIDES = ('low', 'high', 'weights')


def read_result(
    results: Mapping[str, np.ndarray], geometry: InputGeometry, label_set: LabelSet
) -> PanopticResult:
    """Return the answer for one image, in arrays of its own.

    Args:
        results: those of a `FramePlan` by name, without faults.
        geometry: how the image lies in the network's input.
        label_set: the classes.

    Raises:
        ModelError: the kernels did not do what they should.
    """
    slots, count = len(results['rows']), int(results['instances'][0])
    rows = results['rows'][: max(count, 0)]
    if not 0 <= count <= slots or (len(rows) and not 0 <= rows.min() <= rows.max() < slots):
        raise ModelError(
            f'the kernels of the GPU give {count} instances of {slots} rows; look for messages of '
            "the NVIDIA driver in the system's log (dmesg)"
        )
    known = label_set.num_stuff + count  # channels that can be labelled
    areas = results['areas'][:known]
    image = results['image'].copy()
    assignment = LabelAssignment(
        table=results['table'][: known + 1],
        instance_areas=areas[label_set.num_stuff :],
        unknown_area=image.size - int(areas.sum(dtype=np.int64)),
    )
    return PanopticResult(
        label_image=image,
        instances=describe_instances(
            boxes=results['boxes'][rows],
            scores=results['scores'][rows],
            assignment=assignment,
            geometry=geometry,
            label_set=label_set,
        ),
        unknown_share=assignment.unknown_area / image.size,
    )


def _over(kernel: str, size: tuple[int, ...], arguments: Mapping[str, str]) -> Launch:
    """Return a launch with a thread for each element of rows and columns."""
    rows, columns = size
    return Launch(kernel, (columns, rows, 1), arguments)


def _renamed(grid: str) -> dict[str, str]:
    """Return the arguments that say where the pixels of a grid lie."""
    return {
        f'{axis}_{side}': f'{grid}_{axis}_{side}' for axis in ('row', 'column') for side in _SIDES
    }


def _step(geometry: InputGeometry, axis: int) -> tuple[float, int]:
    """Return image pixels per pixel of the content and their number, as `place_image` has them."""
    sizes = (geometry.image_height, geometry.image_width)
    contents = (geometry.content_height, geometry.content_width)
    by_factor = tuple(round(size * geometry.scale) for size in sizes)
    if by_factor == contents:
        return 1.0 / geometry.scale, sizes[axis]
    return sizes[axis] / contents[axis], sizes[axis]


def _places(name: str, pixels: int, step: float, size: int) -> dict[str, np.ndarray]:
    """Return where pixels lie among source pixels: the two around each, the second's weight."""
    low, high = np.empty(pixels, np.int32), np.empty(pixels, np.int32)
    weights = np.empty(pixels, np.float32)
    pixel_loops().place_columns(0, step, size, low, high, weights)
    return {f'{name}_low': low, f'{name}_high': high, f'{name}_weights': weights}
