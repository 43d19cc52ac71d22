# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality against the official Cityscapes evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.evaluation.evalPanopticSemanticLabeling import (
    average_pq,
    pq_compute_single_core,
)
from PIL import Image

from tests.fakes.label_images import disturbed, random_label_image
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet, cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality

LABELS = cityscapes_label_set()
CATEGORIES = {entry.train_id: {'isthing': int(entry.is_thing)} for entry in LABELS.classes}


def write_panoptic_png(path: Path, labels: np.ndarray, *, is_truth: bool) -> dict:
    """Write a label image in the COCO panoptic format and return its annotation."""
    ids = labels.astype(np.int64) + 1
    ids[labels == UNKNOWN_LABEL] = 0
    Image.fromarray(
        np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    ).save(path)
    segments = []
    for value in np.unique(ids[ids > 0]).tolist():
        class_id, instance = (value - 1) >> 8, (value - 1) & 255
        is_crowd = is_truth and LABELS.classes[class_id].is_thing and instance == 0
        segments.append(
            {
                'id': value,
                'category_id': class_id,
                'iscrowd': int(is_crowd),
                'area': int((ids == value).sum()),
            }
        )
    return {'image_id': path.stem, 'file_name': path.name, 'segments_info': segments}


def official(pairs: list[tuple[np.ndarray, np.ndarray]], folder: Path) -> dict:
    """Return the official results for (predicted, true) label images."""
    truth_folder, predicted_folder = folder / 'truth', folder / 'predicted'
    truth_folder.mkdir()
    predicted_folder.mkdir()
    annotations = []
    for index, (predicted, truth) in enumerate(pairs):
        name = f'{index:04d}.png'
        annotations.append(
            (
                write_panoptic_png(truth_folder / name, truth, is_truth=True),
                write_panoptic_png(predicted_folder / name, predicted, is_truth=False),
            )
        )
    counted = pq_compute_single_core(
        0, annotations, str(truth_folder), str(predicted_folder), CATEGORIES
    )
    return average_pq(counted, CATEGORIES)


def random_pair(seed: int, label_set: LabelSet) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(8, 90)), int(rng.integers(8, 120)))
    truth = random_label_image(
        rng,
        label_set,
        size,
        cells=int(rng.integers(1, 8)),
        unknown=float(rng.choice([0.0, 0.2, 0.6])),
        crowd=float(rng.choice([0.0, 0.3])),
    )
    noise, shift = float(rng.choice([0.0, 0.1, 0.45])), int(rng.integers(0, 9))
    return disturbed(rng, truth, label_set, noise=noise, shift=shift), truth


def blank(value: int) -> np.ndarray:
    return np.full((6, 7), value, dtype=np.uint16)


CAR, CAR_CROWD, ROAD = 13 << 8 | 1, 13 << 8, 0
EXTREMES = [
    (blank(CAR), blank(CAR_CROWD)),
    (blank(CAR_CROWD), blank(CAR)),
    (blank(UNKNOWN_LABEL), blank(CAR)),
    (blank(CAR), blank(UNKNOWN_LABEL)),
    (blank(ROAD), blank(CAR)),
    (blank(18 << 8 | 255), blank(18 << 8 | 3)),
    (np.full((1, 1), ROAD, np.uint16), np.full((1, 1), ROAD, np.uint16)),
]


@pytest.mark.parametrize(
    'pairs',
    [
        pytest.param([random_pair(seed, LABELS) for seed in range(first, first + 25)], id=name)
        for first, name in [(0, 'random a'), (100, 'random b'), (200, 'random c')]
    ]
    + [
        pytest.param(EXTREMES, id='extremes'),
        pytest.param(EXTREMES + [random_pair(7, LABELS)], id='extremes and one random'),
    ],
)
def test_equals_the_official_evaluation(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    ours = PanopticQuality(LABELS)
    for predicted, truth in pairs:
        ours.update(predicted, truth)
    summary = ours.summary()
    theirs = official(pairs, tmp_path)
    for group, name in [
        (summary.all, 'All'), (summary.things, 'Things'), (summary.stuff, 'Stuff')
    ]:  # fmt: skip
        for key in ('pq', 'sq', 'rq'):
            assert getattr(group, key) / 100 == pytest.approx(theirs[name][key], abs=1e-9)
        assert group.classes == theirs[name]['n']
