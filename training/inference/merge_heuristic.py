# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The baseline that panoptic heads are compared with: detections first, then semantic stuff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labelling import (
    LABEL_RESOLUTIONS,
    assign_labels,
    describe_instances,
    semantic_image,
)
from upsnet_ros.core.labels import MAX_INSTANCE, LabelSet
from upsnet_ros.core.masks import paste_mask
from upsnet_ros.core.panoptic_head import check_area, check_choice, check_share
from upsnet_ros.core.structures import NetworkOutput, PanopticResult, check_output
from upsnet_ros.core.window import Window


class MergeHeuristic:
    """Turns network outputs into panoptic label images, without a panoptic head.

    Detections are pasted into the image by descending score, on one canvas for all classes. One
    that is mostly covered by those before it is dropped; another takes the pixels that are left.
    Pixels without a detection get the best semantic class if it is stuff, and become unknown if it
    is a thing. Stuff below the area limit becomes unknown.

    It takes the place of a `PanopticHead` and can be shared by threads like one. It wants Mask
    R-CNN's detections, which are suppressed class by class; an exported network gives candidates
    that are suppressed over all classes together.

    Source: Kirillov et al., Panoptic Segmentation, section 7; the baseline of UPSNet's tables 7
    and 8 (MR-CNN-PSP, UPSNet-C, UPSNet-CP).
    """

    def __init__(
        self,
        label_set: LabelSet,
        *,
        score_threshold: float = 0.6,
        mask_overlap_threshold: float = 0.3,
        stuff_area_limit: int = 2048,
        label_resolution: str = 'input_frame',
    ) -> None:
        """Check and keep the parameters; the defaults are those of UPSNet's published baseline.

        Args:
            label_set: the classes the network was trained on.
            score_threshold: instances must score more, 0 to 1.
            mask_overlap_threshold: an instance is dropped if kept ones of any class cover more
                than this share of its mask, 0 to 1. Kirillov et al. take 0.5.
            stuff_area_limit: stuff classes with fewer pixels become unknown [image px].
            label_resolution: where the semantic class is decided, `input_frame` or `image`, see
                `PanopticHead`. Masks are always pasted at the image's size.

        Raises:
            ParameterError: a value is outside its range.
        """
        self._label_set = label_set
        self._score_threshold = check_share('score_threshold', score_threshold)
        self._mask_overlap_threshold = check_share(
            'mask_overlap_threshold', mask_overlap_threshold
        )
        self._stuff_area_limit = check_area('stuff_area_limit', stuff_area_limit)
        self._label_resolution = check_choice(
            'label_resolution', label_resolution, LABEL_RESOLUTIONS
        )

    @property
    def label_set(self) -> LabelSet:
        """The classes of the labels."""
        return self._label_set

    @property
    def parameters(self) -> dict[str, float | int | str]:
        """The values in use, by the names that the constructor takes."""
        return {
            'score_threshold': self._score_threshold,
            'mask_overlap_threshold': self._mask_overlap_threshold,
            'stuff_area_limit': self._stuff_area_limit,
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
        winner = semantic_image(
            output.semantic_logits,
            geometry,
            num_stuff=self._label_set.num_stuff,
            label_resolution=self._label_resolution,
        ).astype(np.uint16)
        detected = int(np.count_nonzero(output.scores[: output.count] > self._score_threshold))
        segments = _merge_masks(
            output.boxes[:detected].astype(np.float64) / geometry.scale,
            output.classes[:detected],
            output.mask_logits[:detected],
            size=winner.shape,
            overlap_threshold=self._mask_overlap_threshold,
        )
        _paint(winner, segments, num_stuff=self._label_set.num_stuff)
        num_stuff = self._label_set.num_stuff
        areas = np.bincount(winner.ravel(), minlength=num_stuff + len(segments) + 1)
        assignment = assign_labels(
            areas[:, np.newaxis],  # nobody asks for the semantic classes of a segment's pixels
            instance_classes=[segment.class_id for segment in segments],
            num_stuff=num_stuff,
            stuff_area_limit=self._stuff_area_limit,
            by_majority=False,
        )
        rows = [segment.row for segment in segments]
        return PanopticResult(
            label_image=np.take(assignment.table, winner, mode='clip'),
            instances=describe_instances(
                boxes=output.boxes[rows],
                scores=output.scores[rows],
                assignment=assignment,
                geometry=geometry,
                label_set=self._label_set,
            ),
            unknown_share=assignment.unknown_area / winner.size,
        )


@dataclass(frozen=True, eq=False)
class _Segment:
    """What a detection owns: its row in the network's output, its class, and its pixels."""

    row: int
    class_id: int
    window: Window
    pixels: np.ndarray


def _merge_masks(
    boxes: np.ndarray,
    classes: np.ndarray,
    mask_logits: np.ndarray,
    *,
    size: tuple[int, int],
    overlap_threshold: float,
) -> list[_Segment]:
    """Return the pixels of each detection that is not mostly covered by better ones.

    A class has at most 255 instances, what a label image can hold.

    Args:
        boxes: float [n, 4], x1, y1, x2, y2 in image pixels, by descending score.
        classes: int32 [n], train ids.
        mask_logits: float32 [n, 28, 28].
        size: (height, width) of the image.
        overlap_threshold: 0 to 1.
    """
    taken = np.zeros(size, dtype=bool)
    number: dict[int, int] = {}
    segments = []
    for row, (box, class_id) in enumerate(zip(boxes.tolist(), classes.tolist(), strict=True)):
        window, mask = paste_mask(box, mask_logits[row], Window(0, 0, *size))
        here = taken[window.slices]
        free = mask & ~here
        area, left = np.count_nonzero(mask), np.count_nonzero(free)
        if left == 0 or (area - left) / area > overlap_threshold:
            continue
        if number.get(class_id, 0) == MAX_INSTANCE:
            continue
        number[class_id] = number.get(class_id, 0) + 1
        here |= free
        segments.append(_Segment(row, class_id, window, free))
    return segments


def _paint(winner: np.ndarray, segments: Sequence[_Segment], *, num_stuff: int) -> None:
    """Turn semantic classes into channels, in place: stuff, then each segment, then unknown.

    Args:
        winner: uint16 [H, W], the semantic class of each pixel.
        segments: disjoint.
        num_stuff: number of stuff classes N.
    """
    winner[winner >= num_stuff] = num_stuff + len(segments)
    for index, segment in enumerate(segments):
        winner[segment.window.slices][segment.pixels] = num_stuff + index
