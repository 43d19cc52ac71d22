# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.frame_tables import CAR, ROAD, SKY, SMALL_SET
from tests.evaluation.replay_reports import BAG, START_NS, random_records, record_of, write_replay
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.comparison import (
    Comparison,
    Difference,
    compare_reports,
    read_comparison,
    write_comparison,
)
from upsnet_ros.evaluation.comparison_sections import comparison_text
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions
from upsnet_ros.evaluation.replay_report import read_report

FEW = BootstrapOptions(resamples=100)


def compared(one: Path, other: Path, **options: int) -> Comparison:
    return compare_reports(one, other, options=replace(FEW, **options))


def scene(*, car: bool, sky_rows: int = 4) -> np.ndarray:
    """8 x 8 pixels of sky above road, with a car of 2 x 4 or without."""
    labels = np.full((8, 8), ROAD << 8, np.uint16)
    labels[:sky_rows] = SKY << 8
    if car:
        labels[6:, 2:6] = CAR << 8 | 1
    return labels


@pytest.fixture
def by_hand(tmp_path) -> tuple[Path, Path]:
    """This one finds the car in both frames, the other one in the first; both are late once."""
    truth = scene(car=True)
    found, missed = scene(car=True), scene(car=False)
    this = [record_of(0, found, truth, ms=10.0), record_of(1, found, truth, ms=30.0)]
    other = [record_of(0, found, truth, ms=20.0), record_of(1, missed, truth, ms=60.0)]
    return write_replay(tmp_path / 'this', this), write_replay(tmp_path / 'other', other)


def test_differences_by_hand(by_hand) -> None:
    result = compared(*by_hand)
    road, sky, car = result.classes
    # Of the other one's cars one matches and one is missed: PQ 1 / (1 + 1 / 2). Its road of the
    # second frame covers the car: 24 of 32 pixels.
    assert car.pq.this == 100.0
    assert car.pq.against == pytest.approx(200 / 3)
    assert car.pq.difference == pytest.approx(100 / 3)
    assert (car.sq.difference, car.rq.against) == (0.0, pytest.approx(200 / 3))
    assert car.iou.against == 50.0  # 8 of 16 pixels
    assert road.pq.against == pytest.approx(100 * (1 + 24 / 32) / 2)
    assert road.iou.against == pytest.approx(100 * 48 / 56)
    assert (sky.pq.this, sky.pq.difference) == (100.0, 0.0)
    assert result.totals['pq'].difference == pytest.approx((100 / 3 + 12.5) / 3)
    assert result.totals['pq_things'].difference == pytest.approx(100 / 3)
    assert result.totals['latency_p50_ms'].difference == pytest.approx(20.0 - 40.0)
    assert result.totals['unknown_share'].difference == 0.0
    assert result.frames.both == result.frames.with_truth == 2
    # Draws of two frames have the second one never, once or twice.
    assert car.pq.low == 0.0
    assert car.pq.high == pytest.approx(100.0)
    assert (result.totals['latency_mean_ms'].low, result.totals['latency_mean_ms'].high) == (
        pytest.approx(-30.0),
        pytest.approx(-10.0),
    )
    assert result.totals['latency_mean_ms'].verdict == 'better'


def test_the_frames_that_moved_most_by_hand(by_hand) -> None:
    result = compared(*by_hand)
    (frame,) = result.better
    assert (frame.camera, frame.stamp_ns) == ('front', START_NS + 100_000_000)
    assert (frame.this, frame.against) == (100.0, pytest.approx((75 + 100 + 0) / 3))
    assert result.worse == ()
    back = compared(*reversed(by_hand))
    assert back.better == () and len(back.worse) == 1


def test_a_report_compared_with_itself_differs_in_nothing(tmp_path) -> None:
    folder = write_replay(tmp_path / 'one', random_records(1, frames=20))
    result = compared(folder, folder)
    differences = [*result.totals.values()]
    differences += [getattr(c, part) for c in result.classes for part in ('pq', 'sq', 'rq', 'iou')]
    assert {(d.difference, d.low, d.high, d.verdict) for d in differences} == {
        (0.0, 0.0, 0.0, 'unclear')
    }
    assert result.better == result.worse == ()


def test_totals_are_those_of_the_reports(tmp_path) -> None:
    folders = [
        write_replay(tmp_path / n, random_records(s, frames=30)) for n, s in (('a', 1), ('b', 2))
    ]
    result = compared(*folders)
    for side, folder in zip(('this', 'against'), folders, strict=True):
        total = read_report(folder).total
        figures = {name: getattr(value, side) for name, value in result.totals.items()}
        assert figures['pq'] == pytest.approx(total.pq['all']['pq'])
        assert figures['sq'] == pytest.approx(total.pq['all']['sq'])
        assert figures['pq_things'] == pytest.approx(total.pq['things']['pq'])
        assert figures['miou'] == pytest.approx(total.miou['miou'])
        assert figures['unknown_share'] == pytest.approx(100 * total.unknown_share)
        assert figures['latency_p95_ms'] == pytest.approx(total.latency_ms.p95, abs=1e-3)
        by_name = {entry['name']: entry for entry in total.pq['per_class']}
        for entry in result.classes:
            assert getattr(entry.pq, side) == pytest.approx(by_name[entry.name]['pq'])


def test_only_frames_in_both_are_compared(tmp_path) -> None:
    records = random_records(1, frames=10)
    others = random_records(2, frames=14)
    whole = write_replay(tmp_path / 'whole', others)
    few = write_replay(tmp_path / 'few', records[3:])
    result = compared(few, whole)
    assert (result.frames.both, result.frames.only_this, result.frames.only_against) == (7, 0, 7)
    same = compared(few, write_replay(tmp_path / 'cut', others[3:10]))
    assert result.totals == same.totals
    back = compared(whole, few)
    assert back.totals['pq'].difference == pytest.approx(-result.totals['pq'].difference)
    assert (back.frames.only_this, back.frames.only_against) == (7, 0)
    assert [f.stamp_ns for f in back.worse] == [f.stamp_ns for f in result.better]


def test_truth_that_only_one_has_does_not_count(tmp_path) -> None:
    dense = write_replay(tmp_path / 'dense', random_records(1, frames=12))
    sparse = write_replay(tmp_path / 'sparse', random_records(1, frames=12, truth_every=4))
    result = compared(dense, sparse)
    assert (result.frames.both, result.frames.with_truth) == (12, 3)
    assert result.totals['pq'].difference == 0.0


def test_without_truth_there_are_no_qualities_but_the_rest(tmp_path) -> None:
    records = [record_of(i, scene(car=True), None, ms=10.0 + i) for i in range(4)]
    folder = write_replay(tmp_path / 'one', records)
    result = compared(folder, folder)
    assert result.totals['pq'] == Difference(None, None, None, None, None)
    assert result.totals['pq'].verdict == 'none'
    assert result.totals['latency_p50_ms'].this == 11.5
    assert result.frames.with_truth == 0
    text = comparison_text(result)
    assert 'Time a frame, median [ms]' in text and 'Panoptic quality' not in text


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'bag': replace(BAG, duration_s=4.0)}, r'durations of the bags \[s\]: 3.0 and 4.0'),
        ({'bag': replace(BAG, messages=61)}, 'messages in the bags: 60 and 61'),
        ({'start_ns': START_NS + 1}, 'different starts of the bags'),
        (
            {'label_set': replace(SMALL_SET, name='other')},
            'different label sets: small and other',
        ),
        (
            {
                'label_set': LabelSet(
                    'small', (*SMALL_SET.classes[:2], replace(SMALL_SET.classes[2], name='van'))
                )
            },
            "the label sets 'small' of .* have different classes",
        ),
    ],
)
def test_reports_of_other_things_are_refused(tmp_path, changes, message) -> None:
    records = random_records(1, frames=2)
    one = write_replay(tmp_path / 'one', records)
    other = write_replay(tmp_path / 'other', records, **changes)
    with pytest.raises(EvaluationError, match=message):
        compared(one, other)


def test_a_bag_that_lies_elsewhere_is_the_same_bag(tmp_path) -> None:
    records = random_records(1, frames=2)
    moved = replace(BAG, path='/elsewhere/street', storage='sqlite3')
    folders = [
        write_replay(tmp_path / 'one', records),
        write_replay(tmp_path / 'other', records, bag=moved),
    ]
    assert compared(*folders).frames.both == 2


def test_other_ground_truth_is_noticed(tmp_path) -> None:
    labels = scene(car=True)
    one = write_replay(tmp_path / 'one', [record_of(0, labels, scene(car=True))])
    other = write_replay(tmp_path / 'other', [record_of(0, labels, scene(car=False))])
    with pytest.raises(EvaluationError, match=f'1 frames .*{START_NS} ns of camera front'):
        compared(one, other)


def test_frames_of_a_camera_that_share_a_stamp_are_refused(tmp_path) -> None:
    records = random_records(1, frames=4)
    plain = write_replay(tmp_path / 'plain', records)
    same = [replace(record, stamp_ns=0) for record in records]
    odd = write_replay(tmp_path / 'odd', same)
    for folders in ((plain, odd), (odd, plain), (odd, odd)):
        with pytest.raises(EvaluationError, match='frames of camera front with the stamp 0 ns'):
            compared(*folders)
    others = [replace(record, camera='rear') for record in records]
    both = write_replay(tmp_path / 'both', [*records, *others])  # two cameras may share stamps
    assert compared(both, both).frames.both == 8


def test_no_common_frame_is_refused(tmp_path) -> None:
    records = random_records(1, frames=4)
    folders = [
        write_replay(tmp_path / 'one', records[:2]),
        write_replay(tmp_path / 'other', records[2:]),
    ]
    with pytest.raises(EvaluationError, match='share no frame'):
        compared(*folders)


def test_another_schema_version_is_refused_by_the_folder_it_is_in(tmp_path) -> None:
    folder = write_replay(tmp_path / 'one', random_records(1, frames=2))
    newer = write_replay(tmp_path / 'newer', random_records(1, frames=2))
    values = json.loads((newer / 'report.json').read_text())
    (newer / 'report.json').write_text(json.dumps(values | {'schema_version': 99}))
    with pytest.raises(EvaluationError, match=r'newer/report\.json has schema_version 99'):
        compared(folder, newer)


def test_classes_beyond_the_label_set_are_refused(tmp_path) -> None:
    folder = write_replay(tmp_path / 'one', random_records(1, frames=2))
    text = (folder / 'frames.jsonl').read_text()
    (folder / 'frames.jsonl').write_text(text.replace('"quality":[[0', '"quality":[[7'))
    with pytest.raises(EvaluationError, match="does not fit the label set 'small' with 3 classes"):
        compared(folder, folder)


def test_a_comparison_survives_its_file(tmp_path, by_hand) -> None:
    result = compared(*by_hand)
    write_comparison(result, tmp_path)
    assert read_comparison(tmp_path) == result
    assert read_comparison(tmp_path / 'this') is None


@pytest.mark.parametrize(
    'text',
    ['', '[]', '{"schema_version": 1}', '{"schema_version": 2}', '{"schema_version": 2, "a": 0}'],
)
def test_damaged_comparisons_are_refused(tmp_path, text: str) -> None:
    (tmp_path / 'comparison.json').write_text(text)
    with pytest.raises(EvaluationError, match='compar'):
        read_comparison(tmp_path)


@pytest.mark.parametrize(
    ('low', 'high', 'higher_is_better', 'verdict'),
    [
        (0.5, 2.0, True, 'better'),
        (0.5, 2.0, False, 'worse'),
        (-2.0, -0.5, True, 'worse'),
        (-2.0, -0.5, False, 'better'),
        (-0.5, 2.0, True, 'unclear'),
        (0.0, 2.0, True, 'unclear'),
        (None, None, True, 'none'),
    ],
)
def test_only_an_interval_beside_zero_is_a_verdict(low, high, higher_is_better, verdict) -> None:
    assert Difference(1.0, 0.0, 1.0, low, high, higher_is_better).verdict == verdict


def test_live_and_offline_latencies_are_not_set_against_each_other(tmp_path) -> None:
    records = random_records(1, frames=3)
    folders = [
        write_replay(tmp_path / 'one', records),
        write_replay(tmp_path / 'other', records, kind='live'),
    ]
    text = comparison_text(compared(*folders))
    assert 'latencies are left out' in text and 'median' not in text


def test_the_text_has_every_class_and_the_frames(by_hand) -> None:
    text = comparison_text(compared(*by_hand))
    for words in ('road', 'sky', 'car', 'IoU [%]', '+33.33', 'frames that got better', 'better'):
        assert words in text
    assert str(by_hand[0]) in text and str(by_hand[1]) in text
    assert 'frames that got worse' not in text
