# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation tells people, from figures that were added up by hand."""

from typing import Any

import numpy as np
import pytest

from tests.report.page_reader import ReadPage
from training.evaluation.sections import evaluation_report, terminal_table, warnings
from training.evaluation.worst_frames import WorstFrame
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.report.page import render_page
from upsnet_ros.report.text import markdown_text

LABELS = cityscapes_label_set()
ROAD, SKY, CAR = 0, 10, 13
TRUTH = np.full((8, 8), ROAD << 8, np.uint16)
TRUTH[:4] = SKY << 8
FOUND = TRUTH.copy()
FOUND[6:, 2:6] = CAR << 8 | 1  # where there is none
WORST = WorstFrame('town_1', 50.0, 0.25, np.zeros((8, 8, 3), np.uint8), FOUND, TRUTH)


@pytest.fixture
def metrics() -> dict[str, Any]:
    quality = PanopticQuality(LABELS)
    quality.update(FOUND, TRUTH)
    return {
        'pq': quality.summary().to_dict(),
        'miou': None,
        'ap': None,
        'cityscapes_ap': None,
        'frames': 1,
        'unknown_share': 0.25,
        'seconds_per_frame': 0.1,
        'skipped': [{'name': 'town_2', 'problem': 'gone'}],
        'empty_predictions': ['town_3'],
        'model': {'path': 'model.onnx', 'semantic_path': 'head'},
        'data': {'root': 'small', 'split': 'val', 'label_set': 'cityscapes'},
        'options': {'oracles': ['boxes']},
        'environment': {'cpu': 'one'},
        'command': 'python -m training.evaluate',
        'has_truth': True,
        'label_set_remarks': ['1 is a in the file'],
    }


def test_whatever_makes_figures_other_than_they_seem_is_said(metrics: dict[str, Any]) -> None:
    lines = '\n'.join(warnings(metrics))
    for words in (
        '1 frame could not be evaluated and is left out of all figures, for example town_2: gone',
        '1 frame got labels without a single segment and counts with all their misses: town_3',
        '16 classes are in neither truth nor labels',
        '1 class is in the labels but never in the truth; their PQ of 0 counts in the means: car',
        'The classes of the data are others: 1 is a in the file.',
        'The truth stood in for a part of the answer (boxes)',
    ):
        assert words in lines


def test_an_evaluation_without_anything_to_mind_warns_of_nothing(metrics: dict[str, Any]) -> None:
    every_class = [entry | {'true_positives': 1} for entry in metrics['pq']['per_class']]
    well = metrics | {'skipped': [], 'empty_predictions': [], 'options': {}}
    well |= {'label_set_remarks': []}
    assert warnings(well | {'pq': metrics['pq'] | {'per_class': every_class}}) == []


def test_page_markdown_and_terminal_tell_the_same_figures(metrics: dict[str, Any]) -> None:
    frames = [{'name': 'town_1', 'pq': 50.0, 'unknown_share': 0.25, 'ms': 100.0}]
    report = evaluation_report(metrics, frames, [WORST], LABELS)
    page = ReadPage(render_page(report))
    page.assert_loads_nothing()
    assert len(page.named('img')) == 4
    texts = page.text, markdown_text(report), terminal_table(metrics)
    quality = f'{metrics["pq"]["all"]["pq"]:.1f}'
    for text in texts:
        assert quality in text and 'motorcycle' in text
    for text in texts[:2]:
        assert 'not there at all: car' in text and '25.0 % unknown' in text
        assert 'gone' in text and '100 ms' in text
