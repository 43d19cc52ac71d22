# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.bags.blue_drive import (
    IMAGE_TYPE,
    SIZE,
    blue_image,
    blue_rows,
    broken_row,
    png_row,
    raw_row,
    truth_row,
    video_row,
)
from tests.bags.small_drive import (
    FFMPEG_TYPE,
    FOXGLOVE_TYPE,
    PERIOD,
    Row,
    stamp_of,
    storage_file,
    write_rows,
)
from tests.fakes.tiny_model import write_tiny_model
from tests.images.plain_messages import encoded
from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, FrameRecord, SkippedFrame, read_frames
from upsnet_ros.evaluation.label_files import label_path
from upsnet_ros.evaluation.offline import OfflineOptions, evaluate_offline
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report
from upsnet_ros.images import video
from upsnet_ros.pipeline import PanopticPipeline

CAR = (13 << 8) + 1


@pytest.fixture(scope='module')
def pipeline(tmp_path_factory: pytest.TempPathFactory):
    path = write_tiny_model(tmp_path_factory.mktemp('model'))
    with PanopticPipeline.load(path, num_threads=1) as loaded:
        yield loaded


class Evaluator:
    """Evaluates bags of one folder."""

    def __init__(self, folder: Path, pipeline: PanopticPipeline) -> None:
        self.folder = folder
        self.pipeline = pipeline
        self.moves: list[tuple[int, int]] = []

    def __call__(self, bag: Path, name: str = 'out', **options: object) -> ReplayReport:
        asked = OfflineOptions(
            bag=bag, model=Path('model.onnx'), output=self.folder / name, **options
        )
        self.moves = []
        return evaluate_offline(
            asked, self.pipeline, lambda done, total: self.moves.append((done, total))
        )

    def lines(self, name: str = 'out') -> list[FrameRecord | SkippedFrame]:
        return list(read_frames(self.folder / name / FRAMES_FILE))

    def labels(self, index: int, name: str = 'out', camera: str = 'camera') -> np.ndarray:
        path = label_path(self.folder / name, camera, stamp_of(index))
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.fixture
def evaluate(tmp_path: Path, pipeline: PanopticPipeline) -> Evaluator:
    return Evaluator(tmp_path, pipeline)


def predicted(pipeline: PanopticPipeline, index: int) -> np.ndarray:
    """What the pipeline of the node says of a frame."""
    return pipeline.process(blue_image(index)).panoptic.label_image


def drive_with_truth(pipeline: PanopticPipeline, frames: int, every: int = 1) -> list[Row]:
    """Images with the truth that the model is right about, but for one frame in four."""
    rows = []
    for index in range(frames):
        rows.append(png_row(index))
        truth = predicted(pipeline, index).copy()
        if index % 4 == 3:
            truth[truth == CAR] = 0
        if index % every == 0:
            rows.append(truth_row(index, truth))
    return rows


def timeless(line: FrameRecord | SkippedFrame) -> FrameRecord | SkippedFrame:
    return replace(line, ms={}) if isinstance(line, FrameRecord) else line


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('compression', ['none', 'message'])
@pytest.mark.parametrize('row', [png_row, raw_row], ids=['compressed images', 'raw images'])
def test_labels_are_those_of_the_pipeline_of_the_node(
    tmp_path: Path,
    evaluate: Evaluator,
    storage: str,
    compression: str,
    row: Callable[[int], Row],
) -> None:
    rows = [row(index) for index in range(8)]
    bag = write_rows(tmp_path / 'bag', rows, storage=storage, compression=compression)
    report = evaluate(bag, write_png=True)
    assert (report.total.frames, report.total.decoded, report.bag.storage) == (8, 8, storage)
    for index in range(8):
        labels = evaluate.labels(index)
        assert labels.dtype == np.uint16 and CAR in labels
        np.testing.assert_array_equal(labels, predicted(evaluate.pipeline, index))
    assert evaluate.moves == [(done, 8) for done in range(9)]


COUNT, EVERY = 14, 5
PACKETS = encoded([blue_image(index) for index in range(COUNT)], every=EVERY)
VIDEO_TYPES = (IMAGE_TYPE, FFMPEG_TYPE, FOXGLOVE_TYPE)


def film_labels(pipeline: PanopticPipeline) -> list[np.ndarray]:
    """What the pipeline says of the pictures that a decoder of FFmpeg makes of the packets."""
    decoder = av.CodecContext.create('h264', 'r')
    frames = [frame for data in PACKETS for frame in decoder.decode(av.Packet(data))]
    pictures = [cv2.cvtColor(f.to_ndarray(), cv2.COLOR_YUV2BGR_I420) for f in frames]
    assert len(pictures) == COUNT
    return [pipeline.process(picture).panoptic.label_image for picture in pictures]


def film_rows(kind: str, *, camera: str = 'camera', lost: tuple[int, ...] = ()) -> list[Row]:
    return [
        video_row(index, data, kind, camera=camera)
        for index, data in enumerate(PACKETS)
        if index not in lost
    ]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3', 'no definitions'])
@pytest.mark.parametrize('kind', VIDEO_TYPES)
def test_each_picture_of_video_is_labelled(
    tmp_path: Path, evaluate: Evaluator, kind: str, storage: str
) -> None:
    bag = write_rows(
        tmp_path / 'bag', film_rows(kind), storage='mcap' if storage == 'mcap' else 'sqlite3'
    )
    if storage == 'no definitions':  # as recorded before ROS 2 Iron
        with sqlite3.connect(storage_file(bag)) as base:
            base.execute('DELETE FROM message_definitions')
        base.close()
    report = evaluate(bag, write_png=True)
    assert list(report.cameras) == ['camera']
    assert (report.total.frames, report.total.decoded) == (COUNT, COUNT)
    expected = film_labels(evaluate.pipeline)
    assert len({labels.tobytes() for labels in expected}) > 4
    for index in range(COUNT):
        np.testing.assert_array_equal(evaluate.labels(index), expected[index])


@pytest.mark.parametrize('kind', VIDEO_TYPES)
def test_of_a_part_of_a_film_each_picture_is_the_one_of_the_whole(
    tmp_path: Path, evaluate: Evaluator, kind: str
) -> None:
    bag = write_rows(tmp_path / 'bag', film_rows(kind))
    part = BagPart(start_s=0.3, stride=3)
    report = evaluate(bag, part=part, write_png=True)
    expected = film_labels(evaluate.pipeline)
    # From 3 on every third; the one before the next key frame, 5, has no picture.
    assert [s.stamp_ns for s in report.total.skipped] == [stamp_of(3)]
    assert 'joined in its middle' in report.total.skipped[0].problem
    assert [line.stamp_ns for line in evaluate.lines()][1:] == [stamp_of(i) for i in (6, 9, 12)]
    for index in (6, 9, 12):
        np.testing.assert_array_equal(evaluate.labels(index), expected[index])


@pytest.mark.parametrize('frames', [1, 7, 12])
def test_an_interrupted_run_over_video_goes_on_and_ends_the_same(
    tmp_path: Path, evaluate: Evaluator, frames: int
) -> None:
    bag = write_rows(tmp_path / 'bag', film_rows(FOXGLOVE_TYPE, lost=(8,)))
    whole = evaluate(bag, 'whole', write_png=True)
    assert [s.stamp_ns for s in whole.total.skipped] == [stamp_of(9)]
    interrupted_after(evaluate, frames, bag, write_png=True)
    report = evaluate(bag, write_png=True)
    assert [*map(timeless, evaluate.lines())] == [*map(timeless, evaluate.lines('whole'))]
    assert report.total.stability == whole.total.stability


def test_what_a_film_lost_is_counted_and_costs_no_other_camera(
    tmp_path: Path, evaluate: Evaluator
) -> None:
    rows = film_rows(FFMPEG_TYPE, camera='film', lost=(6,)) + blue_rows(COUNT, camera='other')
    rows[1] = (*rows[1][:3], b'\x00\x01\x00\x00nothing')
    bag = write_rows(tmp_path / 'bag', sorted(rows, key=lambda row: row[2]))
    report = evaluate(bag, write_png=True)
    film, other = (report.cameras[name] for name in ('film', 'other'))
    assert (other.frames, other.decoded) == (COUNT, COUNT)
    lost = [s.stamp_ns for s in film.skipped]
    assert lost[1:] == [stamp_of(i) for i in (2, 3, 4, 7, 8, 9)]
    assert film.decoded == COUNT - 1 - 7
    reasons = [s.problem for s in film.skipped]
    assert all('it is shown from the next key frame on' in reason for reason in reasons[1:])
    assert 'cannot be read' in reasons[1] and 'are missing' in reasons[4]
    expected = film_labels(evaluate.pipeline)
    for index in (0, 5, 10, 13):
        np.testing.assert_array_equal(evaluate.labels(index, camera='film'), expected[index])


def test_without_pyav_the_error_says_what_to_install(
    tmp_path: Path, evaluate: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, 'pyav', lambda: None)
    bag = write_rows(tmp_path / 'bag', film_rows(FOXGLOVE_TYPE))
    with pytest.raises(EvaluationError, match='none of 14 images .* pip install av'):
        evaluate(bag)


def test_quality_is_that_of_all_frames_with_truth(tmp_path: Path, evaluate: Evaluator) -> None:
    rows = drive_with_truth(evaluate.pipeline, 8)
    report = evaluate(write_rows(tmp_path / 'bag', sorted(rows, key=lambda row: row[2])))
    quality = PanopticQuality(evaluate.pipeline.label_set)
    for index in range(8):
        labels = predicted(evaluate.pipeline, index)
        truth = labels.copy()
        if index % 4 == 3:
            truth[truth == CAR] = 0
        quality.update(labels, truth)
    expected = quality.summary()
    assert report.total.pq == expected.to_dict()
    assert 50 < expected.all.pq < 100
    car = report.total.pq['per_class'][13]
    assert (car['true_positives'], car['false_positives']) == (6, 2)
    assert 50 < report.total.miou['miou'] < 100
    assert report.total.truth_frames == 8 and report.total.truth_unmatched == 0
    assert report.total.stability['steps'] == 7
    assert report.total.confidence['mean'] == pytest.approx(0.9)
    series = report.cameras['camera'].series
    assert [point.stamp_ns for point in series] == [stamp_of(i) for i in range(8)]
    assert series[3].pq < series[2].pq == 100.0
    assert read_report(tmp_path / 'out') == report


def test_sparse_truth_and_truth_without_an_image(tmp_path: Path, evaluate: Evaluator) -> None:
    rows = drive_with_truth(evaluate.pipeline, 9, every=4)
    rows.append(truth_row(50, predicted(evaluate.pipeline, 0)))
    report = evaluate(write_rows(tmp_path / 'bag', rows))
    assert (report.total.truth_frames, report.total.truth_unmatched) == (3, 1)
    assert [line.index for line in evaluate.lines() if line.has_truth] == [0, 4, 8]
    assert report.total.pq['all']['pq'] == 100.0


def test_without_truth_there_is_no_quality_but_stability(
    tmp_path: Path, evaluate: Evaluator
) -> None:
    rows = drive_with_truth(evaluate.pipeline, 4)
    report = evaluate(write_rows(tmp_path / 'bag', rows), truths=('none',))
    assert report.total.pq is None and report.total.miou is None
    assert report.total.truth_frames == 0
    # The horizon sinks by 4 rows. The first and the last of them touch a border; two are left,
    # 96 columns wide but for the 32 of the car and what touches it.
    flips = [line.step.flipped for line in evaluate.lines() if line.step is not None]
    assert len(set(flips)) == 1 and len(flips) == 3 and 2 * 56 < flips[0] <= 2 * 62
    judged = sum(line.step.judged for line in evaluate.lines() if line.step is not None)
    assert report.total.stability['flip_share'] == pytest.approx(sum(flips) / judged)
    assert report.total.stability['births_per_second'] == 0.0
    assert report.total.unknown_share == 0.0


@pytest.mark.parametrize('kind', ['size', 'label', 'encoding'])
def test_truth_that_cannot_be_used_is_counted(
    tmp_path: Path, evaluate: Evaluator, kind: str
) -> None:
    rows = drive_with_truth(evaluate.pipeline, 3)
    spoiled = {
        'size': np.zeros((10, 10), np.uint16),
        'label': np.full(SIZE, 77 << 8, np.uint16),
        'encoding': np.zeros(SIZE, np.uint16),
    }[kind]
    rows[3] = truth_row(1, spoiled)
    if kind == 'encoding':
        rows[3][3].encoding = 'rgb8'
    report = evaluate(write_rows(tmp_path / 'bag', rows))
    assert (report.total.decoded, report.total.truth_frames) == (3, 2)
    (problem,) = report.total.truth_problems
    assert problem.stamp_ns == stamp_of(1) and problem.problem
    assert report.total.pq['all']['pq'] == 100.0


def test_instance_ids_are_truth_too(tmp_path: Path, evaluate: Evaluator) -> None:
    labels = predicted(evaluate.pipeline, 0)
    ids = np.select([labels == CAR, labels == 10 << 8], [26003, 23], 7).astype(np.uint16)
    bag = write_rows(tmp_path / 'bag', [png_row(0), truth_row(0, ids)])
    report = evaluate(bag, truth_format='instance_ids')
    assert report.total.pq['all']['pq'] == 100.0 and report.total.miou['miou'] == 100.0


def test_broken_images_are_skipped_and_counted(tmp_path: Path, evaluate: Evaluator) -> None:
    rows = blue_rows(6)
    rows[2] = broken_row(2)
    topic, kind, recorded, _ = rows[4]
    rows[4] = (topic, kind, recorded, b'\x00\x01\x00\x00nothing')
    report = evaluate(write_rows(tmp_path / 'bag', rows))
    assert (report.total.frames, report.total.decoded) == (6, 4)
    assert [s.stamp_ns for s in report.cameras['camera'].skipped][0] == stamp_of(2)
    assert 'expected a JPEG, PNG or TIFF file' in report.total.skipped[0].problem
    assert len(report.total.skipped) == 2
    # Frames on both sides of a broken one are compared, over the time between them.
    steps = [line.step.seconds for line in evaluate.lines() if getattr(line, 'step', None)]
    assert steps == pytest.approx([0.1, 0.2, 0.2])


def test_when_no_image_can_be_labelled_there_is_an_error_not_a_report(
    tmp_path: Path, evaluate: Evaluator
) -> None:
    bag = write_rows(tmp_path / 'bag', [broken_row(i) for i in range(3)])
    with pytest.raises(
        EvaluationError, match='none of 3 images .* expected a JPEG, PNG or TIFF file'
    ):
        evaluate(bag)
    assert not (tmp_path / 'out' / 'report.json').exists()
    with pytest.raises(EvaluationError, match='none of 0 images'):
        evaluate(write_rows(tmp_path / 'whole', blue_rows(2)), 'late', part=BagPart(start_s=9.0))


def test_many_cameras_are_evaluated_side_by_side(tmp_path: Path, evaluate: Evaluator) -> None:
    rows = [
        row
        for i in range(4)
        for c in ('left', 'rear/right')
        for row in blue_rows(1, first=i, camera=c)
    ]
    bag = write_rows(tmp_path / 'bag', rows)
    report = evaluate(bag, write_png=True)
    assert list(report.cameras) == ['left', 'rear/right']
    assert [c.decoded for c in report.cameras.values()] == [4, 4]
    assert report.total.decoded == 8 and report.total.stability['steps'] == 6
    assert evaluate.labels(3, camera='rear/right').shape == SIZE
    only = evaluate(bag, 'one', cameras=('left',))
    assert list(only.cameras) == ['left'] and only.total.decoded == 4


def test_parts_of_a_bag_are_evaluated(tmp_path: Path, evaluate: Evaluator) -> None:
    bag = write_rows(tmp_path / 'bag', blue_rows(30))
    part = BagPart(start_s=1.0, duration_s=1.0, stride=3, limit=3)
    evaluate(bag, part=part)
    assert [line.stamp_ns for line in evaluate.lines()] == [stamp_of(i) for i in (10, 13, 16)]


def interrupted_after(evaluate: Evaluator, frames: int, bag: Path, **options: object) -> None:
    def stop(done: int, total: int) -> None:
        if done == frames:
            raise KeyboardInterrupt

    asked = OfflineOptions(
        bag=bag, model=Path('model.onnx'), output=evaluate.folder / 'out', **options
    )
    with pytest.raises(KeyboardInterrupt):
        evaluate_offline(asked, evaluate.pipeline, stop)


@pytest.mark.parametrize('frames', [1, 5, 11])
def test_an_interrupted_run_goes_on_and_ends_the_same(
    tmp_path: Path, evaluate: Evaluator, frames: int
) -> None:
    rows = drive_with_truth(evaluate.pipeline, 12)
    rows[8] = broken_row(4)
    bag = write_rows(tmp_path / 'bag', rows)
    whole = evaluate(bag, 'whole', write_png=True, write_panoptic=True)
    interrupted_after(evaluate, frames, bag, write_png=True, write_panoptic=True)
    assert len(evaluate.lines()) == frames
    with (tmp_path / 'out' / FRAMES_FILE).open('a') as file:
        file.write('{"camera":"camera","index":99')  # cut off in the middle of a line
    report = evaluate(bag, write_png=True, write_panoptic=True)
    assert evaluate.moves[0] == (frames, 12)
    segments = [json.loads((tmp_path / n / 'panoptic.json').read_text()) for n in ('out', 'whole')]
    assert segments[0] == segments[1] and len(segments[0]['annotations']) == 11
    assert [*map(timeless, evaluate.lines())] == [*map(timeless, evaluate.lines('whole'))]
    assert report.total.pq == whole.total.pq and report.total.stability == whole.total.stability
    assert report.speed['frames'] in (12 - frames, 12 - frames + 1, 12 - frames - 1)
    assert report.worst == whole.worst
    pictures = {p for frame in report.worst for p in frame.pictures.values()}
    found = {str(p.relative_to(tmp_path / 'out')) for p in (tmp_path / 'out/worst').iterdir()}
    assert pictures == found and pictures


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'part': BagPart(stride=2)}, 'part.stride: 1 there, 2 now'),
        ({'write_png': True}, 'write_png'),
        ({'truth_format': 'instance_ids'}, 'truth_format'),
        ({'cameras': ('left',)}, 'cameras'),
    ],
)
def test_frames_of_another_evaluation_are_not_added_to(
    tmp_path: Path, evaluate: Evaluator, change: dict, named: str
) -> None:
    rows = [*blue_rows(3, camera='left'), *blue_rows(3, camera='right')]
    bag = write_rows(tmp_path / 'bag', rows)
    evaluate(bag)
    with pytest.raises(EvaluationError, match=f'(?s){named}.*--restart'):
        evaluate(bag, **change)
    assert evaluate(bag, restart=True, **change).total.decoded >= 3


def test_frames_of_another_bag_or_model_are_not_added_to(
    tmp_path: Path, evaluate: Evaluator
) -> None:
    bag = write_rows(tmp_path / 'bag', blue_rows(3))
    evaluate(bag)
    shutil.rmtree(bag)
    write_rows(bag, blue_rows(4))
    with pytest.raises(EvaluationError, match='bag.messages: 3 there, 4 now'):
        evaluate(bag)
    evaluate(bag, restart=True)
    thresholds = dict(evaluate.pipeline.thresholds)
    evaluate.pipeline.set_thresholds(score_threshold=0.7)
    try:
        with pytest.raises(EvaluationError, match='score_threshold: 0.6 there, 0.7 now'):
            evaluate(bag)
    finally:
        evaluate.pipeline.set_thresholds(score_threshold=thresholds['score_threshold'])


def test_a_restart_removes_what_a_run_wrote_and_nothing_else(
    tmp_path: Path, evaluate: Evaluator
) -> None:
    bag = write_rows(tmp_path / 'bag', drive_with_truth(evaluate.pipeline, 8))
    evaluate(bag, write_png=True, write_panoptic=True)
    out = tmp_path / 'out'
    (out / 'notes.txt').write_text('mine')
    assert (out / 'worst').is_dir() and (out / 'labels').is_dir()
    (out / 'compared').mkdir()  # pictures of a comparison
    evaluate(bag, restart=True, part=BagPart(limit=2))
    assert {path.name for path in out.iterdir()} == {'frames.jsonl', 'report.json', 'notes.txt'}
    (out / 'frames.jsonl').write_text('{"frames_version": 99}\n')
    with pytest.raises(EvaluationError, match='another version of this package'):
        evaluate(bag)
    evaluate(bag, restart=True)
    (out / 'frames.jsonl').write_text('mine, too')
    with pytest.raises(EvaluationError, match='was not written by an evaluation'):
        evaluate(bag, restart=True)
    assert (out / 'report.json').exists()


def test_a_report_of_something_else_is_not_replaced(tmp_path: Path, evaluate: Evaluator) -> None:
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'report.json').write_text(json.dumps({'frames_sent': 3}))
    with pytest.raises(EvaluationError, match=r'holds a report\.json of something else'):
        evaluate(write_rows(tmp_path / 'bag', blue_rows(2)))


def test_the_worst_frames_have_pictures(tmp_path: Path, evaluate: Evaluator) -> None:
    rows = drive_with_truth(evaluate.pipeline, 40)
    report = evaluate(write_rows(tmp_path / 'bag', rows))
    assert 2 <= len(report.worst) <= 6
    assert [frame.pq for frame in report.worst] == sorted(frame.pq for frame in report.worst)
    assert (report.worst[0].stamp_ns - stamp_of(0)) // PERIOD % 4 == 3
    for kind in ('image', 'labels', 'truth', 'difference'):
        picture = cv2.imread(str(tmp_path / 'out' / report.worst[0].pictures[kind]))
        assert picture.shape == (*SIZE, 3)


def test_unknown_pixels_are_told_over_time(tmp_path: Path, evaluate: Evaluator) -> None:
    evaluate.pipeline.set_thresholds(stuff_area_limit=3000)
    try:
        report = evaluate(write_rows(tmp_path / 'bag', blue_rows(4)), write_png=True)
    finally:
        evaluate.pipeline.set_thresholds(stuff_area_limit=64)
    shares = [point.unknown_share for point in report.cameras['camera'].series]
    expected = [np.mean(evaluate.labels(i) == UNKNOWN_LABEL) for i in range(4)]
    assert shares == pytest.approx(expected, abs=1e-6) and max(shares) > 0.1
    assert report.total.unknown_share == pytest.approx(np.mean(expected))
