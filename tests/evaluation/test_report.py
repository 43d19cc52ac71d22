# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.evaluation.small_drive import CAR, ROAD, SKY, image_of, labels_by_colour, truth_of
from tests.report.page_reader import ReadPage
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.report_html import render_report
from upsnet_ros.evaluation.report_json import Report, build_report, rounded, write_report_json
from upsnet_ros.evaluation.summary import summary_text
from upsnet_ros.evaluation.timing import timing_of

LABELS = cityscapes_label_set()
HEADLINE_KEYS = {
    'frames_sent',
    'frames_labelled',
    'frames_dropped',
    'latency_ms',
    'frames_per_second',
    'camera_rate_hz',
    'pq',
    'node_peak_memory_mb',
    'environment',
}


def report_of(evaluated: tuple, *, model: str = 'fake', statuses: dict | None = None) -> Report:
    joined, evaluation, _ = evaluated
    return build_report(
        joined=joined,
        timing=timing_of(joined),
        evaluation=evaluation,
        node_peak_bytes=123_456_789,
        statuses=statuses or {},
        environment={'model': model, 'versions': {'numpy': '2'}, 'date': 'today'},
        replay={'bag': 'out/drive', 'command': 'python -m it', 'rate_scale': 1.0},
    )


def test_the_headline_keys_and_their_parts_are_there(evaluate: Callable[..., tuple]) -> None:
    report = report_of(evaluate())
    assert set(report) >= HEADLINE_KEYS
    assert set(report['latency_ms']) == {'p50', 'p95', 'p99'}
    assert set(report['pq']) == {'all', 'things', 'stuff', 'sq', 'rq'}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_figures_are_those_of_the_drive(evaluate: Callable[..., tuple]) -> None:
    report = report_of(evaluate(frames=6, dropped=(2,)))
    assert report['frames_sent'] == 6
    assert report['frames_labelled'] == 5
    assert report['frames_dropped'] == 1
    assert report['latency_ms'] == {'p50': 40.0, 'p95': 40.0, 'p99': 40.0}
    assert report['camera_rate_hz'] == 10.0
    assert report['frames_per_second'] == 8.0
    assert report['node_peak_memory_mb'] == 123.5
    assert report['frames_with_ground_truth'] == 5
    assert [f['latency_ms'] for f in report['frames']] == [40.0, 40.0, None, 40.0, 40.0, 40.0]


def test_quality_equals_one_sum_over_the_label_images(evaluate: Callable[..., tuple]) -> None:
    evaluated = evaluate(frames=4, dropped=(1,))
    report, folder = report_of(evaluated), evaluated[2]
    expected = PanopticQuality(LABELS)
    for index in (0, 2, 3):
        written = cv2.imread(str(folder.labels / f'{index:06d}.png'), cv2.IMREAD_UNCHANGED)
        expected.update(written, truth_of(index))
    summary = expected.summary()
    assert report['pq']['all'] == pytest.approx(summary.all.pq, abs=1e-3)
    assert report['pq']['things'] == pytest.approx(summary.things.pq, abs=1e-3)
    assert 90 < report['pq']['all'] <= 100


def test_classes_that_never_occur_have_no_quality(evaluate: Callable[..., tuple]) -> None:
    entries = {e['class_id']: e for e in report_of(evaluate())['per_class']}
    assert len(entries) == LABELS.num_classes
    present = {label >> 8 for label in (ROAD, SKY, CAR)}
    for class_id, entry in entries.items():
        assert (entry['pq'] is not None) == (class_id in present), entry['name']


def test_without_ground_truth_the_quality_is_null(evaluate: Callable[..., tuple]) -> None:
    evaluated = evaluate(truth_every=None)
    report = report_of(evaluated)
    assert set(report['pq'].values()) == {None}
    assert report['per_class'] == []
    assert report['frames_with_ground_truth'] == 0
    assert report['unknown_share'] == 0.0
    page = ReadPage(render_report(report, evaluated[1], LABELS))
    assert 'Largest share of unknown pixels' in page.text


def test_sparse_ground_truth_counts_the_frames_that_have_it(
    evaluate: Callable[..., tuple],
) -> None:
    report = report_of(evaluate(frames=5, truth_every=2))
    assert report['frames_with_ground_truth'] == 3
    assert [f['pq'] is None for f in report['frames']] == [False, True, False, True, False]


@pytest.mark.parametrize('frames', [1, 2])
def test_a_very_short_drive_is_reported(evaluate: Callable[..., tuple], frames: int) -> None:
    evaluated = evaluate(frames=frames)
    report = report_of(evaluated)
    assert report['frames_labelled'] == frames
    assert (report['frames_per_second'] is None) == (frames == 1)
    ReadPage(render_report(report, evaluated[1], LABELS))


def test_pictures_of_every_labelled_frame_are_written(evaluate: Callable[..., tuple]) -> None:
    _, evaluation, folder = evaluate(frames=4, dropped=(3,))
    names = ['000000', '000001', '000002']
    assert [p.stem for p in sorted(folder.labels.iterdir())] == names
    assert [p.stem for p in sorted(folder.overlays.iterdir())] == names
    label = cv2.imread(str(folder.labels / '000002.png'), cv2.IMREAD_UNCHANGED)
    assert label.dtype == np.uint16
    share = np.mean(label == labels_by_colour(image_of(2)))
    assert share == 1.0
    assert evaluation.video.stat().st_size > 0


@pytest.mark.parametrize('value', [None, float('nan'), float('inf')])
def test_what_is_no_number_becomes_null(value: float | None) -> None:
    assert rounded(value) is None


def test_not_a_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='JSON compliant'):
        write_report_json({'value': float('nan')}, tmp_path / 'report.json')


def test_the_page_loads_nothing_and_holds_every_picture(evaluate: Callable[..., tuple]) -> None:
    evaluated = evaluate(frames=6, dropped=(1,))
    text = render_report(report_of(evaluated), evaluated[1], LABELS)
    without_pictures = re.sub(r'base64,[A-Za-z0-9+/=]+', '', text)
    assert not re.search(r'https?:|//[a-z]|@import|url\(', without_pictures)
    page = ReadPage(text)
    assert page.named('script') == []
    images = page.named('img')
    assert len(images) > 10
    for image in images:
        assert re.match(r'data:image/(jpeg|webp);base64,[A-Za-z0-9+/=]+$', image['src'])
        assert image['alt']
    for source in page.named('source'):
        assert source['srcset'].startswith('data:image/jpeg;base64,')
    for link in page.named('link'):
        assert link['href'] == 'data:,'


def test_the_page_tells_figures_classes_and_command(evaluate: Callable[..., tuple]) -> None:
    evaluated = evaluate(frames=6, dropped=(1,))
    page = ReadPage(render_report(report_of(evaluated), evaluated[1], LABELS))
    for label_class in LABELS.classes:
        assert label_class.name in page.text
    assert 'labelled 5 of 6 frames' in page.text
    assert 'python -m it' in page.text
    assert any(meta.get('name') == 'viewport' for meta in page.named('meta'))


def test_text_from_outside_is_escaped(evaluate: Callable[..., tuple]) -> None:
    evaluated = evaluate(frames=1)
    name = '<script>alert("x")</script>'
    text = render_report(report_of(evaluated, model=name), evaluated[1], LABELS)
    assert '<script' not in text
    assert name in ReadPage(text).text


def test_stages_of_the_node_are_shown_where_it_tells_them(
    evaluate: Callable[..., tuple],
) -> None:
    statuses = {
        'processing time': {
            'inference_ms_p50': '41.5',
            'inference_ms_p95': '50.0',
            'panoptic_head_ms_p50': 'n/a',
            'panoptic_head_ms_p95': 'n/a',
        }
    }
    evaluated = evaluate(frames=2)
    report = report_of(evaluated, statuses=statuses)
    assert report['node_stages_ms'] == {'inference': {'p50': 41.5, 'p95': 50.0}}
    assert '41.5' in ReadPage(render_report(report, evaluated[1], LABELS)).text
    without = report_of(evaluated)
    assert 'Where the time goes' not in render_report(without, evaluated[1], LABELS)


def test_the_summary_names_figures_and_files(evaluate: Callable[..., tuple]) -> None:
    evaluated = evaluate(frames=4, dropped=(0,))
    text = summary_text(report_of(evaluated), evaluated[1], evaluated[2])
    assert '3 of 4 (1 dropped)' in text
    assert str(evaluated[2].report_html) in text
    assert str(evaluated[1].video) in text
