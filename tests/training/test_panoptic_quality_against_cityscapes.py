# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality against the official Cityscapes evaluation, image by image and in sum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.evaluation.evalPanopticSemanticLabeling import (
    PQStat,
    average_pq,
    pq_compute_single_core,
)
from PIL import Image

from tests.fakes.label_images import disturbed, random_label_image
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality

Pair = tuple[np.ndarray, np.ndarray]  # predicted and true label image

LABELS = cityscapes_label_set()
CATEGORIES = {entry.train_id: {'isthing': int(entry.is_thing)} for entry in LABELS.classes}
CAR, CAR_CROWD, ROAD = 13 << 8 | 1, 13 << 8, 0
IMAGES_OF_A_KIND = 100


def write_panoptic_png(path: Path, labels: np.ndarray, *, is_truth: bool) -> dict:
    """Write a label image in the COCO panoptic format and return its annotation."""
    ids = labels.astype(np.int64) + 1
    ids[labels == UNKNOWN_LABEL] = 0
    Image.fromarray(
        np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    ).save(path)
    segments = []
    values, areas = np.unique(ids[ids > 0], return_counts=True)
    for value, area in zip(values.tolist(), areas.tolist(), strict=True):
        class_id, instance = (value - 1) >> 8, (value - 1) & 255
        is_crowd = is_truth and LABELS.classes[class_id].is_thing and instance == 0
        segments.append(
            {'id': value, 'category_id': class_id, 'iscrowd': int(is_crowd), 'area': area}
        )
    return {'image_id': path.stem, 'file_name': path.name, 'segments_info': segments}


def official(pair: Pair, folder: Path) -> PQStat:
    """Return the official counts of one image."""
    folders = folder / 'truth', folder / 'predicted'
    for each in folders:
        each.mkdir(exist_ok=True)
    predicted, truth = pair
    annotations = (
        write_panoptic_png(folders[0] / 'image.png', truth, is_truth=True),
        write_panoptic_png(folders[1] / 'image.png', predicted, is_truth=False),
    )
    return pq_compute_single_core(0, [annotations], str(folders[0]), str(folders[1]), CATEGORIES)


def labels_of(classes: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """Return uint16 labels; stuff has no instances."""
    instances = np.where(classes < LABELS.num_stuff, 0, instances)
    return (classes << INSTANCE_BITS | instances).astype(np.uint16)


def random_labels(rng: np.random.Generator, size: tuple[int, ...], most: int = 4) -> np.ndarray:
    """Return a label of its own for every pixel; thing classes have instances 0 to `most`."""
    classes = rng.integers(0, LABELS.num_classes, size)
    labels = labels_of(classes, rng.integers(0, most + 1, size))
    labels[rng.random(size) < rng.choice([0, 0.3])] = UNKNOWN_LABEL
    return labels


def size_of(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(8, 90)), int(rng.integers(8, 120))


def blocks(rng: np.random.Generator, **shares: float) -> Pair:
    """Rectangular segments; the prediction is moved and noisy."""
    shares = {
        'unknown': float(rng.choice([0.0, 0.2, 0.6])),
        'crowd': float(rng.choice([0.0, 0.3])),
    } | shares
    cells = int(rng.integers(1, 8))
    truth = random_label_image(rng, LABELS, size_of(rng), cells=cells, **shares)
    noise, shift = float(rng.choice([0.0, 0.1, 0.45])), int(rng.integers(0, 9))
    return disturbed(rng, truth, LABELS, noise=noise, shift=shift), truth


def mostly_void(rng: np.random.Generator) -> Pair:
    return blocks(rng, unknown=0.9)


def mostly_crowds(rng: np.random.Generator) -> Pair:
    return blocks(rng, unknown=0.0, crowd=0.9)


def mostly_unknown_prediction(rng: np.random.Generator) -> Pair:
    predicted, truth = blocks(rng)
    predicted[rng.random(truth.shape) < rng.choice([0.3, 0.6, 0.95])] = UNKNOWN_LABEL
    return predicted, truth


def one_pixel(rng: np.random.Generator) -> Pair:
    few = np.array([ROAD, CAR, CAR_CROWD, CAR + 1, UNKNOWN_LABEL], np.uint16)
    return rng.choice(few, (1, 1)), rng.choice(few, (1, 1))


def one_row_or_column(rng: np.random.Generator) -> Pair:
    size = (1, int(rng.integers(1, 40)))[:: int(rng.choice([1, -1]))]
    truth = random_labels(rng, size)
    return np.where(rng.random(size) < 0.3, random_labels(rng, size), truth), truth


def one_of_a_kind(rng: np.random.Generator) -> Pair:
    """One of the two is a single segment, a crowd, void or unknown all over; or both are."""
    pair = [*blocks(rng)]
    for which in {int(rng.integers(0, 2)), int(rng.integers(0, 2))}:
        pair[which][:] = rng.choice([ROAD, CAR, CAR_CROWD, UNKNOWN_LABEL])
    return pair[0], pair[1]


def nothing_predicted(rng: np.random.Generator) -> Pair:
    truth = blocks(rng)[1]
    return np.full_like(truth, UNKNOWN_LABEL), truth


def overlap_of_one_half(rng: np.random.Generator) -> Pair:
    """Pairs of segments with IoU one half exactly, or one pixel to either side of it."""
    half, rows = int(rng.integers(2, 30)), int(rng.integers(1, 9))
    predicted = np.full((rows, 2 * half + 1), UNKNOWN_LABEL, np.uint16)
    truth = np.full_like(predicted, ROAD)
    predicted[:, : half + int(rng.integers(-1, 2))] = CAR
    truth[:, : 2 * half] = CAR + 1
    return (truth, predicted) if rng.random() < 0.5 else (predicted, truth)


def half_excused(rng: np.random.Generator) -> Pair:
    """A prediction of which half, or a pixel more or less, lies on void and on a crowd."""
    half = int(rng.integers(2, 30))
    predicted = np.full((1, 2 * half), rng.choice([CAR, CAR_CROWD, 15 << 8 | 1]), np.uint16)
    truth = np.full_like(predicted, rng.choice([ROAD, CAR + 4]))
    excused = half + int(rng.integers(-1, 2))
    truth[:, :excused] = UNKNOWN_LABEL
    truth[:, : int(rng.integers(0, excused + 1))] = CAR_CROWD
    return predicted, truth


def many_segments(rng: np.random.Generator) -> Pair:
    """Up to 255 instances of a class; or of every class, in noise."""
    size = (int(rng.integers(32, 80)), int(rng.integers(32, 80)))
    if rng.random() < 0.3:
        truth = random_labels(rng, size, most=255)
    else:
        rows, columns = (np.arange(n) // 4 for n in size)
        number = 1 + (rows[:, None] * 20 + columns[None, :]) % 255
        truth = labels_of(np.full(size, rng.integers(11, 19)), number)
    noise = rng.random(size) < rng.choice([0.0, 0.1, 0.4])
    predicted = np.roll(truth, int(rng.integers(0, 3)), axis=1)
    return np.where(noise, random_labels(rng, size, most=255), predicted), truth


KINDS = [
    blocks, mostly_void, mostly_crowds, mostly_unknown_prediction, one_pixel, one_row_or_column,
    one_of_a_kind, nothing_predicted, overlap_of_one_half, half_excused, many_segments,
]  # fmt: skip


def assert_equal_counts(ours: PanopticQuality, theirs: PQStat) -> None:
    """Compare the sum of IoU and the three counts of every class."""
    expected = [
        [getattr(theirs[entry.train_id], key) for entry in LABELS.classes]
        for key in ('iou', 'tp', 'fp', 'fn')
    ]
    np.testing.assert_array_equal(ours.state()[1:], expected[1:])
    np.testing.assert_allclose(ours.state()[0], expected[0], rtol=0, atol=1e-9)


def assert_equal_figures(ours: PanopticQuality, theirs: PQStat) -> None:
    """Compare the figures of everything seen: those of the groups and of every class."""
    summary, figures = ours.summary(), average_pq(theirs, CATEGORIES)
    for group, name in [
        (summary.all, 'All'), (summary.things, 'Things'), (summary.stuff, 'Stuff')
    ]:  # fmt: skip
        assert group.classes == figures[name]['n']
        for key in ('pq', 'sq', 'rq'):
            assert getattr(group, key) / 100 == pytest.approx(figures[name][key], abs=1e-9)
    for entry in summary.per_class:
        for key in ('pq', 'sq', 'rq'):
            expected = figures['per_class'][entry.class_id][key]
            assert getattr(entry, key) / 100 == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('kind', KINDS)
def test_equals_the_official_evaluation(kind: Callable[..., Pair], tmp_path: Path) -> None:
    ours, theirs = PanopticQuality(LABELS), PQStat()
    for seed in range(IMAGES_OF_A_KIND):
        pair = kind(np.random.default_rng([seed, KINDS.index(kind)]))
        image, counted = PanopticQuality(LABELS), official(pair, tmp_path)
        image.update(*pair)
        assert_equal_counts(image, counted)
        ours.merge(image)
        theirs += counted
    assert_equal_counts(ours, theirs)
    assert_equal_figures(ours, theirs)
