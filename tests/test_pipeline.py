# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pipeline: geometry, timing, thresholds, refusals, and the whole way with a real graph."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.fakes.fake_backend import FakeBackend, make_manifest
from tests.fakes.network_output import make_output
from tests.fakes.tiny_model import CAR, write_tiny_model
from upsnet_ros.backends.backend import available_cores
from upsnet_ros.core.compiled import share_rows
from upsnet_ros.core.errors import ImageError, ModelError, ParameterError
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.core.window import Window
from upsnet_ros.pipeline import PanopticPipeline


def fake_pipeline(**options) -> PanopticPipeline:
    return PanopticPipeline(FakeBackend(**options), make_manifest())


def one_car(image_bgr: np.ndarray) -> NetworkOutput:
    """Return a car with score 0.7 on a road, over the left half of the input."""
    logits = np.zeros((19, 16, 24), np.float32)
    logits[0], logits[CAR, :, :12] = 2.0, 4.0
    return make_output(logits, [(0.0, 0.0, 47.0, 63.0)], [CAR], [0.7], 5.0)


@pytest.mark.parametrize('asked, given', [(0, available_cores()), (1, 1), (3, 3)])
def test_as_many_threads_label_an_image_as_are_allowed(
    asked: int, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def share(work, size, *, num_threads: int) -> None:
        seen.append(num_threads)
        share_rows(work, size, num_threads=num_threads)

    monkeypatch.setattr('upsnet_ros.core.labelling.share_rows', share)
    pipeline = PanopticPipeline(FakeBackend(), make_manifest(), num_threads=asked)
    pipeline.process(np.zeros((64, 96, 3), np.uint8))
    pipeline.set_thresholds(score_threshold=0.1)
    pipeline.process(np.zeros((64, 96, 3), np.uint8))
    assert seen == [given, given]


@pytest.mark.parametrize('size', [(1, 1), (64, 96), (480, 640), (75, 33), (2, 2000)])
def test_labels_have_the_images_size(size: tuple[int, int]) -> None:
    result = fake_pipeline().process(np.zeros((*size, 3), np.uint8))
    assert result.panoptic.label_image.shape == size


def test_the_backend_sees_the_placed_image() -> None:
    backend = FakeBackend()
    pipeline = PanopticPipeline(backend, make_manifest())
    pipeline.process(np.full((64, 48, 3), 200, np.uint8))
    (seen,) = backend.images
    assert (seen[:, :48] == 200).all()
    assert (seen[:, 48:] == (103, 116, 123)).all()


@pytest.mark.parametrize('rotation', [0, 90, 180, 270])
@pytest.mark.parametrize('size', [(64, 96), (270, 480), (75, 33)])
def test_an_image_decoded_smaller_is_answered_in_the_cameras_size(
    size: tuple[int, int], rotation: int
) -> None:
    small = random_images(size)[0]
    whole = np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)
    results = []
    for image, reduction in ((whole, 1), (small, 4)):
        pipeline = fake_pipeline(answer=one_car)
        view = ImageView(rotation=rotation, reduction=reduction)
        results.append(pipeline.process(image, view).panoptic)
    expected, result = results
    assert result.label_image.shape == (4 * size[0], 4 * size[1])
    np.testing.assert_array_equal(result.label_image, expected.label_image)
    assert result.instances == expected.instances


def test_opencv_has_the_threads_of_the_pipeline() -> None:
    before = cv2.getNumThreads()
    try:
        for num_threads in (1, 3):
            PanopticPipeline(FakeBackend(), make_manifest(), num_threads=num_threads)
            assert cv2.getNumThreads() == num_threads
    finally:
        cv2.setNumThreads(before)


def test_timing_adds_up() -> None:
    timing = fake_pipeline().process(np.zeros((50, 60, 3), np.uint8)).timing_ms
    assert list(timing) == ['preprocess', 'inference', 'panoptic_head', 'total']
    parts = [timing[name] for name in ('preprocess', 'inference', 'panoptic_head')]
    assert all(part >= 0.0 for part in parts)
    assert sum(parts) == pytest.approx(timing['total'])


def test_warm_up_runs_as_often_as_asked() -> None:
    backend = FakeBackend()
    durations = PanopticPipeline(backend, make_manifest()).warm_up(4)
    assert len(durations) == len(backend.images) == 4
    assert all(duration > 0.0 for duration in durations)
    with pytest.raises(ParameterError, match='warm-up'):
        PanopticPipeline(backend, make_manifest()).warm_up(0)


@pytest.mark.parametrize(
    'image, message',
    [
        (np.zeros((0, 10, 3), np.uint8), 'at least one pixel'),
        (np.zeros((10, 0, 3), np.uint8), 'at least one pixel'),
        (np.zeros((10, 10), np.uint8), r'\[height, width, 3\]'),
        (np.zeros((10, 10, 4), np.uint8), r'\[height, width, 3\]'),
        (np.zeros((10, 10, 3), np.uint16), 'uint16'),
        (np.zeros((10, 10, 3), np.float32), 'float32'),
        (None, 'NoneType'),
    ],
)
def test_unusable_images_are_refused_and_the_next_one_is_served(
    image: object, message: str
) -> None:
    pipeline = fake_pipeline()
    with pytest.raises(ImageError, match=message):
        pipeline.process(image)
    good = pipeline.process(np.zeros((10, 10, 3), np.uint8))
    assert good.panoptic.label_image.shape == (10, 10)


def test_views_that_are_not_contiguous_are_served() -> None:
    backend = FakeBackend()
    pipeline = PanopticPipeline(backend, make_manifest())
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    pipeline.process(image[:, ::-1])
    np.testing.assert_array_equal(backend.images[0], image[:, ::-1])


def test_answers_that_are_no_numbers_are_refused_and_the_next_one_is_served() -> None:
    answers = iter([np.nan, 1.0])

    def answer(image_bgr: np.ndarray) -> NetworkOutput:
        return make_output(np.full((19, 16, 24), next(answers)))

    pipeline = fake_pipeline(answer=answer)
    image = np.zeros((64, 96, 3), np.uint8)
    with pytest.raises(ModelError, match='semantic_logits'):
        pipeline.process(image)
    assert pipeline.process(image).panoptic.label_image.shape == (64, 96)


def test_thresholds_start_as_the_manifest_says() -> None:
    pipeline = fake_pipeline()
    assert pipeline.thresholds == pipeline.manifest.panoptic_head


def test_thresholds_act_from_the_next_image_on() -> None:
    pipeline = fake_pipeline(answer=one_car)
    image = np.zeros((64, 96, 3), np.uint8)
    assert [i.class_name for i in pipeline.process(image).panoptic.instances] == ['car']
    pipeline.set_thresholds(score_threshold=0.75)
    without = pipeline.process(image).panoptic
    assert without.instances == () and without.unknown_share > 0.4
    pipeline.set_thresholds(predict_unknown=False)
    assert (pipeline.process(image).panoptic.label_image == 0).all()
    assert pipeline.thresholds['score_threshold'] == 0.75


@pytest.mark.parametrize(
    'change',
    [
        {'score_threshold': 3.0},
        {'stuff_area_limit': -5},
        {'instance_class': 'mode'},
        {'label_resolution': 'fine'},
    ],
)
def test_impossible_thresholds_change_nothing(change: dict) -> None:
    pipeline = fake_pipeline()
    before = pipeline.thresholds
    with pytest.raises(ParameterError, match=next(iter(change))):
        pipeline.set_thresholds(mask_overlap_threshold=0.9, **change)
    assert pipeline.thresholds == before


def test_thresholds_may_change_while_images_are_processed() -> None:
    # With a threshold of 0.6 the left half is a car; with 0.75 it is unknown; nothing between.
    pipeline = fake_pipeline(answer=one_car)
    image = np.zeros((64, 96, 3), np.uint8)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            pipeline.set_thresholds(score_threshold=0.75, stuff_area_limit=0)
            pipeline.set_thresholds(score_threshold=0.6, stuff_area_limit=10**6)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        seen = set()
        for _ in range(200):
            labels = pipeline.process(image).panoptic.label_image
            seen.add((int(labels[0, 0]), int(labels[0, 95])))
    finally:
        stop.set()
        thread.join()
    car = CAR << 8 | 1
    assert seen <= {(car, UNKNOWN_LABEL), (UNKNOWN_LABEL, 0)}


def test_the_whole_way_with_a_real_graph(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :, 0] = 10  # sky
    image[32:, :, 0] = 0  # road
    image[12:44, 8:40, 0] = CAR
    with PanopticPipeline.load(write_tiny_model(tmp_path), num_threads=1) as pipeline:
        pipeline.warm_up(1)
        result = pipeline.process(image).panoptic
    assert (result.label_image[13:43, 9:39] == (CAR << 8 | 1)).all()
    assert (result.label_image[:10] == 10 << 8).all()
    assert (result.label_image[50:] == 0).all()
    (car,) = result.instances
    assert car.class_name == 'car'
    assert car.area == pytest.approx(32 * 32, rel=0.15)
    assert car.box == (8.0, 12.0, 39.0, 43.0)


@pytest.mark.parametrize('size', [(64, 96), (97, 31), (1, 1), (300, 500)])
def test_stages_in_threads_of_their_own_give_what_process_gives(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(4)
    images = [rng.integers(0, 20, (*size, 3)).astype(np.uint8) for _ in range(6)]
    with (
        PanopticPipeline.load(write_tiny_model(tmp_path), num_threads=1) as pipeline,
        ThreadPoolExecutor(3) as placing,
        ThreadPoolExecutor(1) as network,
        ThreadPoolExecutor(3) as labelling,
    ):
        pipeline.set_thresholds(stuff_area_limit=5)
        placed = list(placing.map(pipeline.place, images))
        answers = list(network.map(pipeline.infer, placed))
        for image, found in zip(
            images, labelling.map(pipeline.label, answers, placed), strict=True
        ):
            expected = pipeline.process(image).panoptic
            np.testing.assert_array_equal(found.panoptic.label_image, expected.label_image)
            assert found.panoptic.instances == expected.instances
            assert found.panoptic.unknown_share == expected.unknown_share


def test_a_view_is_labelled_in_the_whole_images_place() -> None:
    pipeline = fake_pipeline(answer=one_car)
    view = ImageView(Window(10, 20, 74, 116), 180)
    image = np.random.default_rng(1).integers(0, 255, (100, 140, 3), np.uint8)
    whole = pipeline.process(image, view).panoptic
    seen = pipeline.process(view.look(image)).panoptic
    np.testing.assert_array_equal(whole.label_image, view.restore(seen, (100, 140)).label_image)
    assert whole.label_image[0, 0] == UNKNOWN_LABEL
    with pytest.raises(ImageError, match='region'):
        pipeline.process(image[:50], view)


def test_closing_closes_the_backend() -> None:
    backend = FakeBackend()
    pipeline = PanopticPipeline(backend, make_manifest())
    pipeline.close()
    pipeline.close()
    assert backend.is_closed


class BatchBackend(FakeBackend):
    """Answers several images at once."""

    def __init__(self, *, cameras: int, **options) -> None:
        super().__init__(**options)
        self.cameras = cameras
        self.runs: list[int] = []

    def infer_batch(self, images_bgr: list[np.ndarray]) -> list[NetworkOutput]:
        self.runs.append(len(images_bgr))
        return [self.infer(image) for image in images_bgr]


def random_images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    generator = np.random.default_rng(5)
    return [generator.integers(0, 255, (*size, 3), dtype=np.uint8) for size in sizes]


def test_a_batch_gives_each_image_what_it_gets_alone() -> None:
    images = random_images((64, 96), (33, 20), (120, 10))
    backend = BatchBackend(cameras=3, answer=one_car)
    pipeline = PanopticPipeline(backend, make_manifest())
    assert pipeline.max_batch == 3
    together = pipeline.process_batch(images)
    assert backend.runs == [3]
    for image, result in zip(images, together, strict=True):
        alone = PanopticPipeline(FakeBackend(answer=one_car), make_manifest()).process(image)
        np.testing.assert_array_equal(result.panoptic.label_image, alone.panoptic.label_image)
        assert result.panoptic.instances == alone.panoptic.instances
        assert sum(list(result.timing_ms.values())[:3]) == pytest.approx(result.timing_ms['total'])


def test_each_image_of_a_batch_has_its_own_view() -> None:
    images = random_images((64, 96), (64, 96))
    views = [ImageView(rotation=180), ImageView()]
    together = PanopticPipeline(BatchBackend(cameras=2), make_manifest()).process_batch(
        images, views
    )
    for image, view, result in zip(images, views, together, strict=True):
        alone = PanopticPipeline(FakeBackend(), make_manifest()).process(image, view)
        np.testing.assert_array_equal(result.panoptic.label_image, alone.panoptic.label_image)


def test_an_unusable_image_of_a_batch_costs_only_itself() -> None:
    good, other = random_images((64, 96), (30, 40))
    pipeline = PanopticPipeline(BatchBackend(cameras=4), make_manifest())
    first, bad, last = pipeline.process_batch([good, np.zeros((0, 5, 3), np.uint8), other])
    assert isinstance(bad, ImageError)
    assert first.panoptic.label_image.shape == (64, 96)
    assert last.panoptic.label_image.shape == (30, 40)
    backend = BatchBackend(cameras=2)
    results = PanopticPipeline(backend, make_manifest()).process_batch([None, None])
    assert [type(result) for result in results] == [ImageError, ImageError]
    assert backend.images == []


def test_an_unusable_answer_of_a_batch_costs_only_its_image() -> None:
    def answer(image_bgr: np.ndarray) -> NetworkOutput:
        output = one_car(image_bgr)
        if image_bgr[0, 0, 0] == 255:
            output.semantic_logits[:] = np.nan
        return output

    images = [np.full((64, 96, 3), value, np.uint8) for value in (0, 255, 0)]
    backend = BatchBackend(cameras=3, answer=answer)
    first, bad, last = PanopticPipeline(backend, make_manifest()).process_batch(images)
    assert isinstance(bad, ModelError)
    assert first.panoptic.instances == last.panoptic.instances


@pytest.mark.parametrize('count', [0, 3])
def test_batches_of_another_size_than_the_model_takes_are_refused(count: int) -> None:
    pipeline = PanopticPipeline(BatchBackend(cameras=2), make_manifest())
    with pytest.raises(ParameterError, match=f'{count} images.*1 to 2'):
        pipeline.process_batch(random_images(*[(64, 96)] * count))


def test_a_model_for_one_camera_takes_batches_of_one() -> None:
    pipeline = fake_pipeline()
    assert pipeline.max_batch == 1
    (image,) = random_images((64, 96))
    (result,) = pipeline.process_batch([image])
    assert result.panoptic.label_image.shape == (64, 96)
