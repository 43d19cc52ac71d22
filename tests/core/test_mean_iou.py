# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean IoU against numbers computed by hand, and pixel by pixel."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.fakes.network_output import make_label_set
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, class_image
from upsnet_ros.core.mean_iou import MeanIou, confusion_rows

LABELS = make_label_set(2, 1)
VOID = 255
ROAD, SKY = 0, 1 << INSTANCE_BITS


def counted(predicted: list[int], truth: list[int]) -> MeanIou:
    state = MeanIou(LABELS)
    state.update(np.array([predicted], np.uint8), np.array([truth], np.uint8))
    return state


def test_known_figures() -> None:
    # Class 0: 2 of 3 pixels. Class 1: 1 of 3. Class 2: 1 of 1.
    summary = counted([0, 0, 1, 1, 2], [0, 0, 0, 1, 2]).summary()
    assert summary.per_class == pytest.approx(
        {'class 0': 200 / 3, 'class 1': 50.0, 'class 2': 100.0}
    )
    assert summary.miou == pytest.approx((200 / 3 + 50 + 100) / 3)
    assert summary.classes == 3


@pytest.mark.parametrize('state', [MeanIou(LABELS), counted([0, 1], [VOID, VOID])])
def test_nothing_seen_is_no_class(state: MeanIou) -> None:
    summary = state.summary()
    assert (summary.miou, summary.classes) == (0.0, 0)
    assert set(summary.per_class.values()) == {None}


def test_unknown_pixels_are_misses_of_their_class_and_void_is_left_out() -> None:
    truth = np.array([[ROAD, ROAD, ROAD, ROAD, SKY, UNKNOWN_LABEL]], np.uint16)
    predicted = np.array([[ROAD, ROAD, UNKNOWN_LABEL, SKY, SKY, ROAD]], np.uint16)
    rows = confusion_rows(predicted, truth)
    assert rows == ((0, 0, 2), (0, 1, 1), (0, 255, 1), (1, 1, 1))
    by_rows, by_image = MeanIou(LABELS), MeanIou(LABELS)
    by_rows.add(rows)
    by_image.update(class_image(predicted), class_image(truth))
    summary = by_rows.summary()
    assert summary == by_image.summary()
    assert summary.per_class == {'class 0': 50.0, 'class 1': 50.0, 'class 2': None}
    assert (summary.miou, summary.classes) == (50.0, 2)


def test_rows_of_an_image_without_truth_and_of_other_classes() -> None:
    state = MeanIou(LABELS)
    state.add(())
    assert not state.state().any()
    state.add([(VOID, 0, 1)])
    assert not state.state().any()
    for row, name in (((0, 7, 1), 'predicted'), ((7, 0, 1), 'true'), ((-1, 0, 1), 'true')):
        with pytest.raises(LabelError, match=name):
            state.add([row])


@pytest.mark.parametrize('size', [(1, 1), (37, 53), (1, 40000), (300, 1)])
def test_equals_sets_of_pixels(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    label_set = make_label_set(3, 5)
    truth = rng.choice([0, 1, 2, 3, 6, VOID], size).astype(np.uint8)
    predicted = np.where(rng.random(size) < 0.6, truth, rng.integers(0, 8, size))
    predicted = np.minimum(predicted, 7).astype(np.uint8)
    state = MeanIou(label_set)
    state.update(predicted, truth)
    pixels = list(zip(predicted.ravel().tolist(), truth.ravel().tolist(), strict=True))
    values = []
    for class_id in range(8):
        both = sum(p == t == class_id for p, t in pixels)
        either = sum(t != VOID and class_id in (p, t) for p, t in pixels)
        want = 100 * both / either if either else None
        values += [want] if either else []
        assert state.summary().per_class[f'class {class_id}'] == pytest.approx(want)
    assert state.summary().miou == pytest.approx(sum(values) / len(values) if values else 0.0)


def test_states_add_up() -> None:
    first, second = counted([0, 1, 2], [0, 0, 2]), counted([1, 1], [1, 2])
    both = counted([0, 1, 2, 1, 1], [0, 0, 2, 1, 2])
    total = MeanIou.from_state(LABELS, first.state() + second.state())
    assert first.state().dtype == np.float64 and first.state().shape == (3, 4)
    assert total.summary() == both.summary()
    assert json.loads(json.dumps(total.summary().to_dict())) == both.summary().to_dict()


@pytest.mark.parametrize('state', [np.zeros((3, 3)), np.full((3, 4), np.inf), -np.ones((3, 4))])
def test_states_that_fit_no_label_set_are_refused(state: np.ndarray) -> None:
    with pytest.raises(LabelError, match=r'expected \(3, 4\)'):
        MeanIou.from_state(LABELS, state)


@pytest.mark.parametrize(
    'predicted, truth, message',
    [
        pytest.param(np.zeros((2, 3)), np.zeros((2, 3)), 'float64', id='another type'),
        pytest.param(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 'equal', id='size'),
        pytest.param(
            np.full((2, 2), 3, np.uint8), np.zeros((2, 2), np.uint8), r'predicted.*\[3\]', id='3'
        ),
        pytest.param(
            np.zeros((2, 2), np.uint8), np.full((2, 2), 77, np.uint8), r'true.*\[77\]', id='77'
        ),
    ],
)
def test_images_that_are_no_class_images_are_refused(
    predicted: np.ndarray, truth: np.ndarray, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        MeanIou(LABELS).update(predicted, truth)
