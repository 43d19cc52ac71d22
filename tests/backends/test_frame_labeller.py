# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels made on the GPU, over fakes of CUDA and TensorRT: order, lifetimes, changes, failures.

The fake of the driver runs the kernels' own source over the memory of the fake device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.fake_cuda import DriverError, Error, FakeCuda
from tests.fakes.fake_tensorrt import FakeTensorRt, tiny_answer, tiny_tensors
from tests.fakes.network_output import make_label_set
from tests.fakes.tiny_engine import write_tiny_engine
from upsnet_ros.backends.kernel_store import read_kernels
from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.core.errors import DeviceLostError, ImageError, ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.core.window import Window
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

pytestmark = pytest.mark.heavy  # compiling the kernels takes a quarter of a minute
SIZE = (64, 96)
Answer = Callable[[np.ndarray], dict[str, np.ndarray]]
KERNELS = list(read_kernels())
# Rows, then columns: one kernel is launched twice.
FRAME = [*KERNELS[:3], 'place_masks', *KERNELS[3:]]


def load(path: Path) -> TensorRtBackend:
    return TensorRtBackend(path, ModelManifest.load(path), trial_timeout_s=None)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 19, (*size, 3), np.uint8)


def fitted(size: tuple[int, int]) -> InputGeometry:
    return InputGeometry.fit(image_size=size, input_size=SIZE)


@pytest.fixture
def backend(engine_path: Path, tensorrt: FakeTensorRt) -> TensorRtBackend:
    return load(engine_path)


@pytest.fixture
def head(engine_path: Path) -> PanopticHead:
    return PanopticHead(ModelManifest.load(engine_path).label_set, stuff_area_limit=30)


def assert_equal(have: PanopticResult, want: PanopticResult) -> None:
    np.testing.assert_array_equal(have.label_image, want.label_image)
    assert [asdict(i) for i in have.instances] == [asdict(i) for i in want.instances]
    assert have.unknown_share == want.unknown_share


def assert_labels(backend: TensorRtBackend, head: PanopticHead, seed: int = 5) -> PanopticResult:
    """At scale 1 both heads see the same answer of the network."""
    image = picture(seed)
    found = backend.label(image, fitted(SIZE), head)
    assert_equal(found, head(backend.infer(image), fitted(SIZE)))
    return found


@pytest.mark.parametrize('integrated', [False, True])
def test_labels_are_those_of_the_panoptic_head(
    cuda: FakeCuda, engine_path: Path, tensorrt: FakeTensorRt, head: PanopticHead, integrated: bool
) -> None:
    cuda.properties.integrated = int(integrated)
    backend = load(engine_path)
    assert backend.can_label
    found = [assert_labels(backend, head, seed) for seed in range(3)]
    assert len(found[0].instances) == 1
    backend.close()
    assert cuda.live == 0


def test_a_frame_is_one_launch_of_a_recording(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    backend.label(picture(), fitted(SIZE), head)
    start = len(cuda.calls)
    for seed in range(3):
        backend.label(picture(seed), fitted(SIZE), head)
    frame = ['cudaSetDevice', 'cudaGraphLaunch', 'cudaStreamSynchronize']
    assert cuda.calls[start:] == frame * 3


def test_kernels_are_launched_in_order_with_the_blocks_of_their_texts(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    backend.label(picture(), fitted(SIZE), head)
    compiled = read_kernels()
    plain, recorded = cuda.launches[: len(FRAME)], cuda.launches[len(FRAME) :]
    assert plain == recorded
    assert [name for name, _, _ in plain] == FRAME
    assert all(block == compiled[name].block for name, _, block in plain)
    grids = {name: grid for name, grid, _ in plain}
    # 64 x 96 pixels in tiles of 8 x 32, of which a block has 8 below each other; 19 classes, 8 of
    # them things; 4 slots.
    assert grids['place_image'] == (3, 8, 1)
    assert grids['claim_masks'] == (8, 1, 1)
    assert grids['draw_masks'] == (1, 8, 4)
    assert grids['label_pixels'] == (3, 1, 1)
    assert grids['write_labels'] == (3, 8, 1)


def test_what_comes_down_are_labels_and_a_table(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    copies: list[tuple[int, int]] = []
    copy = cuda.cudaMemcpyAsync

    def noted(target, source, size, kind, stream):
        copies.append((kind, size))
        return copy(target, source, size, kind, stream)

    cuda.cudaMemcpyAsync = noted
    backend.label(picture(), fitted(SIZE), head)
    recorded = copies[-10:]  # the recording is made last
    assert sum(size for kind, size in recorded if kind == 1) == 64 * 96 * 3 + 5 * 8
    down = sum(size for kind, size in recorded if kind == 2)
    assert 2 * 64 * 96 < down < 2 * 64 * 96 + 500


@pytest.mark.parametrize('resolution', ['input_frame', 'image'])
@pytest.mark.parametrize('size', [(48, 60), (128, 192), (1, 1), (200, 40)])
def test_images_of_any_size_have_labels_of_their_size(
    backend: TensorRtBackend, head: PanopticHead, size: tuple[int, int], resolution: str
) -> None:
    head = PanopticHead(head.label_set, **{**head.parameters, 'label_resolution': resolution})
    image = np.full((*size, 3), 7, np.uint8)  # looks the same however it is scaled
    found = backend.label(image, fitted(size), head)
    placed = place_image(image, fitted(size))
    assert_equal(found, head(backend.infer(placed), fitted(size)))
    assert found.label_image.shape == size


def test_thresholds_change_between_frames_without_a_new_recording(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    first = assert_labels(backend, head)
    recordings = cuda.counts['cudaGraphInstantiate']
    strict = PanopticHead(head.label_set, score_threshold=0.95, stuff_area_limit=0)
    assert len(first.instances) == 1 and assert_labels(backend, strict).instances == ()
    large = PanopticHead(head.label_set, stuff_area_limit=10**6)
    assert assert_labels(backend, large).unknown_share > first.unknown_share
    assert cuda.counts['cudaGraphInstantiate'] == recordings


def test_sizes_are_recorded_once_and_the_longest_unused_goes(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    before = cuda.counts['cudaGraphInstantiate']
    sizes = [(40 + side, 60) for side in range(8)]
    for size in [*sizes, *sizes]:
        backend.label(picture(0, size), fitted(size), head)
    assert cuda.counts['cudaGraphInstantiate'] == before + 8
    live = cuda.live
    for size in [(90, 60), (91, 60)]:
        backend.label(picture(0, size), fitted(size), head)
    assert cuda.live == live
    backend.label(picture(0, sizes[-1]), fitted(sizes[-1]), head)  # is still there
    assert cuda.counts['cudaGraphInstantiate'] == before + 10
    backend.close()
    assert cuda.live == 0


def test_results_stay_as_they_are_when_the_next_image_comes_and_after_closing(
    backend: TensorRtBackend, head: PanopticHead
) -> None:
    first = backend.label(picture(1), fitted(SIZE), head)
    labels, instances = first.label_image.copy(), first.instances
    backend.label(picture(2), fitted(SIZE), head)
    backend.close()
    np.testing.assert_array_equal(first.label_image, labels)
    assert first.instances == instances


# --- failures


@pytest.fixture
def changing(engine_path: Path, tensorrt: FakeTensorRt) -> tuple[TensorRtBackend, list[Answer]]:
    """A backend whose network answers what the last function of a list makes of an image."""
    answers: list[Answer] = [tiny_answer]
    tensorrt.answer = lambda image: answers[-1](image)
    return load(engine_path), answers


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('semantic_logits', np.nan, "'semantic_logits' holds 1 values that are NaN"),
        ('mask_logits', np.inf, "'mask_logits' holds 1 values that are NaN or infinite"),
        ('scores', np.nan, "'scores' holds"),
        ('boxes', 1e9, "'boxes' reaches"),
        ('classes', 3, r"'classes' holds \[3\]"),
        ('count', 9, "'count' is 9"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_in_the_heads_words_and_costs_one_image(
    changing: tuple[TensorRtBackend, list],
    head: PanopticHead,
    name: str,
    value: float,
    message: str,
) -> None:
    def broken(image: np.ndarray) -> dict[str, np.ndarray]:
        answer = tiny_answer(image)
        answer[name].reshape(-1)[0] = value
        return answer

    backend, answers = changing
    assert_labels(backend, head)
    answers.append(broken)
    with pytest.raises(ModelError, match=message):
        backend.label(picture(), fitted(SIZE), head)
    answers.pop()
    assert_labels(backend, head)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((64, 95, 3), np.uint8), r'shape \(64, 95, 3\).*make a new geometry'),
        (np.zeros((64, 96), np.uint8), r'shape \(64, 96\)'),
        (np.zeros((64, 96, 3), np.float32), 'type float32'),
    ],
)
def test_other_images_are_refused_and_the_next_is_served(
    backend: TensorRtBackend, head: PanopticHead, image: np.ndarray, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        backend.label(image, fitted(SIZE), head)
    assert_labels(backend, head)


def test_a_head_for_other_classes_is_refused(backend: TensorRtBackend) -> None:
    other = PanopticHead(make_label_set(2, 1))
    with pytest.raises(ParameterError, match="label set 'test', expected 'cityscapes'"):
        backend.label(picture(), fitted(SIZE), other)


@pytest.mark.parametrize('function', ['cudaMalloc', 'cudaHostAlloc'])
@pytest.mark.parametrize('after', [0, 5])
def test_too_little_memory_is_one_clear_error_and_leaves_nothing(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda, function: str, after: int
) -> None:
    assert_labels(backend, head)
    live = cuda.live
    cuda.fail(function, Error.cudaErrorMemoryAllocation, after=after)
    with pytest.raises(ModelError, match='cudaErrorMemoryAllocation.*end other programs'):
        backend.label(picture(0, (80, 90)), fitted((80, 90)), head)
    assert cuda.live == live
    assert_labels(backend, head)
    backend.label(picture(0, (80, 90)), fitted((80, 90)), head)


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (
            DriverError.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
            'UNSUPPORTED_PTX_VERSION .*update the NVIDIA driver to that of CUDA 12.5',
        ),
        (DriverError.CUDA_ERROR_OUT_OF_MEMORY, 'CUDA_ERROR_OUT_OF_MEMORY'),
    ],
)
@pytest.mark.parametrize('function', ['cuModuleLoadData', 'cuModuleGetFunction'])
def test_kernels_that_the_driver_does_not_take_are_one_error_and_the_network_still_runs(
    backend: TensorRtBackend,
    head: PanopticHead,
    cuda: FakeCuda,
    function: str,
    error: DriverError,
    message: str,
) -> None:
    live = cuda.live
    cuda.driver_failures[function] = [DriverError.CUDA_SUCCESS] * 4 + [error]
    with pytest.raises(ModelError, match=message):
        backend.label(picture(), fitted(SIZE), head)
    assert cuda.live == live
    assert backend.infer(picture()).count == 1
    assert_labels(backend, head)


def test_without_a_recording_labels_are_the_same(
    backend: TensorRtBackend,
    head: PanopticHead,
    cuda: FakeCuda,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cuda.fail('cudaGraphInstantiate', Error.cudaErrorInvalidValue)
    for seed in range(3):
        assert_labels(backend, head, seed)
    (record,) = [r for r in caplog.records if 'without a CUDA graph' in r.getMessage()]
    assert record.levelno == logging.WARNING and 'cudaErrorInvalidValue' in record.getMessage()
    backend.close()
    assert cuda.live == 0


def test_a_recording_that_lost_the_network_is_not_used(
    engine_path: Path,
    tensorrt: FakeTensorRt,
    head: PanopticHead,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(engine_path)
    tensorrt.capture = 'lost'
    backend.infer(picture(1))  # what a lost run would leave in memory
    backend.label(picture(2), fitted(SIZE), head)
    for seed in range(2):
        image = picture(seed)
        want = head(backend.infer(image), fitted(SIZE))
        assert_equal(backend.label(image, fitted(SIZE), head), want)


def test_a_launch_that_fails_costs_an_image(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    live = cuda.live
    cuda.driver_failures['cuLaunchKernel'] = [DriverError.CUDA_ERROR_LAUNCH_FAILED]
    with pytest.raises(ModelError, match='cuLaunchKernel failed: CUDA_ERROR_LAUNCH_FAILED'):
        backend.label(picture(), fitted(SIZE), head)
    assert_labels(backend, head)
    assert cuda.live > live


def test_a_device_that_is_lost_is_left_alone(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    assert_labels(backend, head)
    cuda.fail('cudaStreamSynchronize', Error.cudaErrorIllegalAddress, sticky=True)
    with pytest.raises(DeviceLostError, match='lost to this process.*cudaErrorIllegalAddress'):
        backend.label(picture(), fitted(SIZE), head)
    calls = list(cuda.calls)
    with pytest.raises(DeviceLostError, match='lost at an image before'):
        backend.label(picture(), fitted(SIZE), head)
    assert cuda.calls == calls
    backend.close()


def test_closing_frees_everything_users_first(
    backend: TensorRtBackend, head: PanopticHead, cuda: FakeCuda
) -> None:
    assert_labels(backend, head)
    start = len(cuda.calls)
    backend.close()
    end = cuda.calls[start:]
    order = ['cudaGraphExecDestroy', 'cuModuleUnload', 'context freed', 'cudaStreamDestroy']
    assert [end.index(name) for name in order] == sorted(end.index(name) for name in order)
    assert end.count('cuModuleUnload') == len(KERNELS) and cuda.live == 0
    with pytest.raises(ModelError, match='closed'):
        backend.label(picture(), fitted(SIZE), head)


def test_an_engine_for_several_cameras_leaves_labels_to_the_processor(
    tmp_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.tensors = tiny_tensors(2)
    backend = load(write_tiny_engine(tmp_path, cameras=2))
    assert not backend.can_label
    with pytest.raises(ParameterError, match='for 2 images at once'):
        backend.label(picture(), fitted(SIZE), PanopticHead(make_label_set(2, 1)))


# --- the pipeline


@pytest.mark.parametrize(
    'view',
    [
        pytest.param(ImageView(), id='whole'),
        pytest.param(ImageView(Window(0, 0, 64, 96)), id='a region that is all'),
        pytest.param(ImageView(Window(20, 30, 84, 126)), id='a region'),
        pytest.param(ImageView(rotation=180), id='turned'),
    ],
)
def test_the_pipeline_labels_on_the_device_as_on_the_processor(
    backend: TensorRtBackend, engine_path: Path, cuda: FakeCuda, view: ImageView
) -> None:
    image = picture(3, SIZE if view.region is None else (100, 140))
    pipeline = PanopticPipeline(backend, ModelManifest.load(engine_path), num_threads=1)
    on_device = pipeline.process(image, view)
    assert 'cuLaunchKernel' in cuda.calls
    assert set(on_device.timing_ms) == {'preprocess', 'inference', 'panoptic_head', 'total'}
    backend.can_label = False
    assert_equal(on_device.panoptic, pipeline.process(image, view).panoptic)


def test_the_pipeline_leaves_reduced_images_to_the_stages(
    backend: TensorRtBackend, engine_path: Path, cuda: FakeCuda
) -> None:
    pipeline = PanopticPipeline(backend, ModelManifest.load(engine_path), num_threads=1)
    result = pipeline.process(picture(), ImageView(reduction=2))
    assert result.panoptic.label_image.shape == (128, 192)
    assert 'cuLaunchKernel' not in cuda.calls


def test_the_pipelines_thresholds_count_for_the_next_image(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    manifest = ModelManifest.load(engine_path)
    with PanopticPipeline(load(engine_path), manifest, num_threads=1) as pipeline:
        assert len(pipeline.process(picture()).panoptic.instances) == 1
        pipeline.set_thresholds(score_threshold=0.95)
        assert pipeline.process(picture()).panoptic.instances == ()
