# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head: semantic logits and instances in, one label per pixel out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labelling import (
    LABEL_RESOLUTIONS,
    assign_labels,
    describe_instances,
    label_frame,
    label_image,
    panoptic_channels,
)
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.masks import prune_masks
from upsnet_ros.core.structures import NetworkOutput, PanopticResult, check_output

Choice = TypeVar('Choice', str, bool)
INSTANCE_CLASSES = ('majority', 'detection')


class PanopticHead:
    """Turns network outputs into panoptic label images.

    Immutable once made: any number of threads may call one.

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
        instance_class: str = 'majority',
        label_resolution: str = 'input_frame',
        num_threads: int = 1,
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
            instance_class: `majority` hands an instance to a stuff class that the semantic head
                sees in at least half of its pixels (as published); `detection` trusts the class
                that the box head gave it.
            label_resolution: `input_frame` decides labels on the network's pixels, then enlarges
                them by nearest pixel (as published); `image` interpolates logits to the image's
                pixels first (smoother edges, time grows with the image).
            num_threads: CPU threads that work on one image, at least 1. It changes no label.

        Raises:
            ParameterError: a value is outside its range.
        """
        self._label_set = label_set
        self._score_threshold = check_share('score_threshold', score_threshold)
        self._mask_overlap_threshold = check_share(
            'mask_overlap_threshold', mask_overlap_threshold
        )
        self._stuff_area_limit = check_area('stuff_area_limit', stuff_area_limit)
        self._predict_unknown = check_choice('predict_unknown', predict_unknown, (False, True))
        self._instance_class = check_choice('instance_class', instance_class, INSTANCE_CLASSES)
        self._label_resolution = check_choice(
            'label_resolution', label_resolution, LABEL_RESOLUTIONS
        )
        self._num_threads = check_threads(num_threads)

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
            'instance_class': self._instance_class,
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
        num_stuff = self._label_set.num_stuff
        frame = label_frame(geometry, self._label_resolution)
        candidates = int(np.count_nonzero(output.scores[: output.count] > self._score_threshold))
        instances = prune_masks(
            output.boxes[:candidates].astype(np.float64) / frame.scale,
            output.classes[:candidates],
            output.mask_logits[:candidates],
            canvas=frame.canvas,
            overlap_threshold=self._mask_overlap_threshold,
        )
        channels = panoptic_channels(
            output.semantic_logits,
            instances,
            frame,
            num_stuff=num_stuff,
            predict_unknown=self._predict_unknown,
            num_threads=self._num_threads,
        )
        assignment = assign_labels(
            channels.histogram,
            instance_classes=instances.classes,
            num_stuff=num_stuff,
            stuff_area_limit=self._stuff_area_limit,
            by_majority=self._instance_class == 'majority',
        )
        return PanopticResult(
            label_image=label_image(channels, assignment.table, frame),
            instances=describe_instances(
                boxes=output.boxes[instances.rows],
                scores=output.scores[instances.rows],
                assignment=assignment,
                geometry=geometry,
                label_set=self._label_set,
            ),
            unknown_share=assignment.unknown_area / (geometry.image_height * geometry.image_width),
        )


def check_share(name: str, value: float) -> float:
    """Return a number from 0 to 1, or raise ParameterError."""
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ParameterError(f'{name} is {value}, expected a number from 0 to 1')
    return float(value)


def check_area(name: str, value: float) -> int:
    """Return a whole number of pixels, or raise ParameterError."""
    if not math.isfinite(value) or value != int(value) or value < 0:
        raise ParameterError(
            f'{name} is {value}, expected a whole number of pixels, 0 for no limit'
        )
    return int(value)


def check_threads(value: int) -> int:
    """Return a number of threads, or raise ParameterError."""
    if type(value) is not int or value < 1:
        raise ParameterError(f'num_threads is {value!r}, expected a whole number of at least 1')
    return value


def check_choice(name: str, value: Choice, choices: Sequence[Choice]) -> Choice:
    """Return one of the choices, or raise ParameterError."""
    if type(value) is not type(choices[0]) or value not in choices:
        raise ParameterError(
            f"{name} is '{value}', expected one of {', '.join(map(str, choices))}"
        )
    return value
