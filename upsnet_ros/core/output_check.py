# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a network's answer can become labels at all."""

from __future__ import annotations

import numpy as np

from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.structures import SEMANTIC_STRIDE, NetworkOutput


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
