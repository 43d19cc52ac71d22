# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head against a dense, literal reference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.reference_panoptic_head import ReferenceAnswer, reference_panoptic_head
from tests.fakes.head_cases import (
    EXTREME_BOXES,
    RESOLUTIONS,
    SIZES,
    boxes_case,
    random_case,
    sized_case,
)
from tests.fakes.network_output import make_label_set, random_output
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet, cityscapes_label_set
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput, PanopticResult

# Float32 rounding may decide between two logits that are closer than this, unless they are equal.
FRAGILE_MARGIN = 1e-4


def reference(
    label_set: LabelSet, output: NetworkOutput, geometry: InputGeometry, parameters: dict
) -> ReferenceAnswer:
    valid = slice(0, output.count)
    return reference_panoptic_head(
        output.semantic_logits,
        output.boxes[valid],
        output.scores[valid],
        output.classes[valid],
        output.mask_logits[valid],
        num_stuff=label_set.num_stuff,
        image_size=(geometry.image_height, geometry.image_width),
        content_size=(geometry.content_height, geometry.content_width),
        scale=geometry.scale,
        **parameters,
    )


def assert_equals_reference(
    label_set: LabelSet, output: NetworkOutput, geometry: InputGeometry, **parameters
) -> PanopticResult:
    result = PanopticHead(label_set, **parameters)(output, geometry)
    parameters.pop('num_threads', None)
    want = reference(label_set, output, geometry, parameters)
    fragile = (want.margin < FRAGILE_MARGIN) & (want.margin > 0.0)
    assert fragile.mean() < 0.01
    different = (result.label_image != want.label_image) & ~fragile
    assert not different.any(), f'{different.sum()} of {different.size} pixels differ'
    assert_consistent(result, label_set)
    return result


def assert_consistent(result: PanopticResult, label_set: LabelSet) -> None:
    """Compare the list of instances and the unknown share with the label image."""
    values, counts = np.unique(result.label_image, return_counts=True)
    area_of = dict(zip(values.tolist(), counts.tolist(), strict=True))
    things = {v: n for v, n in area_of.items() if v != UNKNOWN_LABEL and v & 255}
    assert {i.label: i.area for i in result.instances} == things
    assert result.unknown_share == pytest.approx(
        area_of.get(UNKNOWN_LABEL, 0) / result.label_image.size
    )
    scores = [instance.score for instance in result.instances]
    assert scores == sorted(scores, reverse=True)
    height, width = result.label_image.shape
    for instance in result.instances:
        assert instance.label >> 8 == instance.class_id
        assert instance.class_name == label_set.classes[instance.class_id].name
        assert 0 <= instance.box[0] <= width - 1 and 0 <= instance.box[3] <= height - 1


@pytest.mark.parametrize('seed', range(400))
def test_equals_reference_on_random_cases(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small images are done by one thread; here each thread is given the least there is.
    monkeypatch.setattr('upsnet_ros.core.compiled._PIXELS_PER_THREAD', 1)
    case = random_case(seed)
    assert_equals_reference(
        case.label_set, case.output, case.geometry, **case.parameters, num_threads=1 + seed % 3
    )


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
@pytest.mark.parametrize('image_size, input_size', SIZES)
def test_equals_reference_at_sizes(
    image_size: tuple[int, int], input_size: tuple[int, int], label_resolution: str
) -> None:
    case = sized_case(image_size, input_size, label_resolution)
    result = assert_equals_reference(case.label_set, case.output, case.geometry, **case.parameters)
    assert result.label_image.shape == image_size


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
@pytest.mark.parametrize('image_size', [(60, 80), (83, 50), (40, 200), (1, 9)])
def test_equals_reference_where_the_input_fits_the_image(
    image_size: tuple[int, int], label_resolution: str
) -> None:
    # Padding at the right and at the bottom; its logits must decide nothing.
    geometry = InputGeometry.for_short_side(image_size, short_side=70, max_long_side=150)
    assert geometry.content_height < geometry.input_height or image_size == (1, 9)
    label_set = make_label_set(4, 3)
    output = random_output(np.random.default_rng(3), label_set, geometry, count=9, outside=0.1)
    result = assert_equals_reference(
        label_set, output, geometry, stuff_area_limit=5, label_resolution=label_resolution
    )
    assert result.label_image.shape == image_size


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
@pytest.mark.parametrize('count', [0, 1, 100])
def test_equals_reference_with_none_one_and_all_instances(
    count: int, label_resolution: str
) -> None:
    rng = np.random.default_rng(count)
    label_set = cityscapes_label_set()
    geometry = InputGeometry.fit(image_size=(100, 200), input_size=(96, 192))
    output = random_output(rng, label_set, geometry, count=count)
    assert_equals_reference(
        label_set,
        output,
        geometry,
        score_threshold=0.0,
        stuff_area_limit=10,
        label_resolution=label_resolution,
    )


@pytest.mark.parametrize('boxes', EXTREME_BOXES)
@pytest.mark.parametrize('level', [-2.0, 2.0])
@pytest.mark.parametrize('mask', [-1.5, 1.5, 'noise'])
def test_equals_reference_on_extreme_boxes(
    boxes: list[tuple[float, float, float, float]], level: float, mask: float | str
) -> None:
    case = boxes_case(boxes, level, mask)
    assert_equals_reference(case.label_set, case.output, case.geometry, **case.parameters)
