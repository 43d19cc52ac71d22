# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head: semantic logits and instances in, one label per pixel out."""

from __future__ import annotations

import math
import threading

import numpy as np

from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.label_assignment import LabelAssignment, assign_labels
from upsnet_ros.core.label_frame import LABEL_RESOLUTIONS, label_frame
from upsnet_ros.core.labels import INSTANCE_BITS, LabelSet
from upsnet_ros.core.mask_pruning import PlacedInstance, prune_masks
from upsnet_ros.core.panoptic_argmax import panoptic_argmax
from upsnet_ros.core.semantic_maps import semantic_maps
from upsnet_ros.core.structures import SEMANTIC_STRIDE, Instance, NetworkOutput, PanopticResult
from upsnet_ros.core.work_memory import WorkMemory


class PanopticHead:
    """Turns network outputs into panoptic label images.

    Immutable once made, with work memory per thread: any number of threads may call one.

    The inference is that of the published models: mask pruning, the argmax over stuff logits,
    instance logits (semantic plus mask) and the unknown logit, the majority rule for the class of
    an instance, and the area limit for stuff. Differences, all deliberate: instances are numbered
    per class, no phantom instance is made when nothing is detected, and a class has at most 255.

    Source: UPSNet, sections 3.1 and 3.2.
    """

    def __init__(
        self,
        label_set: LabelSet,
        *,
        score_threshold: float = 0.6,
        mask_overlap_threshold: float = 0.3,
        stuff_area_limit: int = 2048,
        predict_unknown: bool = True,
        label_resolution: str = 'input_frame',
    ) -> None:
        """Check and keep the parameters.

        Args:
            label_set: the classes the network was trained on.
            score_threshold: instances must score more, 0 to 1. The network's own threshold is the
                floor: what it left out cannot come back.
            mask_overlap_threshold: an instance is dropped if kept instances of its class cover
                more than this share of its mask, 0 to 1.
            stuff_area_limit: stuff classes with fewer pixels become unknown [image px].
            predict_unknown: whether a pixel that looks like a thing without an instance becomes
                unknown. Without it such a pixel gets its best stuff class.
            label_resolution: `input_frame` decides labels on the network's pixels, then enlarges
                them by nearest pixel (as published); `image` interpolates logits to the image's
                pixels first (smoother edges, time grows with the image).

        Raises:
            ParameterError: a value is outside its range.
        """
        for name, value in (
            ('score_threshold', score_threshold),
            ('mask_overlap_threshold', mask_overlap_threshold),
        ):
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise ParameterError(f'{name} is {value}, expected a number from 0 to 1')
        if stuff_area_limit != int(stuff_area_limit) or stuff_area_limit < 0:
            raise ParameterError(
                f'stuff_area_limit is {stuff_area_limit}, expected a whole number of pixels, 0 '
                'for no limit'
            )
        if label_resolution not in LABEL_RESOLUTIONS:
            raise ParameterError(
                f"label_resolution is '{label_resolution}', expected one of "
                f'{", ".join(LABEL_RESOLUTIONS)}'
            )
        self._label_set = label_set
        self._score_threshold = float(score_threshold)
        self._mask_overlap_threshold = float(mask_overlap_threshold)
        self._stuff_area_limit = int(stuff_area_limit)
        self._predict_unknown = bool(predict_unknown)
        self._label_resolution = label_resolution
        self._thread = threading.local()

    @property
    def label_set(self) -> LabelSet:
        """The classes of the labels."""
        return self._label_set

    @property
    def parameters(self) -> dict[str, float | int | bool | str]:
        """The values in use, by the names that the constructor takes."""
        return {
            'score_threshold': self._score_threshold,
            'mask_overlap_threshold': self._mask_overlap_threshold,
            'stuff_area_limit': self._stuff_area_limit,
            'predict_unknown': self._predict_unknown,
            'label_resolution': self._label_resolution,
        }

    def __call__(self, output: NetworkOutput, geometry: InputGeometry) -> PanopticResult:
        """Return the labels of one image.

        Args:
            output: the network's answer for the image placed by `geometry`.
            geometry: how the image lies in the network's input.

        Raises:
            ModelError: a tensor holds NaN or infinity, an impossible class or box, unsorted
                scores, or does not fit the label set or the input size.
        """
        check_output(output, geometry, self._label_set)
        num_stuff, num_classes = self._label_set.num_stuff, self._label_set.num_classes
        frame = label_frame(geometry, self._label_resolution)
        candidates = int(np.count_nonzero(output.scores[: output.count] > self._score_threshold))
        instances = prune_masks(
            output.boxes[:candidates].astype(np.float64) / frame.scale,
            output.classes[:candidates],
            output.mask_logits[:candidates],
            canvas=frame.canvas,
            overlap_threshold=self._mask_overlap_threshold,
        )
        maps = semantic_maps(
            output.semantic_logits,
            size=(frame.labels.height, frame.labels.width),
            upsampling=SEMANTIC_STRIDE / frame.scale,
            num_stuff=num_stuff,
            kept_classes=(instance.class_id for instance in instances),
            memory=self._memory(),
        )
        best_class = maps.best_class()
        winner = panoptic_argmax(
            maps, instances, num_stuff=num_stuff, predict_unknown=self._predict_unknown
        )
        assignment = assign_labels(
            winner,
            best_class,
            frame.pixel_counts,
            instance_classes=[instance.class_id for instance in instances],
            num_stuff=num_stuff,
            num_classes=num_classes,
            stuff_area_limit=self._stuff_area_limit,
        )
        labels = np.take(assignment.table, winner, mode='clip')
        return PanopticResult(
            label_image=frame.to_image(labels),
            instances=self._describe(output, instances, assignment, geometry),
            unknown_share=assignment.unknown_area / (geometry.image_height * geometry.image_width),
        )

    def _memory(self) -> WorkMemory:
        """Return the calling thread's work memory."""
        if not hasattr(self._thread, 'memory'):
            self._thread.memory = WorkMemory()
        return self._thread.memory

    def _describe(
        self,
        output: NetworkOutput,
        instances: list[PlacedInstance],
        assignment: LabelAssignment,
        geometry: InputGeometry,
    ) -> tuple[Instance, ...]:
        """Return the instances that have pixels, by descending score."""
        labels = assignment.table[self._label_set.num_stuff : -1].tolist()
        corner = np.array([geometry.image_width - 1, geometry.image_height - 1] * 2)
        areas = assignment.instance_areas.tolist()
        described = []
        for instance, label, area in zip(instances, labels, areas, strict=True):
            if area == 0:
                continue
            box = np.clip(output.boxes[instance.row] / geometry.scale, 0, corner)
            described.append(
                Instance(
                    label=label,
                    class_id=label >> INSTANCE_BITS,
                    class_name=self._label_set.classes[instance.class_id].name,
                    score=float(output.scores[instance.row]),
                    box=tuple(box.tolist()),
                    area=area,
                )
            )
        return tuple(described)


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
