# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality against numbers computed by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.fakes.label_images import disturbed, random_label_image
from tests.fakes.network_output import make_label_set
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality, PanopticQualitySummary

# Two stuff classes, 0 and 1, and two thing classes, 2 and 3.
LABELS = make_label_set(2, 2)
STUFF = 1 << 8
THING = 2 << 8


def quality(predicted: list[int], truth: list[int]) -> PanopticQualitySummary:
    """Return the quality of one image of one row."""
    state = PanopticQuality(LABELS)
    state.update(np.array([predicted], dtype=np.uint16), np.array([truth], dtype=np.uint16))
    return state.summary()


def counts(summary: PanopticQualitySummary, class_id: int) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives of a class."""
    entry = summary.per_class[class_id]
    return entry.true_positives, entry.false_positives, entry.false_negatives


def test_equal_images_have_full_quality() -> None:
    image = [0, 0, STUFF, THING + 1, THING + 2]
    summary = quality(image, image)
    for group in (summary.all, summary.things, summary.stuff):
        assert (group.pq, group.sq, group.rq) == (100.0, 100.0, 100.0)
    assert (summary.all.classes, summary.things.classes, summary.stuff.classes) == (3, 1, 2)


def test_nothing_seen_counts_no_class() -> None:
    summary = PanopticQuality(LABELS).summary()
    assert (summary.all.pq, summary.all.classes) == (0.0, 0)
    assert len(summary.per_class) == 4


def test_partial_overlap() -> None:
    # Class 0: intersection 3, union 5. Class 1: intersection 4, union 6.
    summary = quality([0] * 3 + [STUFF] * 4 + [0], [0] * 4 + [STUFF] * 4)
    assert summary.per_class[0].pq == pytest.approx(100 * 3 / 5)
    assert summary.per_class[1].pq == pytest.approx(100 * 3 / 5)
    assert summary.all.rq == 100.0


@pytest.mark.parametrize(
    'predicted, matched',
    [([0, 0, STUFF, STUFF], 0), ([0, 0, 0, STUFF], 1)],
    ids=['one half is too little', 'three quarters are enough'],
)
def test_match_needs_more_than_half(predicted: list[int], matched: int) -> None:
    summary = quality(predicted, [0, 0, 0, 0])
    assert counts(summary, 0) == (matched, 1 - matched, 1 - matched)
    assert counts(summary, 1) == (0, 1, 0)


def test_same_pixels_of_another_class_do_not_match() -> None:
    summary = quality([0] * 4 + [THING + 1] * 4, [0] * 4 + [THING + 256 + 1] * 4)
    assert counts(summary, 2) == (0, 1, 0)
    assert counts(summary, 3) == (0, 0, 1)


def test_instance_numbers_need_not_agree() -> None:
    summary = quality([THING + 7] * 3 + [THING + 1], [THING + 1] * 3 + [THING + 2])
    assert counts(summary, 2) == (2, 0, 0)


def test_void_pixels_leave_the_union() -> None:
    summary = quality([0] * 6, [0, 0, 0] + [UNKNOWN_LABEL] * 3)
    assert summary.per_class[0].pq == 100.0


@pytest.mark.parametrize('on_void, excused', [(2, False), (3, True)])
def test_predictions_mostly_on_void_are_excused(on_void: int, excused: bool) -> None:
    truth = [0] * (4 - on_void) + [UNKNOWN_LABEL] * on_void + [0] * 20
    summary = quality([STUFF] * 4 + [0] * 20, truth)
    assert counts(summary, 1) == (0, 0 if excused else 1, 0)


@pytest.mark.parametrize('on_crowd, excused', [(2, False), (3, True)])
def test_predictions_mostly_on_a_crowd_of_their_class_are_excused(
    on_crowd: int, excused: bool
) -> None:
    truth = [0] * (4 - on_crowd) + [THING] * on_crowd + [0] * 20
    summary = quality([THING + 1] * 4 + [0] * 20, truth)
    assert counts(summary, 2) == (0, 0 if excused else 1, 0)


def test_a_crowd_of_another_class_excuses_nothing() -> None:
    summary = quality([THING + 1] * 4, [THING + 256] * 4)
    assert counts(summary, 2) == (0, 1, 0)
    assert counts(summary, 3) == (0, 0, 0)


def test_void_and_crowd_together_excuse() -> None:
    summary = quality([THING + 1] * 5, [THING, THING, UNKNOWN_LABEL, 0, 0])
    assert counts(summary, 2) == (0, 0, 0)


def test_a_crowd_is_never_matched_and_never_missed() -> None:
    summary = quality([0] * 4, [THING] * 4)
    assert counts(summary, 2) == (0, 0, 0)


def test_unknown_predictions_are_no_segment_but_miss_the_truth() -> None:
    summary = quality([UNKNOWN_LABEL] * 4, [0, 0, THING + 1, THING + 1])
    assert [counts(summary, i) for i in range(4)] == [
        (0, 0, 1), (0, 0, 0), (0, 0, 1), (0, 0, 0)
    ]  # fmt: skip


def test_a_truth_that_is_all_void_counts_nothing() -> None:
    assert quality([0, STUFF, THING + 1], [UNKNOWN_LABEL] * 3).all.classes == 0


def test_quality_of_several_images_is_not_the_mean_of_qualities() -> None:
    state = PanopticQuality(LABELS)
    for predicted, truth in [([0, 0, 0, 0], [0, 0, 0, 0]), ([STUFF] * 4, [0, 0, 0, 0])]:
        state.update(np.array([predicted], np.uint16), np.array([truth], np.uint16))
    # Class 0: IoU 1 over one match and one missed segment, 1 / 1.5.
    assert state.summary().per_class[0].pq == pytest.approx(100 / 1.5)
    assert state.summary().all.pq == pytest.approx((100 / 1.5 + 0) / 2)


def test_states_and_their_arrays_add_up() -> None:
    rng = np.random.default_rng(3)
    label_set = cityscapes_label_set()
    whole, parts = PanopticQuality(label_set), [PanopticQuality(label_set) for _ in range(3)]
    for index in range(12):
        truth = random_label_image(rng, label_set, (40, 60))
        predicted = disturbed(rng, truth, label_set, noise=0.2, shift=1)
        whole.update(predicted, truth)
        parts[index % 3].update(predicted, truth)
    arrays = [part.state() for part in parts]
    assert arrays[0].dtype == np.float64 and arrays[0].shape == (4, 19)
    together = PanopticQuality(label_set)
    for part in parts:
        together.merge(part)
    assert together.summary() == PanopticQuality.from_state(label_set, sum(arrays)).summary()
    assert together.summary().all.pq == pytest.approx(whole.summary().all.pq, abs=1e-12)
    np.testing.assert_array_equal(together.state()[1:], whole.state()[1:])
    # Adding leaves the parts as they were.
    for part, array in zip(parts, arrays, strict=True):
        np.testing.assert_array_equal(part.state(), array)


def test_a_state_holds_what_its_rows_say() -> None:
    state = PanopticQuality(LABELS)
    # Class 0: IoU 3/4. Thing 2: one instance missed, one invented.
    state.update(
        np.array([[0, 0, 0, THING + 2, UNKNOWN_LABEL]], np.uint16),
        np.array([[0, 0, 0, 0, THING + 1]], np.uint16),
    )
    expected = [[0.75, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]]
    np.testing.assert_array_equal(state.state(), expected)


@pytest.mark.parametrize(
    'state', [np.zeros((4, 3)), np.full((4, 4), np.nan), np.full((4, 4), -1.0)]
)
def test_states_that_fit_no_label_set_are_refused(state: np.ndarray) -> None:
    with pytest.raises(LabelError, match=r'expected \(4, 4\)'):
        PanopticQuality.from_state(LABELS, state)


def test_the_largest_labels_are_counted() -> None:
    label_set = make_label_set(1, 254)
    image = np.array([[254 << 8 | 255, 254 << 8 | 254, 0, UNKNOWN_LABEL]], dtype=np.uint16)
    state = PanopticQuality(label_set)
    state.update(image, image)
    assert state.summary().per_class[254].true_positives == 2


def test_unequal_sizes_are_refused() -> None:
    with pytest.raises(LabelError, match='equal sizes'):
        PanopticQuality(LABELS).update(np.zeros((2, 3), np.uint16), np.zeros((3, 2), np.uint16))


@pytest.mark.parametrize('label', [4 << 8, 1 << 8 | 1, 65534])
def test_labels_of_no_class_are_refused(label: int) -> None:
    good, bad = np.zeros((2, 2), np.uint16), np.full((2, 2), label, np.uint16)
    with pytest.raises(LabelError, match=f'predicted label image holds .{label}'):
        PanopticQuality(LABELS).update(bad, good)
    with pytest.raises(LabelError, match=f'true label image holds .{label}'):
        PanopticQuality(LABELS).update(good, bad)


def test_other_types_are_refused() -> None:
    with pytest.raises(LabelError, match='int32'):
        PanopticQuality(LABELS).update(np.zeros((2, 2), np.int32), np.zeros((2, 2), np.uint16))


def test_label_sets_are_not_mixed() -> None:
    with pytest.raises(LabelError, match='cityscapes'):
        PanopticQuality(LABELS).merge(PanopticQuality(cityscapes_label_set()))


def test_summary_is_plain_json() -> None:
    values = quality([0, THING + 1], [0, THING + 1]).to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values['all'] == {'pq': 100.0, 'sq': 100.0, 'rq': 100.0, 'classes': 2}
    assert [entry['name'] for entry in values['per_class']] == [c.name for c in LABELS.classes]
