# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head against a dense, literal reference, and on cases computed by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.core.reference_panoptic_head import ReferenceAnswer, reference_panoptic_head
from tests.fakes.network_output import make_label_set, make_output, random_output
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet, cityscapes_label_set
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput, PanopticResult

RESOLUTIONS = ('input_frame', 'image')
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
def test_equals_reference_on_random_cases(seed: int) -> None:
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
    assert_equals_reference(
        label_set,
        output,
        geometry,
        score_threshold=float(rng.choice([0.0, 0.6])),
        mask_overlap_threshold=float(rng.choice([0.0, 0.3, 1.0])),
        stuff_area_limit=int(rng.choice([0, 50, 200])),
        predict_unknown=bool(rng.random() < 0.8),
        instance_class=str(rng.choice(['majority', 'detection'])),
        label_resolution=RESOLUTIONS[seed % 2],
    )


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
@pytest.mark.parametrize(
    'image_size, input_size',
    [
        pytest.param((1, 1), (32, 32), id='one pixel'),
        pytest.param((1, 600), (32, 64), id='one row that would round to nothing'),
        pytest.param((77, 131), (64, 96), id='odd size with padding'),
        pytest.param((128, 256), (128, 256), id='scale 1'),
        pytest.param((256, 512), (160, 320), id='scale 0.625'),
        pytest.param((48, 80), (96, 160), id='scale 2'),
        pytest.param((60, 200), (128, 128), id='half of the input is padding'),
    ],
)
def test_equals_reference_at_sizes(
    image_size: tuple[int, int], input_size: tuple[int, int], label_resolution: str
) -> None:
    rng = np.random.default_rng(5)
    label_set = cityscapes_label_set()
    geometry = InputGeometry.fit(image_size=image_size, input_size=input_size)
    output = random_output(rng, label_set, geometry, count=20)
    result = assert_equals_reference(
        label_set,
        output,
        geometry,
        stuff_area_limit=64,
        score_threshold=0.4,
        label_resolution=label_resolution,
    )
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


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
def test_equals_reference_when_strips_are_many(
    label_resolution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small images are done in one strip; here each strip is as small as it can be.
    monkeypatch.setattr('upsnet_ros.core.semantic_maps._STRIP_PIXELS', 1)
    label_set = make_label_set(4, 3)
    for image_size in [(100, 160), (160, 200), (64, 64), (77, 200), (33, 50)]:
        geometry = InputGeometry.fit(image_size=image_size, input_size=(96, 160))
        output = random_output(np.random.default_rng(3), label_set, geometry, count=6)
        assert_equals_reference(
            label_set, output, geometry, stuff_area_limit=0, label_resolution=label_resolution
        )


@pytest.mark.parametrize(
    'boxes',
    [
        pytest.param([(5.0, 7.0, 5.0, 7.0)], id='one pixel'),
        pytest.param([(5.9, 7.9, 5.9, 7.9)], id='one pixel with rounding to the next'),
        pytest.param([(20.0, 20.0, 10.0, 8.0)], id='corners in the wrong order'),
        pytest.param([(-40.0, -40.0, -20.0, -20.0)], id='outside, in front'),
        pytest.param([(80.0, 80.0, 120.0, 120.0)], id='outside, behind'),
        pytest.param([(-20.5, -20.5, 84.5, 84.5)], id='larger than the input'),
        pytest.param([(-0.7, -0.2, 10.5, 11.5)], id='truncated towards zero, half to even'),
        pytest.param([(0.0, 0.0, 63.0, 63.0)] * 2, id='the same box twice'),
        pytest.param([(0.0, 0.0, 40.0, 63.0), (20.0, 0.0, 63.0, 63.0)], id='overlap'),
    ],
)
@pytest.mark.parametrize('level', [-2.0, 2.0])
@pytest.mark.parametrize('mask', [-1.5, 1.5, 'noise'])
def test_equals_reference_on_extreme_boxes(
    boxes: list[tuple[float, float, float, float]], level: float, mask: float | str
) -> None:
    rng = np.random.default_rng(11)
    label_set = make_label_set(3, 2)
    geometry = InputGeometry.fit(image_size=(64, 56), input_size=(64, 64))
    logits = level + rng.normal(size=(5, 16, 16))
    masks = rng.normal(size=(len(boxes), 28, 28)) if mask == 'noise' else mask
    output = make_output(logits, boxes, [3] * len(boxes), mask_logits=masks)
    assert_equals_reference(label_set, output, geometry, stuff_area_limit=0)


def flat_logits(values: list[float], size: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Return logits that are the same everywhere: [S, H/4, W/4] of an H x W input."""
    return np.tile(np.array(values)[:, None, None], (1, size[0] // 4, size[1] // 4))


GEOMETRY = InputGeometry.fit(image_size=(64, 64), input_size=(64, 64))


def test_plain_stuff_fills_the_image() -> None:
    result = PanopticHead(make_label_set(2, 1))(make_output(flat_logits([1, 3, 2])), GEOMETRY)
    assert (result.label_image == 1 << 8).all()
    assert result.instances == ()
    assert result.unknown_share == 0.0


def test_thing_logits_without_an_instance_are_unknown() -> None:
    output = make_output(flat_logits([1, 2, 3]))
    result = PanopticHead(make_label_set(2, 1))(output, GEOMETRY)
    assert (result.label_image == UNKNOWN_LABEL).all()
    assert result.unknown_share == 1.0


def test_without_unknown_the_best_stuff_class_wins() -> None:
    output = make_output(flat_logits([1, 2, 3]))
    result = PanopticHead(make_label_set(2, 1), predict_unknown=False)(output, GEOMETRY)
    assert (result.label_image == 1 << 8).all()


def test_an_instance_takes_its_windows_and_no_pixel_more() -> None:
    # Inside: stuff 2, instance 1.9 + 4, unknown 1.9 - 1.9. Outside: stuff 2 against unknown 1.9.
    logits = flat_logits([2, 0, 1.9])
    output = make_output(logits, [(8.0, 10.0, 20.6, 30.0)], [2], [0.9], 4.0)
    label_set = make_label_set(2, 1)
    result = PanopticHead(label_set, stuff_area_limit=0)(output, GEOMETRY)
    # All pixels are semantically stuff 0, so the majority rule hands the instance to it.
    assert (result.label_image == 0).all()

    logits[2] += 0.2
    logits[2, :1] = logits[2, 9:] = logits[2, :, :1] = logits[2, :, 7:] = 0.0
    output = make_output(logits, [(8.0, 10.0, 20.6, 30.0)], [2], [0.9], 4.0)
    result = PanopticHead(label_set, stuff_area_limit=0)(output, GEOMETRY)
    expected = np.zeros((64, 64), dtype=bool)
    # Columns 8 to 20 by the mask; column 21 by the semantic logits alone, whose window is rounded.
    expected[10:31, 8:22] = True
    np.testing.assert_array_equal(result.label_image == (2 << 8 | 1), expected)
    (instance,) = result.instances
    assert (instance.label, instance.area) == (2 << 8 | 1, 21 * 14)
    assert instance.box == pytest.approx((8.0, 10.0, 20.6, 30.0))
    assert instance.score == pytest.approx(0.9)


def half_and_half(share: float) -> NetworkOutput:
    """Return an instance over the whole image, a share of whose pixels looks like stuff 1."""
    logits = flat_logits([0, 0, 3])
    columns = round(share * 16)
    logits[1, :, :columns], logits[2, :, :columns] = 3.0, 0.0
    return make_output(logits, [(0.0, 0.0, 63.0, 63.0)], [2], [0.9], 10.0)


@pytest.mark.parametrize('share, label', [(0.25, 2 << 8 | 1), (0.5, 1 << 8), (0.75, 1 << 8)])
def test_majority_rule_counts_half_as_stuff(share: float, label: int) -> None:
    # Interpolation is symmetric about the middle, where both logits are equal and stuff is first.
    result = PanopticHead(make_label_set(2, 1))(half_and_half(share), GEOMETRY)
    assert (result.label_image == label).all()


@pytest.mark.parametrize('share', [0.25, 0.5, 0.75])
def test_trusting_the_detection_keeps_its_class(share: float) -> None:
    head = PanopticHead(make_label_set(2, 1), instance_class='detection')
    result = head(half_and_half(share), GEOMETRY)
    assert (result.label_image == (2 << 8 | 1)).all()
    assert [(i.class_id, i.area) for i in result.instances] == [(2, 64 * 64)]


@pytest.mark.parametrize('limit, expected', [(2048, 0), (2049, UNKNOWN_LABEL)])
def test_stuff_area_limit_is_strict(limit: int, expected: int) -> None:
    logits = flat_logits([0, 4, 0])
    logits[0, :8], logits[1, :8] = 4.0, 0.0
    result = PanopticHead(make_label_set(2, 1), stuff_area_limit=limit)(
        make_output(logits), GEOMETRY
    )
    assert (result.label_image[:32] == expected).all()


def test_stuff_area_is_counted_in_image_pixels() -> None:
    # 32 x 32 input pixels show 64 x 64 image pixels: 4096 of them, not 1024.
    geometry = InputGeometry.fit(image_size=(64, 64), input_size=(32, 32))
    output = make_output(flat_logits([1, 0, 0], (32, 32)))
    result = PanopticHead(make_label_set(2, 1), stuff_area_limit=4096)(output, geometry)
    assert (result.label_image == 0).all()


def test_instances_count_from_one_per_class_by_score() -> None:
    label_set = make_label_set(1, 2)
    boxes = [(0.0, 0.0, 15.0, 15.0), (16.0, 0.0, 31.0, 15.0), (32.0, 0.0, 47.0, 15.0)]
    logits = flat_logits([0, 1, 1.5])
    output = make_output(logits, boxes, [2, 1, 2], [0.9, 0.8, 0.7], 5.0)
    result = PanopticHead(label_set, stuff_area_limit=0)(output, GEOMETRY)
    assert [i.label for i in result.instances] == [2 << 8 | 1, 1 << 8 | 1, 2 << 8 | 2]


def test_score_threshold_is_strict() -> None:
    output = make_output(flat_logits([0, 3]), [(0.0, 0.0, 63.0, 63.0)], [1], [0.5], 5.0)
    label_set = make_label_set(1, 1)
    assert PanopticHead(label_set, score_threshold=0.5)(output, GEOMETRY).instances == ()
    assert len(PanopticHead(label_set, score_threshold=0.49)(output, GEOMETRY).instances) == 1


def test_a_class_has_at_most_255_instances() -> None:
    # 16 x 20 boxes of 4 x 4 pixels in one class: 320 instances, of which 255 can be labelled.
    boxes = [(4.0 * x, 4.0 * y, 4.0 * x + 3, 4.0 * y + 3) for y in range(20) for x in range(16)]
    geometry = InputGeometry.fit(image_size=(80, 64), input_size=(96, 64))
    output = make_output(
        flat_logits([0, 3], (96, 64)), boxes, [1] * 320, np.linspace(0.99, 0.7, 320), 5.0, rows=320
    )
    result = PanopticHead(make_label_set(1, 1), stuff_area_limit=0)(output, geometry)
    assert [i.label for i in result.instances] == [(1 << 8) + n for n in range(1, 256)]
    assert result.instances[-1].score == pytest.approx(np.linspace(0.99, 0.7, 320)[254])
    assert result.label_image[79, 63] == UNKNOWN_LABEL


def test_all_pruned_keeps_the_best_candidate_without_its_mask() -> None:
    # The mask is empty, so only the semantic logits of the class act, inside the box.
    output = make_output(flat_logits([0, 3]), [(0.0, 0.0, 31.0, 63.0)], [1], [0.9], -5.0)
    result = PanopticHead(make_label_set(1, 1))(output, GEOMETRY)
    assert (result.label_image[:, :32] == (1 << 8 | 1)).all()
    assert (result.label_image[:, 32:] == UNKNOWN_LABEL).all()


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('name', ['semantic_logits', 'boxes', 'scores', 'mask_logits'])
def test_values_that_are_no_numbers_are_refused_by_name(name: str, value: float) -> None:
    output = make_output(flat_logits([0, 3]), [(0.0, 0.0, 31.0, 63.0)], [1], [0.9])
    getattr(output, name)[0, ...] = value
    with pytest.raises(ModelError, match=f"'{name}' holds"):
        PanopticHead(make_label_set(1, 1))(output, GEOMETRY)


@pytest.mark.parametrize(
    'change, message',
    [
        pytest.param({'classes': [0, 1]}, r"'classes' holds \[0\]", id='a stuff class'),
        pytest.param({'classes': [1, 2]}, r"'classes' holds \[2\]", id='no class at all'),
        pytest.param({'scores': [0.7, 0.8]}, 'not sorted', id='ascending scores'),
        pytest.param({'boxes': [(0, 0, 1e9, 9)] * 2}, "'boxes' reaches", id='an endless box'),
    ],
)
def test_impossible_rows_are_refused(change: dict, message: str) -> None:
    rows = {'boxes': [(0, 0, 9, 9)] * 2, 'classes': [1, 1], 'scores': [0.9, 0.8]} | change
    output = make_output(flat_logits([0, 3]), **rows)
    with pytest.raises(ModelError, match=message):
        PanopticHead(make_label_set(1, 1))(output, GEOMETRY)


def test_logits_of_another_label_set_or_input_are_refused() -> None:
    head = PanopticHead(make_label_set(1, 1))
    for logits in (flat_logits([0, 1, 2]), flat_logits([0, 1], (64, 96))):
        with pytest.raises(ModelError, match="'semantic_logits' has shape"):
            head(make_output(logits), GEOMETRY)


@pytest.mark.parametrize(
    'parameter',
    [
        {'score_threshold': 1.5},
        {'score_threshold': float('nan')},
        {'mask_overlap_threshold': -0.1},
        {'stuff_area_limit': -1},
        {'stuff_area_limit': 10.5},
        {'stuff_area_limit': float('inf')},
        {'instance_class': 'mode'},
        {'label_resolution': 'screen'},
    ],
)
def test_impossible_parameters_are_refused_by_name(parameter: dict) -> None:
    (name,) = parameter
    with pytest.raises(ParameterError, match=name):
        PanopticHead(make_label_set(1, 1), **parameter)


def test_parameters_are_those_given() -> None:
    values = {
        'score_threshold': 0.5,
        'mask_overlap_threshold': 0.2,
        'stuff_area_limit': 7,
        'predict_unknown': False,
        'instance_class': 'detection',
        'label_resolution': 'image',
    }
    assert PanopticHead(make_label_set(1, 1), **values).parameters == values


def test_inputs_are_not_changed_and_calls_do_not_remember() -> None:
    label_set = make_label_set(3, 2)
    output = random_output(np.random.default_rng(1), label_set, GEOMETRY, count=8)
    copies = [np.copy(getattr(output, n)) for n in ('semantic_logits', 'boxes', 'mask_logits')]
    head = PanopticHead(label_set, stuff_area_limit=0)
    first = head(output, GEOMETRY)
    other = random_output(np.random.default_rng(2), label_set, GEOMETRY, count=3)
    head(other, GEOMETRY)
    second = head(output, GEOMETRY)
    np.testing.assert_array_equal(first.label_image, second.label_image)
    assert first.instances == second.instances
    for name, copy in zip(('semantic_logits', 'boxes', 'mask_logits'), copies, strict=True):
        np.testing.assert_array_equal(getattr(output, name), copy)


def test_threads_share_a_head_without_disturbing_each_other() -> None:
    label_set = make_label_set(4, 3)
    geometry = InputGeometry.fit(image_size=(120, 200), input_size=(96, 160))
    head = PanopticHead(label_set, stuff_area_limit=0)
    outputs = [
        random_output(np.random.default_rng(seed), label_set, geometry, count=5 + seed)
        for seed in range(6)
    ]
    alone = [head(output, geometry).label_image for output in outputs]
    with ThreadPoolExecutor(max_workers=4) as pool:
        together = list(pool.map(lambda output: head(output, geometry), outputs * 10))
    for index, result in enumerate(together):
        np.testing.assert_array_equal(result.label_image, alone[index % 6])


def test_results_stay_as_they_are_when_the_next_image_comes() -> None:
    label_set = make_label_set(4, 3)
    head = PanopticHead(label_set, stuff_area_limit=0, label_resolution='image')
    outputs = [
        random_output(np.random.default_rng(seed), label_set, GEOMETRY, count=5)
        for seed in range(2)
    ]
    first = head(outputs[0], GEOMETRY).label_image
    before = first.copy()
    assert not np.array_equal(head(outputs[1], GEOMETRY).label_image, before)
    np.testing.assert_array_equal(first, before)
