# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.fakes.label_images import disturbed, random_label_image
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.mean_iou import confusion_rows
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_record import (
    CONFIDENCE_BINS,
    NO_LABEL,
    FrameRecord,
    FrameStep,
    SkippedFrame,
)
from upsnet_ros.evaluation.judge import score_bins
from upsnet_ros.evaluation.totals import FiguresTally

LABEL_SET = cityscapes_label_set()


def record(index: int, ms: float = 10.0, **values: object) -> FrameRecord:
    return FrameRecord('camera', index, index, {'total': ms}, 0.25, **values)


def test_no_frames_add_up_to_nothing_rather_than_to_zero() -> None:
    figures = FiguresTally(LABEL_SET, keep_series=True).figures()
    assert (figures.frames, figures.decoded, figures.truth_frames) == (0, 0, 0)
    assert figures.pq is figures.miou is figures.stability is figures.unknown_share is None
    assert figures.latency_ms.p50 is None
    assert figures.confidence == {'counts': [0] * CONFIDENCE_BINS, 'mean': None}


def test_states_of_frames_add_up_to_the_quality_of_all_images() -> None:
    rng = np.random.default_rng(3)
    whole, tally = PanopticQuality(LABEL_SET), FiguresTally(LABEL_SET, keep_series=False)
    for index in range(3):
        truth = random_label_image(rng, LABEL_SET, (40, 60))
        predicted = disturbed(rng, truth, LABEL_SET, noise=0.02, shift=1)
        single = PanopticQuality(LABEL_SET)
        single.update(predicted, truth)
        whole.update(predicted, truth)
        rows = tuple((c, *single.state()[:, c].tolist()) for c in range(LABEL_SET.num_classes))
        tally.add(record(index, quality=rows, confusion=confusion_rows(predicted, truth)))
    figures = tally.figures()
    assert figures.pq['all']['pq'] == pytest.approx(whole.summary().all.pq) and figures.pq
    assert figures.pq['per_class'][13]['true_positives'] == (
        whole.summary().per_class[13].true_positives
    )
    assert figures.truth_frames == 3 and 0 < figures.miou['miou'] < 100


def test_skipped_messages_are_counted_and_told() -> None:
    tally = FiguresTally(LABEL_SET, keep_series=True)
    tally.add(record(0, ms=10.0))
    tally.add(SkippedFrame('camera', 1, 1, 'no picture'))
    tally.add(record(2, ms=30.0, step=FrameStep(0.2, 100, 25, 0, 0, ())))
    tally.add(SkippedFrame('camera', 3, 3, NO_LABEL))
    figures = tally.figures(truth_unmatched=4)
    assert (figures.frames, figures.decoded, figures.drops) == (4, 2, 1)
    assert [each.problem for each in figures.skipped] == ['no picture', NO_LABEL]
    assert figures.truth_unmatched == 4
    assert figures.latency_ms.p50 == figures.latency_ms.mean == 20.0
    assert figures.unknown_share == 0.25
    assert [point.flip_share for point in figures.series] == [None, 0.25]
    assert figures.stability['flip_share'] == 0.25


def test_confidences_fall_into_equal_bins_and_their_mean_weighs_instances() -> None:
    assert score_bins(np.array([])) == ()
    assert score_bins(np.array([0.0, 0.61, 0.62, 1.0])) == ((0, 1), (12, 2), (19, 1))
    tally = FiguresTally(LABEL_SET, keep_series=False)
    tally.add(record(0, scores=((12, 3),), mean_score=0.6))
    tally.add(record(1, scores=((19, 1),), mean_score=1.0))
    tally.add(record(2))
    confidence = tally.figures().confidence
    assert confidence['counts'][12] == 3 and sum(confidence['counts']) == 4
    assert confidence['mean'] == pytest.approx(0.7)
