# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head on cases computed by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.fakes.network_output import make_label_set, make_output, random_output
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput


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
        {'predict_unknown': 'false'},
        {'predict_unknown': 0},
        {'instance_class': 'mode'},
        {'label_resolution': 'screen'},
        {'num_threads': 0},
        {'num_threads': 1.5},
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


@pytest.mark.parametrize('num_threads', [1, 3])
def test_threads_share_a_head_without_disturbing_each_other(
    num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('upsnet_ros.core.compiled._PIXELS_PER_THREAD', 1000)
    label_set = make_label_set(4, 3)
    geometry = InputGeometry.fit(image_size=(120, 200), input_size=(96, 160))
    head = PanopticHead(label_set, stuff_area_limit=0, num_threads=num_threads)
    outputs = [
        random_output(np.random.default_rng(seed), label_set, geometry, count=5 + seed)
        for seed in range(6)
    ]
    alone = [head(output, geometry).label_image for output in outputs]
    with ThreadPoolExecutor(max_workers=8) as pool:
        together = list(pool.map(lambda output: head(output, geometry), outputs * 20))
    for index, result in enumerate(together):
        np.testing.assert_array_equal(result.label_image, alone[index % 6])


def test_arrays_may_lie_in_memory_as_they_like() -> None:
    label_set = make_label_set(3, 2)
    output = random_output(np.random.default_rng(1), label_set, GEOMETRY, count=8)
    others = {}
    for name in ('semantic_logits', 'boxes', 'scores', 'classes', 'mask_logits'):
        array = getattr(output, name)
        others[name] = np.repeat(array, 2, axis=-1)[..., ::2]  # neighbours are not adjacent
        others[name].setflags(write=False)
        assert not others[name].flags.c_contiguous
    head = PanopticHead(label_set, stuff_area_limit=0)
    want, have = head(output, GEOMETRY), head(NetworkOutput(count=8, **others), GEOMETRY)
    np.testing.assert_array_equal(have.label_image, want.label_image)
    assert have.instances == want.instances


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
