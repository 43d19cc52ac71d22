# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A backend that answers from a script instead of a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set
from upsnet_ros.core.structures import MASK_SIZE, NetworkOutput
from upsnet_ros.manifest import FORMAT_VERSION, ModelManifest


class FakeBackend:
    """Answers every image with what a function makes of it, and remembers the images.

    Without a function every pixel is the first stuff class and there is no instance.
    """

    name = 'fake'
    device = 'cpu'
    precision = 'fp32'

    def __init__(
        self,
        *,
        input_size: tuple[int, int] = (64, 96),
        label_set: LabelSet | None = None,
        answer: Callable[[np.ndarray], NetworkOutput] | None = None,
    ) -> None:
        self.input_size = input_size
        self.images: list[np.ndarray] = []
        self.is_closed = False
        self._label_set = label_set or cityscapes_label_set()
        self._answer = answer or self._empty_answer

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        if self.is_closed:
            raise ModelError('the model is closed; load it again to use it')
        assert image_bgr.shape == (*self.input_size, 3)
        assert image_bgr.dtype == np.uint8 and image_bgr.flags.c_contiguous
        self.images.append(image_bgr)
        return self._answer(image_bgr)

    def close(self) -> None:
        self.is_closed = True

    def _empty_answer(self, image_bgr: np.ndarray) -> NetworkOutput:
        height, width = self.input_size
        logits = np.zeros((self._label_set.num_classes, height // 4, width // 4), np.float32)
        logits[0] = 5.0
        return NetworkOutput(
            semantic_logits=logits,
            boxes=np.zeros((1, 4), np.float32),
            scores=np.zeros(1, np.float32),
            classes=np.zeros(1, np.int32),
            mask_logits=np.zeros((1, MASK_SIZE, MASK_SIZE), np.float32),
            count=0,
        )


def manifest_values(
    *,
    input_size: tuple[int, int] = (64, 96),
    label_set: LabelSet | None = None,
    rows: int = 4,
    sha256: str = '0' * 64,
) -> dict:
    """Return the content of a correct manifest."""
    label_set = label_set or cityscapes_label_set()
    height, width = input_size
    return {
        'format_version': FORMAT_VERSION,
        'name': 'fake',
        'label_set': label_set.to_dict(),
        'input': {
            'name': 'image',
            'height': height,
            'width': width,
            'layout': 'NHWC',
            'channel_order': 'BGR',
            'dtype': 'uint8',
            'pad_value': [103, 116, 123],
        },
        'outputs': {
            'semantic_logits': {
                'shape': [1, label_set.num_classes, height // 4, width // 4],
                'dtype': 'float32',
            },
            'boxes': {'shape': [1, rows, 4], 'dtype': 'float32'},
            'scores': {'shape': [1, rows], 'dtype': 'float32'},
            'classes': {'shape': [1, rows], 'dtype': 'int32'},
            'mask_logits': {'shape': [1, rows, MASK_SIZE, MASK_SIZE], 'dtype': 'float32'},
            'count': {'shape': [1], 'dtype': 'int32'},
        },
        'panoptic_head': {
            'score_threshold': 0.6,
            'mask_overlap_threshold': 0.3,
            'stuff_area_limit': 64,
            'predict_unknown': True,
            'instance_class': 'majority',
            'label_resolution': 'input_frame',
        },
        'sha256': sha256,
        'recipe': {'name': 'none'},
        'training': {},
        'metrics': {},
    }


def make_manifest(**options) -> ModelManifest:
    """Return a correct manifest; options as in `manifest_values`."""
    return ModelManifest.from_dict(manifest_values(**options))
