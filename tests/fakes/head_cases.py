# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cases that every implementation of the panoptic head has to label alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.fakes.network_output import make_label_set, make_output, random_output
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set
from upsnet_ros.core.structures import NetworkOutput

RESOLUTIONS = ('input_frame', 'image')
# Image and input, [height, width].
SIZES = [
    pytest.param((1, 1), (32, 32), id='one pixel'),
    pytest.param((1, 600), (32, 64), id='one row that would round to nothing'),
    pytest.param((77, 131), (64, 96), id='odd size with padding'),
    pytest.param((128, 256), (128, 256), id='scale 1'),
    pytest.param((256, 512), (160, 320), id='scale 0.625'),
    pytest.param((48, 80), (96, 160), id='scale 2'),
    pytest.param((60, 200), (128, 128), id='half of the input is padding'),
]
EXTREME_BOXES = [
    pytest.param([(5.0, 7.0, 5.0, 7.0)], id='one pixel'),
    pytest.param([(5.9, 7.9, 5.9, 7.9)], id='one pixel with rounding to the next'),
    pytest.param([(20.0, 20.0, 10.0, 8.0)], id='corners in the wrong order'),
    pytest.param([(-40.0, -40.0, -20.0, -20.0)], id='outside, in front'),
    pytest.param([(80.0, 80.0, 120.0, 120.0)], id='outside, behind'),
    pytest.param([(-20.5, -20.5, 84.5, 84.5)], id='larger than the input'),
    pytest.param([(-0.7, -0.2, 10.5, 11.5)], id='truncated towards zero, half to even'),
    pytest.param([(0.0, 0.0, 63.0, 63.0)] * 2, id='the same box twice'),
    pytest.param([(0.0, 0.0, 40.0, 63.0), (20.0, 0.0, 63.0, 63.0)], id='overlap'),
]


@dataclass(frozen=True)
class HeadCase:
    """A network's answer for an image, and the head's parameters that differ from its own."""

    label_set: LabelSet
    geometry: InputGeometry
    output: NetworkOutput
    parameters: dict[str, Any] = field(default_factory=dict)


def random_case(seed: int) -> HeadCase:
    """Return a case in which all is drawn: classes, sizes, answer, parameters."""
    rng = np.random.default_rng(seed)
    label_set = make_label_set(int(rng.integers(1, 6)), int(rng.integers(1, 4)))
    geometry = InputGeometry.fit(
        image_size=(int(rng.integers(1, 160)), int(rng.integers(1, 160))),
        input_size=(32 * int(rng.integers(1, 4)), 32 * int(rng.integers(1, 5))),
    )
    output = random_output(
        rng,
        label_set,
        geometry,
        count=int(rng.choice([0, 1, 2, 5, 12])),
        outside=float(rng.choice([0.0, 0.2])),
        level=float(rng.choice([-3.0, -1.0, 0.5, 2.0])),
    )
    parameters = {
        'score_threshold': float(rng.choice([0.0, 0.6])),
        'mask_overlap_threshold': float(rng.choice([0.0, 0.3, 1.0])),
        'stuff_area_limit': int(rng.choice([0, 50, 200])),
        'predict_unknown': bool(rng.random() < 0.8),
        'instance_class': str(rng.choice(['majority', 'detection'])),
        'label_resolution': RESOLUTIONS[seed % 2],
    }
    return HeadCase(label_set, geometry, output, parameters)


def sized_case(
    image_size: tuple[int, int], input_size: tuple[int, int], label_resolution: str
) -> HeadCase:
    """Return a case of 20 instances of Cityscapes' classes at given sizes, see `SIZES`."""
    label_set = cityscapes_label_set()
    geometry = InputGeometry.fit(image_size=image_size, input_size=input_size)
    output = random_output(np.random.default_rng(5), label_set, geometry, count=20)
    parameters = {
        'stuff_area_limit': 64,
        'score_threshold': 0.4,
        'label_resolution': label_resolution,
    }
    return HeadCase(label_set, geometry, output, parameters)


def boxes_case(boxes: list, level: float, mask: float | str) -> HeadCase:
    """Return a case of one image of noise with given boxes, see `EXTREME_BOXES`."""
    rng = np.random.default_rng(11)
    geometry = InputGeometry.fit(image_size=(64, 56), input_size=(64, 64))
    logits = level + rng.normal(size=(5, 16, 16))
    masks = rng.normal(size=(len(boxes), 28, 28)) if mask == 'noise' else mask
    output = make_output(logits, boxes, [3] * len(boxes), mask_logits=masks)
    return HeadCase(make_label_set(3, 2), geometry, output, {'stuff_area_limit': 0})
