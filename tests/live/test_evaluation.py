# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A drive played into the real node over DDS and evaluated; its network is a look at colours."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import pytest

from tests.bags.blue_drive import IMAGE_TYPE, video_row
from tests.bags.small_drive import (
    FFMPEG_TYPE,
    FOXGLOVE_TYPE,
    header,
    image_row,
    label_row,
    labels_by_colour,
    stamp_of,
    truth_of,
    truth_row,
    write_drive,
    write_rows,
)
from tests.images.plain_messages import encoded
from tests.live.rig import LIVE_SPEED, camera_rows, evaluate, offline_pq
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_record import NO_LABEL, FrameRecord, read_frames
from upsnet_ros.evaluation.replay_report import read_report

pytestmark = pytest.mark.usefixtures('colour_node')


def test_where_every_frame_is_answered_the_quality_is_that_of_the_labels(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=8, truth_every=2)
    # Every image has its turn, so a busy machine loses none.
    assert evaluate(bag, model_path, '--process-all', '--require', 'drops==0') == 0
    report = read_report(tmp_path / 'out')
    total, speed = report.total, report.speed
    assert (report.kind, total.frames, total.decoded, total.drops) == ('live', 8, 8, 0)
    assert total.truth_frames == 4 and total.stability['steps'] == 7
    assert total.pq['all']['pq'] == offline_pq(bag, frames=range(0, 8, 2))
    frames = list(read_frames(tmp_path / 'out' / 'frames.jsonl'))
    assert [frame.stamp_ns for frame in frames] == [stamp_of(i) for i in range(8)]
    for frame in frames:
        assert isinstance(frame, FrameRecord)
        assert (frame.ms['inference'], frame.ms['panoptic_head']) == (2.0, 3.0)
        assert frame.ms['total'] >= frame.ms['wait'] >= 0
    assert set(speed) == set(LIVE_SPEED)
    assert (speed['rate'], speed['player'], speed['frames']) == (1.0, 'own', 8)
    assert (speed['dropped_by_node'], speed['lost_on_the_way']) == (0, 0)
    assert speed['node_cpu_percent'] > 0 and speed['node_cpu_ms_per_frame'] > 0
    assert speed['node_peak_mb'] > 30 and speed['wall_s'] > 0.5
    assert (report.model.backend, report.model.name) == ('colour', 'fake')
    assert report.options['parameters'] == {'process_all': True}
    told = capsys.readouterr().out
    assert '8 of 8 · 0 dropped' in told and 'CPU' in told
    assert (tmp_path / 'out' / 'report.html').stat().st_size > 1000


@pytest.mark.parametrize('kind', [IMAGE_TYPE, FFMPEG_TYPE, FOXGLOVE_TYPE])
def test_video_in_any_message_is_played_as_what_the_node_reads_without_its_package(
    tmp_path: Path, model_path: Path, kind: str
) -> None:
    count = 8
    jpegs = [image_row(index)[-1].data for index in range(count)]
    packets = encoded([cv2.imdecode(data, cv2.IMREAD_COLOR) for data in jpegs], every=3)
    rows = [video_row(index, data, kind) for index, data in enumerate(packets)]
    truth = [truth_row(index) for index in range(count)]
    bag = write_rows(tmp_path / 'drive', [*rows, *truth])
    assert evaluate(bag, model_path, '--process-all') == 0
    report = read_report(tmp_path / 'out')
    assert (report.total.decoded, report.total.truth_frames) == (count, count)
    decoder, quality = av.CodecContext.create('h264', 'r'), PanopticQuality(cityscapes_label_set())
    frames = [frame for data in packets for frame in decoder.decode(av.Packet(data))]
    for index, frame in enumerate(frames):
        picture = cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2BGR_I420)
        quality.update(labels_by_colour(picture), truth_of(index))
    assert report.total.pq['all']['pq'] == quality.summary().all.pq > 0


def test_a_slow_node_drops_frames_and_the_report_says_when(
    tmp_path: Path,
    model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv('COLOUR_NODE_DELAY_S', '0.35')
    bag = write_drive(tmp_path / 'drive', frames=12)
    requirement = ('--require', 'drop_share<=0.1', '--require', 'node_peak_mb<=1')
    assert evaluate(bag, model_path, *requirement) == 2
    report = read_report(tmp_path / 'out')
    total = report.total
    assert 1 <= total.decoded < 12 and total.drops == 12 - total.decoded
    assert {each.problem for each in total.skipped} == {NO_LABEL}
    assert report.speed['dropped_by_node'] + report.speed['lost_on_the_way'] == total.drops
    # Flips are measured only between frames that follow each other in the drive.
    lines = list(read_frames(tmp_path / 'out' / 'frames.jsonl'))
    for before, line in zip(lines, lines[1:], strict=False):
        if isinstance(line, FrameRecord):
            assert (line.step is not None) == isinstance(before, FrameRecord)
    told = capsys.readouterr()
    assert 'Requirement missed: drop_share <= 0.1' in told.err and 'node_peak_mb <= 1' in told.err
    assert 'dropped by the node' in told.out


def test_a_part_of_two_cameras_is_joined_each_with_its_own(
    tmp_path: Path, model_path: Path
) -> None:
    rows = camera_rows('front', frames=range(12)) + camera_rows('rear', frames=range(6, 18))
    bag = write_rows(tmp_path / 'drive', sorted(rows, key=lambda row: row[2]))
    part = ('--cameras', 'front,rear', '--start', '0.5', '--duration', '0.6')
    assert evaluate(bag, model_path, '--process-all', *part) == 0
    report = read_report(tmp_path / 'out')
    for name, played in (('front', range(5, 11)), ('rear', range(6, 11))):
        figures = report.cameras[name]
        assert [point.stamp_ns for point in figures.series] == [stamp_of(i) for i in played]
        assert figures.truth_frames == len(played) and figures.pq['all']['pq'] > 95


def test_parameters_of_a_file_reach_the_node(tmp_path: Path, model_path: Path) -> None:
    file = tmp_path / 'params.yaml'
    file.write_text('/**:\n  ros__parameters:\n    publish_timing: false\n    max_rate: 4.0\n')
    bag = write_drive(tmp_path / 'drive', frames=8)
    assert evaluate(bag, model_path, '--params-file', str(file)) == 0
    lines = list(read_frames(tmp_path / 'out' / 'frames.jsonl'))
    assert all(set(line.ms) == {'total'} for line in lines if isinstance(line, FrameRecord))
    # 10 Hz came, 4 Hz were let in.
    assert read_report(tmp_path / 'out').total.drops >= 3


def test_a_report_is_kept_unless_it_shall_be_thrown_away(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=2)
    assert evaluate(bag, model_path, '--process-all') == 0
    before = (tmp_path / 'out' / 'report.json').read_text()
    assert evaluate(bag, model_path) == 1
    assert '--restart to throw it away' in capsys.readouterr().err
    assert (tmp_path / 'out' / 'report.json').read_text() == before
    again = ('--process-all', '--restart', '--against', str(tmp_path / 'old'))
    (tmp_path / 'out').rename(tmp_path / 'old')
    (tmp_path / 'out').mkdir()  # one of an older version, which cannot be read
    (tmp_path / 'out' / 'frames.jsonl').write_text('{"frames_version": 0}\n')
    assert evaluate(bag, model_path, *again) == 0
    comparison = json.loads((tmp_path / 'out' / 'comparison.json').read_text())
    assert comparison['frames']['both'] == 2 and comparison['totals']['pq']['difference'] == 0


def test_what_is_left_out_and_what_cannot_be_joined_is_told(
    tmp_path: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = camera_rows('front', frames=range(3))
    for *_, message in rows:
        message.header = header(0)
    other = label_row('/front/depth/image_raw', truth_of(0), stamp_ns=7, recorded_ns=stamp_of(0))
    bag = write_rows(tmp_path / 'drive', [other, *rows])
    assert evaluate(bag, model_path, '--process-all') == 0
    report = read_report(tmp_path / 'out')
    assert (report.total.decoded, report.total.truth_frames) == (3, 0)
    assert report.total.truth_unmatched == 1  # they share one stamp
    told = ' '.join(capsys.readouterr().out.split())
    for place in (' '.join(report.bag.notes), told, (tmp_path / 'out/report.html').read_text()):
        assert 'the images of front have no stamps (0)' in place
        assert 'image topics that were left out: /front/depth/image_raw' in place
