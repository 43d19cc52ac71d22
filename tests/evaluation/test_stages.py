# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from tests.bags.blue_drive import IMAGE_TYPE, blue_image, blue_rows, video_row
from tests.bags.small_drive import FOXGLOVE_TYPE, T, header, stamp_of, write_rows
from tests.fakes.fake_backend import FakeBackend, make_manifest
from tests.images.plain_messages import encoded
from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import PANOPTIC
from upsnet_ros.core.errors import EvaluationError, ModelError
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.evaluation import offline
from upsnet_ros.evaluation.offline import OfflineOptions, evaluate_offline
from upsnet_ros.evaluation.replay_report import ReplayReport
from upsnet_ros.evaluation.stages import SPARE, FrameSource, staged
from upsnet_ros.pipeline import PanopticPipeline


def test_several_workers_keep_the_order_and_work_at_once() -> None:
    meeting = threading.Barrier(3)

    def meet(item: int) -> int:
        meeting.wait(60)
        return item

    assert list(staged(meet, range(30), name='three', workers=3)) == list(range(30))


def test_stages_run_beside_each_other() -> None:
    later = threading.Event()

    def first(item: int) -> int:
        if item == 1:
            later.set()
        return item

    def second(item: int) -> int:
        assert later.wait(60)  # the first stage works on the next item meanwhile
        return item

    assert list(staged(second, staged(first, range(4), name='one'), name='two')) == [0, 1, 2, 3]


def test_pictures_of_video_may_be_asked_for_in_any_order(tmp_path: Path) -> None:
    """Threads ask for those on their way in some disorder, and a comparison for few of many."""
    pictures = [blue_image(index) for index in range(40)]
    packets = encoded(pictures, every=20)
    rows = [video_row(index, data, FOXGLOVE_TYPE) for index, data in enumerate(packets)]
    with BagReader(write_rows(tmp_path / 'bag', rows)) as bag:
        cameras = find_cameras(bag)
        frames = list(ReplayStream(bag, cameras, part=BagPart()))
        source = FrameSource(
            bag, cameras, truth_format=PANOPTIC, label_set=cityscapes_label_set(), part=BagPart()
        )
        once = [source.image(frame)[0] for frame in frames]
        assert len({picture.tobytes() for picture in once}) > 5
        for index in (39, 38, 36, 37, 0, 3, 2, 1, 30, 25, 12):
            np.testing.assert_array_equal(source.image(frames[index])[0], once[index])
        disorder = np.random.default_rng(1).permutation(40).tolist()
        answers = staged(lambda i: source.image(frames[i])[0], disorder, name='any', workers=4)
        for index, picture in zip(disorder, answers, strict=True):
            np.testing.assert_array_equal(picture, once[index])


def test_a_stage_is_only_so_far_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = staged(str, staged(str, items(), name='one', workers=2), name='two')
    next(results)
    assert len(taken) <= (2 * 2 + SPARE) + (2 + SPARE)
    results.close()


@pytest.mark.parametrize('workers', [1, 3])
def test_an_error_comes_where_its_result_would_have_come(workers: int) -> None:
    def refuse_three(item: int) -> int:
        if item == 3:
            raise ValueError('three')
        return item

    numbers = staged(refuse_three, range(9), name='one', workers=workers)
    results = staged(str, numbers, name='two', workers=workers)
    assert [next(results) for _ in range(3)] == ['0', '1', '2']
    with pytest.raises(ValueError, match='three'):
        next(results)


def test_an_error_of_the_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError('gone')

    results = staged(str, items(), name='items')
    assert next(results) == '1'
    with pytest.raises(OSError, match='gone'):
        next(results)


@pytest.mark.parametrize('workers', [1, 3])
def test_giving_up_ends_all_threads_and_closes_the_source(workers: int) -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield (number := number + 1)
        finally:
            closed.set()

    before = threading.active_count()
    numbers = staged(abs, endless(), name='one', workers=workers)
    results = staged(str, numbers, name='two', workers=workers)
    assert next(results) == '1'
    results.close()
    assert closed.wait(60)
    assert threading.active_count() == before


def evaluate(bag: Path, backend: FakeBackend, **options: object) -> ReplayReport:
    progress = options.pop('progress', lambda done, total: None)
    asked = OfflineOptions(bag=bag, model=Path('none'), output=bag.parent / 'out', **options)
    manifest = make_manifest(input_size=backend.input_size)
    with PanopticPipeline(backend, manifest) as pipeline:
        return evaluate_offline(asked, pipeline, progress)


def test_many_threads_beside_the_network_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = write_rows(tmp_path / 'bag', blue_rows(40))
    one = evaluate(bag, FakeBackend())
    monkeypatch.setattr(offline, 'stage_workers', lambda: 4)
    four = evaluate(bag, FakeBackend(), restart=True)
    assert four.total.stability == one.total.stability and four.total.decoded == 40
    stamps = [point.stamp_ns for point in four.cameras['camera'].series]
    assert stamps == [stamp_of(i) for i in range(40)]


def test_memory_does_not_grow_with_the_bag(tmp_path: Path) -> None:
    class ForgetfulBackend(FakeBackend):
        def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
            return self._answer(image_bgr)

    frames = 700
    picture = np.zeros((192, 320, 3), np.uint8)
    data = cv2.imencode('.png', picture)[1].ravel()
    rows = [
        (
            '/camera/image_raw/compressed',
            IMAGE_TYPE,
            stamp_of(i),
            T[IMAGE_TYPE](header(stamp_of(i)), 'png', data),
        )
        for i in range(frames)
    ]
    bag = write_rows(tmp_path / 'bag', rows)
    del rows
    resident = {}

    def watch(done: int, total: int) -> None:
        if done in (100, frames):
            resident[done] = psutil.Process().memory_info().rss

    report = evaluate(bag, ForgetfulBackend(), progress=watch)
    assert report.total.decoded == frames
    # Kept images would be 110 MB, kept label images 74 MB.
    assert resident[frames] - resident[100] < 30e6


def test_a_network_that_fails_ends_the_evaluation(tmp_path: Path) -> None:
    def fail(image: np.ndarray) -> NetworkOutput:
        raise ModelError('out of memory')

    class Failing(FakeBackend):
        calls = 0

        def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
            self.calls += 1
            return fail(image_bgr) if self.calls > 5 else super().infer(image_bgr)

    bag = write_rows(tmp_path / 'bag', blue_rows(9))
    with pytest.raises(ModelError, match='out of memory'):
        evaluate(bag, Failing())
    lines = (tmp_path / 'out' / 'frames.jsonl').read_text().splitlines()
    assert len(lines) == 1 + 3  # two answers of the warm-up


def test_answers_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    class Spoiling(FakeBackend):
        calls = 0

        def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
            output = super().infer(image_bgr)
            self.calls += 1
            if self.calls in self.bad:
                output.semantic_logits[0, 0, 0] = np.nan
            return output

        bad = {4, 5}

    bag = write_rows(tmp_path / 'bag', blue_rows(6))
    report = evaluate(bag, Spoiling())
    assert (report.total.decoded, len(report.total.skipped)) == (4, 2)
    assert [s.stamp_ns for s in report.total.skipped] == [stamp_of(1), stamp_of(2)]

    class AllSpoiled(Spoiling):
        bad = set(range(3, 99))

    with pytest.raises(EvaluationError, match='none of 6 images'):
        evaluate(bag, AllSpoiled(), restart=True)
