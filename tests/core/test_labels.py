# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Label sets and the encoding of label images."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tests.fakes.network_output import make_label_set
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import (
    UNKNOWN_LABEL,
    LabelClass,
    LabelSet,
    cityscapes_label_set,
    class_image,
    encode_label,
    instance_image,
)


def stuff(train_id: int, **changes) -> LabelClass:
    values = {'dataset_id': train_id, 'name': f'stuff {train_id}', 'colour': (1, 2, 3)}
    return LabelClass(**{'train_id': train_id, 'is_thing': False, **values, **changes})


def test_cityscapes_is_the_benchmarks_table() -> None:
    labels = cityscapes_label_set()
    assert (labels.num_classes, labels.num_stuff, labels.num_things) == (19, 11, 8)
    assert labels.num_stuff == 11 and labels.thing_ids == tuple(range(11, 19))
    assert [c.dataset_id for c in labels.classes] == [
        7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33,
    ]  # fmt: skip
    assert labels.classes[13].name == 'car' and labels.classes[10].colour == (70, 130, 180)


def test_tables_look_up_colours_and_ids() -> None:
    labels = cityscapes_label_set()
    colours, train_ids = labels.colour_table(), labels.class_of_dataset_id()
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert tuple(colours[0]) == (128, 64, 128)
    assert (colours[19:] == 0).all()
    assert train_ids.shape == (256,) and train_ids.dtype == np.uint8
    assert train_ids[26] == 13 and train_ids[7] == 0
    assert np.count_nonzero(train_ids != 255) == 19


def test_dictionary_and_set_are_inverse() -> None:
    labels = cityscapes_label_set()
    values = json.loads(json.dumps(labels.to_dict()))
    assert LabelSet.from_dict(values) == labels
    assert hash(LabelSet.from_dict(values)) == hash(labels)


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'train_id': 255}, 'train_id is 255'),
        ({'train_id': -1}, 'train_id is -1'),
        ({'dataset_id': 1.0}, 'dataset_id is 1.0'),
        ({'name': ''}, "name is ''"),
        ({'is_thing': 1}, 'is_thing is 1'),
        ({'colour': (0, 0, 256)}, 'colour is'),
        ({'colour': (0, 0)}, 'colour is'),
        ({'colour': [0, 0, 0]}, 'colour is'),
    ],
)
def test_impossible_classes_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        dataclasses.replace(stuff(3), **changes)


@pytest.mark.parametrize(
    'classes, message',
    [
        ((), 'no classes'),
        ((stuff(0), stuff(2)), 'train ids'),
        ((stuff(1), stuff(0)), 'train ids'),
        ((stuff(0, is_thing=True), stuff(1)), 'stuff class follows'),
        ((stuff(0, name='a'), stuff(1, name='a')), 'name'),
        ((stuff(0), stuff(1, dataset_id=0)), 'dataset_id'),
    ],
)
def test_impossible_sets_are_refused(classes: tuple, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        LabelSet(name='wrong', classes=classes)


@pytest.mark.parametrize(
    'values',
    [{}, {'name': 'x'}, {'name': 'x', 'classes': [{}]}, {'name': 'x', 'classes': 3}],
)
def test_malformed_dictionaries_are_refused(values: dict) -> None:
    with pytest.raises(LabelError, match='malformed'):
        LabelSet.from_dict(values)


def test_a_class_with_an_unknown_key_is_refused() -> None:
    values = make_label_set(1, 1).to_dict()
    values['classes'][0]['weight'] = 2
    with pytest.raises(LabelError, match='weight'):
        LabelSet.from_dict(values)


def test_encoding_and_its_two_halves_are_inverse() -> None:
    pairs = [(0, 0), (18, 1), (13, 255), (254, 255)]
    labels = np.array([[encode_label(*pair) for pair in pairs]], np.uint16)
    assert class_image(labels).dtype == instance_image(labels).dtype == np.uint8
    assert list(zip(class_image(labels)[0], instance_image(labels)[0], strict=True)) == pairs


def test_unknown_has_class_255() -> None:
    labels = np.full((2, 2), UNKNOWN_LABEL, np.uint16)
    assert (class_image(labels) == 255).all()


@pytest.mark.parametrize('class_id, instance', [(255, 0), (-1, 0), (3, 256), (3, -1)])
def test_impossible_labels_are_not_encoded(class_id: int, instance: int) -> None:
    with pytest.raises(LabelError, match='cannot be encoded'):
        encode_label(class_id, instance)
