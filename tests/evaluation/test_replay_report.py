# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from upsnet_ros.bags.reader import BagFacts
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.json_lines import json_line
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.evaluation.frame_record import (
    FRAMES_FILE,
    FrameRecord,
    FrameStep,
    SkippedFrame,
    header_of,
    read_frames,
    read_header,
)
from upsnet_ros.evaluation.replay_report import (
    CameraFigures,
    LatencyFigures,
    ModelFacts,
    ReplayReport,
    SeriesPoint,
    SkippedMessage,
    WorstFrame,
    read_report,
    write_report,
)

FIGURES = CameraFigures(
    frames=2,
    decoded=1,
    skipped=(SkippedMessage(7, 'no picture'),),
    truth_frames=0,
    truth_problems=(),
    truth_unmatched=0,
    pq=None,
    miou=None,
    stability=None,
    unknown_share=0.25,
    confidence={'counts': [0, 1], 'mean': 0.75},
    latency_ms=LatencyFigures(10.0, 11.0, 12.0, 10.5),
    drops=0,
    series=(SeriesPoint(5, None, 0.25, 10.0),),
)
REPORT = ReplayReport(
    kind='offline',
    command='python -m upsnet_ros.evaluation.replay drive',
    bag=BagFacts('drive', 'mcap', 1.5, 2, ('cut off',)),
    model=ModelFacts('model.onnx', '0' * 64, 'tiny', 'onnxruntime', 'cpu', 'fp32'),
    label_set=cityscapes_label_set(),
    cameras={'camera': FIGURES},
    total=FIGURES,
    speed={'network_share': 0.9},
    environment={'cores': 2},
    options={'stride': 1},
    worst=(WorstFrame('camera', 5, None, 0.25, {'image': 'worst/5_image.jpg'}),),
)
RECORD = FrameRecord(
    camera='camera',
    index=3,
    stamp_ns=2_000_000_005,
    ms={'total': 12.5},
    unknown_share=0.125,
    scores=((17.0, 2.0),),
    mean_score=0.88,
    pq=62.5,
    quality=((13, 0.625, 1, 0, 0),),
    confusion=((13, 255, 40), (13, 13, 60)),
    step=FrameStep(0.1, 100, 4, 1, 0, ((13, 4, 60),)),
)


def test_a_written_report_reads_back_the_same(tmp_path: Path) -> None:
    path = write_report(REPORT, tmp_path)
    assert read_report(path) == REPORT
    assert read_report(tmp_path) == REPORT
    assert [file.name for file in tmp_path.iterdir()] == ['report.json']


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    bad = ReplayReport(**{**vars(REPORT), 'speed': {'network_share': float('nan')}})
    with pytest.raises(ValueError):
        write_report(bad, tmp_path)
    assert not (tmp_path / 'report.json').exists()


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda v: v.update(schema_version=99), 'schema_version 99, expected 2'),
        (lambda v: v.pop('bag'), 'bag'),
        (lambda v: v.update(surprise=1), r"unknown \['surprise'\]"),
        (lambda v: v.update(kind='dreamt'), 'expected offline or live'),
        (lambda v: v['total'].pop('drops'), r"CameraFigures lacks \['drops'\]"),
        (lambda v: v.update(cameras=[]), 'malformed'),
        (lambda v: v['label_set'].pop('classes'), 'label set is malformed'),
    ],
)
def test_a_report_that_is_none_is_refused_with_the_field(
    tmp_path: Path, spoil: Callable[[dict], None], message: str
) -> None:
    path = write_report(REPORT, tmp_path)
    values = json.loads(path.read_text())
    spoil(values)
    path.write_text(json.dumps(values))
    with pytest.raises(EvaluationError, match=message):
        read_report(tmp_path)


@pytest.mark.parametrize('content', [None, 'no json', '[]'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / 'report.json').write_text(content)
    with pytest.raises(EvaluationError):
        read_report(tmp_path)


def test_frames_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / FRAMES_FILE
    skipped = SkippedFrame('camera', 4, 9, 'no picture')
    bare = FrameRecord('rear', 0, 1, {'total': 1.0}, 0.0)
    path.write_text(
        json_line(header_of({'stride': 2}))
        + json_line(RECORD.to_json())
        + json_line(skipped.to_json())
        + json_line(bare.to_json())
    )
    assert read_header(path) == {'stride': 2}
    assert list(read_frames(path)) == [RECORD, skipped, bare]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / FRAMES_FILE
    whole = json_line(RECORD.to_json())
    path.write_text(json_line(header_of({})) + whole[: len(whole) // 2] + '\n' + whole + whole[:9])
    assert list(read_frames(path)) == [RECORD]


@pytest.mark.parametrize('content', [None, '', '{}\n', 'x\n', '{"frames_version": 99}\n'])
def test_frames_without_a_header_are_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / FRAMES_FILE
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvaluationError, match='again'):
        list(read_frames(path))
