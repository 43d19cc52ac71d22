# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The merge heuristic against a literal one that works pixel by pixel, and on hand cases."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.reference_panoptic_head import bilinear
from tests.core.test_masks import literal_mask
from tests.fakes.network_output import make_label_set, make_output, random_output
from training.inference.merge_heuristic import MergeHeuristic
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet
from upsnet_ros.core.structures import NetworkOutput, PanopticResult

UNKNOWN = -1


def literal_heuristic(
    output: NetworkOutput,
    geometry: InputGeometry,
    *,
    num_stuff: int,
    score_threshold: float,
    mask_overlap_threshold: float,
    stuff_area_limit: int,
    label_resolution: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the label image, and where rounding in float32 may decide otherwise."""
    size = (geometry.image_height, geometry.image_width)
    semantic, margin = literal_semantics(output.semantic_logits, geometry, label_resolution)
    owner = np.full(size, UNKNOWN)  # row of the detection
    fragile = margin < 1e-4
    kept = []
    for row in range(output.count):
        if output.scores[row] <= score_threshold:
            continue
        box = tuple(float(value) / geometry.scale for value in output.boxes[row])
        probability = literal_mask(box, output.mask_logits[row], size)
        fragile |= np.abs(probability - 0.5) < 1e-5
        mask = probability > 0.5
        area, covered = 0, 0
        for y, x in np.argwhere(mask):
            area += 1
            covered += owner[y, x] != UNKNOWN
        if area == 0 or covered / area > mask_overlap_threshold or covered == area:
            continue
        kept.append(row)
        for y, x in np.argwhere(mask):
            if owner[y, x] == UNKNOWN:
                owner[y, x] = row
    labels = np.full(size, UNKNOWN_LABEL)
    for stuff in range(num_stuff):
        region = (owner == UNKNOWN) & (semantic == stuff)
        if region.sum() >= stuff_area_limit:
            labels[region] = stuff * 256
    number: dict[int, int] = {}
    for row in kept:
        class_id = int(output.classes[row])
        number[class_id] = number.get(class_id, 0) + 1
        labels[owner == row] = class_id * 256 + number[class_id]
    return labels.astype(np.uint16), fragile


def literal_semantics(
    logits: np.ndarray, geometry: InputGeometry, label_resolution: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best class of every image pixel, and how much better than the second it is."""
    size, scale = (geometry.image_height, geometry.image_width), geometry.scale
    on_image = label_resolution == 'image'
    grid = size if on_image else (geometry.input_height, geometry.input_width)
    step = scale / 4 if on_image else 0.25
    full = np.stack([bilinear(channel, grid, (step, step)) for channel in logits])
    if not on_image:
        content = (geometry.content_height, geometry.content_width)
        rows, columns = (
            [min(int(i * float(np.float32(scale))), limit - 1) for i in range(length)]
            for length, limit in zip(size, content, strict=True)
        )
        full = full[:, rows][:, :, columns]
    top = np.sort(np.concatenate([full, np.full((1, *size), -np.inf)]), axis=0)
    return full.argmax(axis=0), top[-1] - top[-2]


def assert_equals_literal(
    label_set: LabelSet, output: NetworkOutput, geometry: InputGeometry, **parameters
) -> PanopticResult:
    heuristic = MergeHeuristic(label_set, **parameters)
    result = heuristic(output, geometry)
    want, fragile = literal_heuristic(
        output, geometry, num_stuff=label_set.num_stuff, **heuristic.parameters
    )
    assert fragile.mean() < 0.02
    different = (result.label_image != want) & ~fragile
    assert not different.any(), f'{different.sum()} of {different.size} pixels differ'
    values, counts = np.unique(result.label_image, return_counts=True)
    things = {v: n for v, n in zip(values.tolist(), counts.tolist(), strict=True) if v & 255}
    unknown = things.pop(UNKNOWN_LABEL, 0)
    assert {i.label: i.area for i in result.instances} == things
    assert result.unknown_share == pytest.approx(unknown / result.label_image.size)
    scores = [instance.score for instance in result.instances]
    assert scores == sorted(scores, reverse=True)
    return result


@pytest.mark.parametrize('seed', range(40))
def test_equals_the_literal_heuristic_on_random_cases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label_set = make_label_set(int(rng.integers(1, 5)), int(rng.integers(1, 4)))
    geometry = InputGeometry.for_short_side(
        (int(rng.integers(1, 70)), int(rng.integers(1, 70))),
        short_side=int(rng.integers(20, 70)),
        max_long_side=100,
    )
    output = random_output(
        rng,
        label_set,
        geometry,
        count=int(rng.choice([0, 1, 4, 12])),
        outside=float(rng.choice([0.0, 0.2])),
    )
    assert_equals_literal(
        label_set,
        output,
        geometry,
        score_threshold=float(rng.choice([0.0, 0.6])),
        mask_overlap_threshold=float(rng.choice([0.0, 0.3, 0.5, 1.0])),
        stuff_area_limit=int(rng.choice([0, 30, 200])),
        label_resolution=('input_frame', 'image')[seed % 2],
    )


# Boxes of which a full mask covers just the pixels given: 28 cells on so many pixels.
GEOMETRY = InputGeometry.fit(image_size=(64, 64), input_size=(64, 64))
LABELS = make_label_set(2, 2)  # 0 and 1 are stuff, 2 and 3 are things


def flat_logits(values: list[float], size: tuple[int, int] = (64, 64)) -> np.ndarray:
    return np.tile(np.array(values)[:, None, None], (1, size[0] // 4, size[1] // 4))


def column_box(left: float, right: float) -> tuple[float, float, float, float]:
    """Return a box over all rows, high enough for a full mask to reach both borders."""
    return (left, -20.0, right, 84.0)


def test_a_share_equal_to_the_threshold_is_kept() -> None:
    # The left half of the mask is the first one's.
    logits = np.full((2, 28, 28), 9.0, np.float32)
    logits[0, :, 14:] = -9.0
    output = make_output(
        flat_logits([3, 0, 1, 0]), [(4.0, 4.0, 59.0, 59.0)] * 2, [2, 3], [0.9, 0.8], logits
    )
    both = MergeHeuristic(LABELS, mask_overlap_threshold=1.0)(output, GEOMETRY).instances
    share = both[0].area / (both[0].area + both[1].area)
    assert 0.48 < share < 0.52
    for threshold, count in ((share, 2), (np.nextafter(share, 0.0), 1)):
        heuristic = MergeHeuristic(LABELS, mask_overlap_threshold=float(threshold))
        assert len(heuristic(output, GEOMETRY).instances) == count


def test_score_threshold_is_strict() -> None:
    output = make_output(flat_logits([3, 0, 0, 0]), [column_box(0.0, 63.0)], [2], [0.5], 9.0)
    assert MergeHeuristic(LABELS, score_threshold=0.5)(output, GEOMETRY).instances == ()
    assert len(MergeHeuristic(LABELS, score_threshold=0.49)(output, GEOMETRY).instances) == 1


@pytest.mark.parametrize(
    'boxes, present',
    [
        pytest.param([], 0, id='none'),
        pytest.param([(-80.0, -80.0, -20.0, -20.0)], 0, id='outside'),
        pytest.param([(0.0, 0.0, 63.0, 63.0)] * 30, 1, id='all the same'),
        pytest.param([(5.0, 7.0, 5.0, 7.0)], 1, id='one pixel'),
    ],
)
def test_extreme_detections(boxes: list, present: int) -> None:
    output = make_output(
        flat_logits([3, 0, 0, 0]), boxes, [2] * len(boxes), mask_logits=9.0, rows=40
    )
    result = assert_equals_literal(LABELS, output, GEOMETRY)
    assert len(result.instances) == present


def test_empty_masks_leave_no_trace() -> None:
    output = make_output(flat_logits([3, 0, 0, 0]), [(0.0, 0.0, 63.0, 63.0)], [2], [0.9], -9.0)
    result = MergeHeuristic(LABELS)(output, GEOMETRY)
    assert result.instances == () and (result.label_image == 0).all()


def test_a_class_has_at_most_255_instances_and_others_go_on() -> None:
    boxes = [(6.0 * x, 6.0 * y, 6.0 * x + 3, 6.0 * y + 3) for y in range(20) for x in range(16)]
    classes = [2] * 300 + [3] * 20
    geometry = InputGeometry.fit(image_size=(128, 96), input_size=(128, 96))
    output = make_output(
        flat_logits([3, 0, 0, 0], (128, 96)),
        boxes,
        classes,
        np.linspace(0.99, 0.7, 320),
        9.0,
        rows=320,
    )
    result = MergeHeuristic(LABELS, stuff_area_limit=0)(output, geometry)
    assert [i.label for i in result.instances] == [
        *((2 << 8) + n for n in range(1, 256)),
        *((3 << 8) + n for n in range(1, 21)),
    ]


def test_values_that_are_no_numbers_are_refused() -> None:
    output = make_output(flat_logits([0, 3, 0, 0]), [column_box(0.0, 31.0)], [2], [0.9])
    output.boxes[0, 1] = np.nan
    with pytest.raises(ModelError, match="'boxes' holds"):
        MergeHeuristic(LABELS)(output, GEOMETRY)


@pytest.mark.parametrize(
    'parameter',
    [
        {'score_threshold': 1.5},
        {'mask_overlap_threshold': float('nan')},
        {'stuff_area_limit': -1},
        {'label_resolution': 'screen'},
    ],
)
def test_impossible_parameters_are_refused_by_name(parameter: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameter))):
        MergeHeuristic(LABELS, **parameter)
