# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean IoU against the official Cityscapes evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as official

from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set
from upsnet_ros.core.mean_iou import MeanIou, confusion_rows

LABELS = cityscapes_label_set()
IDS = [entry.dataset_id for entry in LABELS.classes]


@pytest.mark.parametrize('present', [range(19), [0, 2, 10, 13, 18], [5]])
@pytest.mark.parametrize('unknown', [0.0, 0.1])
def test_equals_the_official_evaluation(present: list[int], unknown: float) -> None:
    rng = np.random.default_rng(0)
    ours, by_rows = MeanIou(LABELS), MeanIou(LABELS)
    confusion = official.generateMatrix(official.args)
    for _ in range(3):
        truth = rng.choice([*present, 255], (40, 70)).astype(np.uint8)
        noise = rng.choice(list(present), truth.shape)
        predicted = np.where((rng.random(truth.shape) < 0.7) & (truth < 255), truth, noise)
        predicted[rng.random(truth.shape) < unknown] = 255
        ours.update(predicted.astype(np.uint8), truth)
        pair = (each.astype(np.uint16) for each in (predicted, truth))
        by_rows.add(confusion_rows(*(np.where(c < 255, c << 8, UNKNOWN_LABEL) for c in pair)))
        for p, t in zip(predicted.ravel(), truth.ravel(), strict=True):
            # Label id 0, 'unlabeled', is not evaluated.
            confusion[IDS[t] if t < 255 else 0, IDS[p] if p < 255 else 0] += 1
    summary = ours.summary()
    assert by_rows.summary() == summary  # as a replay adds frames up
    scores = {
        entry.name: official.getIouScoreForLabel(entry.dataset_id, confusion, official.args)
        for entry in LABELS.classes
    }
    for name, score in scores.items():
        have = summary.per_class[name]
        assert np.isnan(score) if have is None else have == pytest.approx(100 * score)
    mean = official.getScoreAverage(scores, official.args)
    assert summary.miou == pytest.approx(100 * mean)
