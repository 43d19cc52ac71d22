# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A pipeline without a network whose answer can be computed by hand from the image.

Pixels whose blue value is above 128 are car 1, all others are road.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView
from upsnet_ros.core.labels import cityscapes_label_set, encode_label
from upsnet_ros.core.structures import Instance, PanopticResult

ROAD, CAR = 0, 13
ROAD_LABEL = encode_label(ROAD, 0)
CAR_LABEL = encode_label(CAR, 1)
OWN_THRESHOLDS = {
    'score_threshold': 0.6,
    'mask_overlap_threshold': 0.3,
    'stuff_area_limit': 512,
}


def expected_labels(image_bgr: np.ndarray) -> np.ndarray:
    """The label image of a picture: uint16 [H, W]."""
    return np.where(image_bgr[..., 0] > 128, CAR_LABEL, ROAD_LABEL).astype(np.uint16)


@dataclass
class FakePipeline:
    """Answers at once, or when `gate` opens; remembers what it was asked."""

    gate: threading.Event = field(default_factory=threading.Event)
    images: list[np.ndarray] = field(default_factory=list)
    thresholds: list[dict] = field(default_factory=list)
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    error: BaseException | None = None
    max_batch: int = 1
    batches: list[int] = field(default_factory=list)
    closed: int = 0

    def __post_init__(self) -> None:
        self.gate.set()
        self.label_set = cityscapes_label_set()
        self.manifest = SimpleNamespace(
            name='fake_model', sha256='0' * 64, panoptic_head=dict(OWN_THRESHOLDS)
        )
        self.backend = SimpleNamespace(
            name='fake', device='none', precision='fp32', input_size=(32, 64)
        )

    def warm_up(self, runs: int) -> list[float]:
        return [1.0] * runs

    def set_thresholds(self, **thresholds) -> None:
        self.thresholds.append(thresholds)

    def process(self, image_bgr: np.ndarray, view: ImageView = WHOLE_UPRIGHT) -> SimpleNamespace:
        seen = view.look(image_bgr)
        self.images.append(seen)
        self.started.release()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        labels = expected_labels(seen)
        area = int((labels == CAR_LABEL).sum())
        car = Instance(CAR_LABEL, CAR, 'car', 0.9, (1.0, 2.0, 3.0, 4.0), area)
        panoptic = PanopticResult(labels, (car,) if area else (), 0.25)
        times = {'preprocess': 1.0, 'inference': 2.0, 'panoptic_head': 3.0, 'total': 6.0}
        whole = view.restore(panoptic, image_bgr.shape[:2])
        return SimpleNamespace(panoptic=whole, timing_ms=times)

    def process_batch(
        self, images_bgr: list[np.ndarray], views: list[ImageView]
    ) -> list[SimpleNamespace]:
        assert 1 < len(images_bgr) <= self.max_batch
        self.batches.append(len(images_bgr))
        return [self.process(*pair) for pair in zip(images_bgr, views, strict=True)]

    def close(self) -> None:
        self.closed += 1


class FakeLoader:
    """Stands for `PanopticPipeline.load`; refuses when told to, and changes what it loads."""

    def __init__(self, *changes: Callable[[FakePipeline], None]) -> None:
        self._changes = changes
        self.calls: list[tuple] = []
        self.pipelines: list[FakePipeline] = []
        self.refusal: Exception | None = None

    def __call__(self, model_path, **options: object) -> FakePipeline:
        self.calls.append((model_path, options))
        if self.refusal is not None:
            raise self.refusal
        self.pipelines.append(FakePipeline())
        for change in self._changes:
            change(self.pipeline)
        return self.pipeline

    @property
    def pipeline(self) -> FakePipeline:
        """The pipeline loaded last."""
        return self.pipelines[-1]


def batch_loader() -> FakeLoader:
    """Loads pipelines that label the images of several cameras in one run."""
    return FakeLoader(lambda pipeline: setattr(pipeline, 'max_batch', 4))


def missing_model() -> ModelError:
    """What loading raises for a path without a file."""
    return ModelError('no model at /nowhere/model.onnx, expected an ONNX file; export one')
