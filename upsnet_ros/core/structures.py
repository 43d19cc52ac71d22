# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What passes between the network, the panoptic head and whoever uses the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.errors import LabelError, ModelError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import LabelSet

MASK_SIZE = 28
# Rows of an exported network's candidate outputs; a network may fill fewer.
CANDIDATE_SLOTS = 100
SEMANTIC_STRIDE = 4


@dataclass(frozen=True)
class NetworkOutput:
    """The network's answer for one image, without the batch axis.

    Attributes:
        semantic_logits: float32 [S, H/4, W/4] over the padded input H x W.
        boxes: float32 [K, 4], x1, y1, x2, y2 in input-frame pixels, both corners inside the box.
        scores: float32 [K], descending over the first `count` rows.
        classes: int32 [K], train ids of thing classes.
        mask_logits: float32 [K, 28, 28], the mask of each row's own class, no sigmoid.
        count: number of valid rows, 0 to K; rows behind it hold padding.
    """

    semantic_logits: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    mask_logits: np.ndarray
    count: int

    def __post_init__(self) -> None:
        """Refuse arrays whose shapes or types do not belong together."""
        rows = len(self.boxes) if np.ndim(self.boxes) else -1
        _check_array('semantic_logits', self.semantic_logits, (None, None, None), np.float32)
        _check_array('boxes', self.boxes, (rows, 4), np.float32)
        _check_array('scores', self.scores, (rows,), np.float32)
        _check_array('classes', self.classes, (rows,), np.int32)
        _check_array('mask_logits', self.mask_logits, (rows, MASK_SIZE, MASK_SIZE), np.float32)
        if not 0 <= self.count <= rows:
            raise ModelError(
                f"network output 'count' is {self.count}, expected 0 to {rows}; export the model "
                'again'
            )


def _check_array(
    name: str, array: np.ndarray, shape: tuple[int | None, ...], dtype: type[np.generic]
) -> None:
    """Raise ModelError unless an array has this type and shape; None stands for any length."""
    fits = (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.ndim == len(shape)
        and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    )
    if not fits:
        wanted = [('any' if size is None else size) for size in shape]
        raise ModelError(
            f"network output '{name}' has shape {getattr(array, 'shape', None)} and type "
            f'{getattr(array, "dtype", type(array))}, expected shape {wanted} and type '
            f'{np.dtype(dtype)}; export the model again'
        )


@dataclass(frozen=True)
class Instance:
    """One object of a panoptic result.

    Attributes:
        label: its value in the label image.
        class_id: train id of its class.
        class_name: name of its class.
        score: the network's confidence, 0 to 1.
        box: x1, y1, x2, y2 in image pixels, as the network drew it, clipped to the image.
        area: pixels of the label image that carry its label; at least 1.
    """

    label: int
    class_id: int
    class_name: str
    score: float
    box: tuple[float, float, float, float]
    area: int


@dataclass(frozen=True)
class PanopticResult:
    """The panoptic answer for one image.

    Attributes:
        label_image: uint16 [H, W] at the image's size, see `upsnet_ros.core.labels`.
        instances: the objects in it, by descending score; empty when there are none.
        unknown_share: part of the pixels that are unknown, 0 to 1.
    """

    label_image: np.ndarray
    instances: tuple[Instance, ...]
    unknown_share: float

    def __post_init__(self) -> None:
        """Refuse a label image of another type or rank."""
        if self.label_image.ndim != 2 or self.label_image.dtype != np.uint16:
            raise LabelError(
                f'label image has shape {self.label_image.shape} and type '
                f'{self.label_image.dtype}, expected [H, W] and uint16'
            )


def check_output(output: NetworkOutput, geometry: InputGeometry, label_set: LabelSet) -> None:
    """Raise ModelError unless the network's answer can be used.

    A network that runs in reduced precision can overflow; a label image made from that would look
    like an answer. Only valid rows are checked, padding rows may hold anything.
    """
    expected = (
        label_set.num_classes,
        geometry.input_height // SEMANTIC_STRIDE,
        geometry.input_width // SEMANTIC_STRIDE,
    )
    if output.semantic_logits.shape != expected:
        raise ModelError(
            f"network output 'semantic_logits' has shape {output.semantic_logits.shape}, expected "
            f"{expected} for label set '{label_set.name}' and input "
            f'{geometry.input_height}x{geometry.input_width}; use the manifest of this model'
        )
    rows = slice(0, output.count)
    for name in ('semantic_logits', 'boxes', 'scores', 'mask_logits'):
        values = getattr(output, name)
        values = values if name == 'semantic_logits' else values[rows]
        if not np.isfinite(values).all():
            raise ModelError(
                f"network output '{name}' holds {np.count_nonzero(~np.isfinite(values))} values "
                'that are NaN or infinite, expected finite numbers; run the model in a higher '
                'precision, or export it again'
            )
    _check_rows(output.boxes[rows], output.scores[rows], output.classes[rows], geometry, label_set)


def _check_rows(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    geometry: InputGeometry,
    label_set: LabelSet,
) -> None:
    """Raise ModelError for classes that are no things, unsorted scores or boxes far outside."""
    if (scores[1:] > scores[:-1]).any():
        raise ModelError("network output 'scores' is not sorted, expected descending scores")
    is_thing = (classes >= label_set.num_stuff) & (classes < label_set.num_classes)
    if not is_thing.all():
        raise ModelError(
            f"network output 'classes' holds {sorted(set(classes[~is_thing].tolist()))}, expected "
            f'train ids of things, {label_set.num_stuff} to {label_set.num_classes - 1}'
        )
    # A mask is resized to its box: a box of any size would be memory of any size.
    limit = 2 * max(geometry.input_height, geometry.input_width)
    if boxes.size and np.abs(boxes).max() > limit:
        raise ModelError(
            f"network output 'boxes' reaches {np.abs(boxes).max():.0f} pixels, expected "
            f'coordinates within the input {geometry.input_height}x{geometry.input_width}'
        )
