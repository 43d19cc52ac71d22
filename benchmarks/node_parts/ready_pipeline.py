# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A pipeline without a network, so that what is measured is the rest of the node."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from upsnet_ros.core.labels import cityscapes_label_set, encode_label
from upsnet_ros.core.structures import Instance, PanopticResult

CAR = 13
THRESHOLDS = {'score_threshold': 0.6, 'mask_overlap_threshold': 0.3, 'stuff_area_limit': 512}
STAGES = ('preprocess', 'inference', 'panoptic_head', 'total')


class ReadyPipeline:
    """Answers with a result that was made before.

    Args:
        instances: how many objects every answer has.
    """

    max_batch = 1

    def __init__(self, *, instances: int = 0) -> None:
        self.label_set = cityscapes_label_set()
        self.manifest = SimpleNamespace(
            name='ready', sha256='0' * 64, panoptic_head=dict(THRESHOLDS)
        )
        self.backend = SimpleNamespace(
            name='none', device='none', precision='none', input_size=(512, 1024)
        )
        self._instances = tuple(_car(number + 1) for number in range(instances))
        self._ready: dict[tuple[int, int], Any] = {}

    def warm_up(self, runs: int) -> list[float]:
        """Nothing to warm."""
        return []

    def set_thresholds(self, **thresholds: float) -> None:
        """Nothing to set."""

    def process(self, image_bgr: np.ndarray, view: object) -> Any:
        """The ready answer for an image of this size, BGR uint8 [H, W, 3]."""
        size = image_bgr.shape[:2]
        if size not in self._ready:
            labels = np.zeros(size, np.uint16)
            for car in self._instances:
                left, top, right, bottom = map(int, car.box)
                labels[top:bottom, left:right] = car.label
            result = PanopticResult(labels, self._instances, 0.0)
            self._ready[size] = SimpleNamespace(
                panoptic=result, timing_ms=dict.fromkeys(STAGES, 0.0)
            )
        return self._ready[size]

    def close(self) -> None:
        """Nothing to free."""


def _car(number: int) -> Instance:
    """One of many cars beside each other."""
    left = 12.0 * number
    box = (left, 10.0, left + 10.0, 30.0)
    return Instance(encode_label(CAR, number), CAR, 'car', 0.9, box, 200)
