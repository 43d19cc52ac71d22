# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The TensorRT backend over fakes of both libraries: order of calls, lifetimes, failures."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.fake_cuda import Error, FakeCuda
from tests.fakes.fake_tensorrt import (
    DataType,
    FakeTensorRt,
    TensorIOMode,
    tiny_answer,
    tiny_tensors,
)
from tests.fakes.tiny_engine import write_tiny_engine
from tests.fakes.tiny_model import UNFIT_IMAGES
from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime
from upsnet_ros.backends.onnx_backend import OnnxBackend
from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.core.errors import (
    DeviceLostError,
    ImageError,
    ManifestError,
    ModelError,
    ParameterError,
    StaleEngineError,
)
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

SIZE = (64, 96)
ALLOCATIONS = ('cudaMalloc', 'cudaHostAlloc', 'cudaStreamCreateWithFlags', 'cudaGraphInstantiate')


def load(path: Path) -> TensorRtBackend:
    return TensorRtBackend(path, ModelManifest.load(path), trial_timeout_s=None)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 19, (*SIZE, 3), np.uint8)


def expected_logits(picture: np.ndarray) -> np.ndarray:
    return tiny_answer(picture[None])['semantic_logits'][0]


def assert_answers(backend: TensorRtBackend, seed: int = 5) -> None:
    output = backend.infer(image(seed))
    np.testing.assert_array_equal(output.semantic_logits, expected_logits(image(seed)))


@pytest.fixture
def backend(engine_path: Path, tensorrt: FakeTensorRt) -> TensorRtBackend:
    return load(engine_path)


@pytest.fixture(params=[False, True], ids=['discrete', 'integrated'])
def any_gpu(request: pytest.FixtureRequest, cuda: FakeCuda) -> FakeCuda:
    cuda.properties.integrated = int(request.param)
    return cuda


# --- answers


def test_answers_are_those_of_onnx_runtime(
    any_gpu: FakeCuda, engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    backend = load(engine_path)
    source = engine_path.with_suffix('.onnx')
    reference = OnnxBackend(source, ModelManifest.load(source), num_threads=1)
    for seed in range(3):
        got, wanted = backend.infer(image(seed)), reference.infer(image(seed))
        for name in ('semantic_logits', 'boxes', 'scores', 'classes', 'mask_logits', 'count'):
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))


def test_it_says_what_it_is(backend: TensorRtBackend) -> None:
    assert (backend.name, backend.device, backend.input_size) == ('tensorrt', 'cuda:0', SIZE)
    assert (backend.precision, backend.cameras, backend.uses_graph) == ('fp16', 1, True)


def test_answers_stay_as_they_are_when_the_next_image_comes_and_after_closing(
    any_gpu: FakeCuda, engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    backend = load(engine_path)
    first = backend.infer(image(1))
    backend.infer(image(2))
    backend.close()
    np.testing.assert_array_equal(first.semantic_logits, expected_logits(image(1)))
    assert tuple(first.boxes[0]) == (8.0, 12.0, 39.0, 43.0)


def test_images_that_are_not_contiguous_are_read_right(backend: TensorRtBackend) -> None:
    mirrored = image(3)[:, ::-1]
    output = backend.infer(mirrored)
    np.testing.assert_array_equal(output.semantic_logits, expected_logits(mirrored.copy()))


@pytest.mark.parametrize('picture', UNFIT_IMAGES)
def test_other_images_are_refused_and_the_next_is_served(
    backend: TensorRtBackend, picture: np.ndarray
) -> None:
    with pytest.raises(ImageError, match='network input'):
        backend.infer(picture)
    assert_answers(backend)


def test_values_that_are_no_numbers_are_handed_on_for_the_head_to_refuse(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.answer = lambda x: {**tiny_answer(x), 'scores': np.full((1, 4), np.nan, np.float32)}
    backend = load(engine_path)
    assert backend.uses_graph and np.isnan(backend.infer(image()).scores).all()


def test_an_impossible_count_is_a_model_error(engine_path: Path, tensorrt: FakeTensorRt) -> None:
    tensorrt.answer = lambda x: {**tiny_answer(x), 'count': np.array([9], np.int32)}
    backend = load(engine_path)
    with pytest.raises(ModelError, match="'count' is 9"):
        backend.infer(image())


# --- start, running, end


def test_the_start_keeps_its_order(engine_path: Path, tensorrt: FakeTensorRt) -> None:
    load(engine_path)
    kept = (
        'cudaGetDeviceProperties',
        'cudaSetDevice',
        'runtime created',
        'deserialize',
        'cudaStreamCreateWithFlags',
        'cudaMalloc',
        'context created',
        'enqueue',
        'cudaStreamBeginCapture',
        'enqueue recorded',
        'cudaStreamEndCapture',
        'cudaGraphInstantiate',
        'cudaMemsetAsync',
        'cudaGraphLaunch',
    )
    first = [tensorrt.cuda.calls.index(name) for name in kept]
    assert first == sorted(first)
    counts = tensorrt.cuda.counts
    assert counts['cudaMalloc'] == counts['cudaHostAlloc'] == 7
    assert counts['cudaStreamCreateWithFlags'] == 1
    assert tensorrt.cuda.calls.count('context created') == 1
    assert tensorrt.cuda.calls.count('enqueue') == 1


def test_running_allocates_nothing_and_is_one_launch(
    backend: TensorRtBackend, cuda: FakeCuda
) -> None:
    before = {name: cuda.counts[name] for name in ALLOCATIONS}
    start = len(cuda.calls)
    for seed in range(3):
        assert_answers(backend, seed)
    assert {name: cuda.counts[name] for name in ALLOCATIONS} == before
    assert cuda.calls[start:] == ['cudaGraphLaunch', 'cudaStreamSynchronize'] * 3


def test_an_integrated_gpu_copies_nothing(
    cuda: FakeCuda, engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    cuda.properties.integrated = 1
    backend = load(engine_path)
    assert_answers(backend)
    for name in ('cudaMalloc', 'cudaMemcpyAsync', 'cudaMemsetAsync'):
        assert cuda.counts[name] == 0
    assert len(cuda.mapped) == 7
    backend.close()
    assert cuda.live == 0 and not cuda.mapped


def test_closing_frees_everything_users_first(backend: TensorRtBackend, cuda: FakeCuda) -> None:
    start = len(cuda.calls)
    backend.close()
    end = cuda.calls[start:]
    order = [
        'cudaGraphExecDestroy',
        'context freed',
        'engine freed',
        'runtime freed',
        'cudaFree',
        'cudaStreamDestroy',
    ]
    assert [end.index(name) for name in order] == sorted(end.index(name) for name in order)
    assert cuda.live == 0


def test_closing_twice_is_safe_and_using_it_after_is_not(
    backend: TensorRtBackend, cuda: FakeCuda
) -> None:
    backend.close()
    calls = list(cuda.calls)
    backend.close()
    assert cuda.calls == calls
    with pytest.raises(ModelError, match='closed'):
        backend.infer(image())


def test_closing_during_an_image_waits_for_its_end_without_blocking(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    started, go_on = threading.Event(), threading.Event()
    backend = load(engine_path)
    synchronise = tensorrt.cuda.cudaStreamSynchronize

    def slow(stream: object) -> tuple[Error]:
        started.set()
        assert go_on.wait(60)
        return synchronise(stream)

    tensorrt.cuda.cudaStreamSynchronize = slow
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(backend.infer(image())))
    thread.start()
    assert started.wait(60)
    backend.close()
    assert tensorrt.alive == ['runtime', 'engine', 'context']
    go_on.set()
    thread.join(10.0)
    assert len(answers) == 1
    assert tensorrt.alive == [] and tensorrt.cuda.live == 0


def test_messages_of_the_library_go_to_the_log(
    engine_path: Path, tensorrt: FakeTensorRt, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    load(engine_path)
    (record,) = [r for r in caplog.records if 'Loaded engine size' in r.getMessage()]
    assert record.levelno == logging.INFO and record.name.startswith('upsnet_ros.backends')


# --- recording


@pytest.mark.parametrize(
    ('capture', 'reason'),
    [
        ('refused', 'not permitted when stream is capturing'),
        ('raises', 'pybind says no'),
        ('logged', 'not permitted when stream is capturing'),
        ('lost', "output 'semantic_logits' differs"),
    ],
)
def test_a_recording_that_fails_is_replaced_by_plain_runs(
    any_gpu: FakeCuda,
    engine_path: Path,
    tensorrt: FakeTensorRt,
    caplog: pytest.LogCaptureFixture,
    capture: str,
    reason: str,
) -> None:
    tensorrt.capture = capture
    backend = load(engine_path)
    assert not backend.uses_graph
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any('without a CUDA graph' in text and reason in text for text in warnings)
    assert not any_gpu.graphs
    start = len(any_gpu.calls)
    assert_answers(backend)
    assert 'enqueue' in any_gpu.calls[start:] and 'cudaGraphLaunch' not in any_gpu.calls[start:]
    backend.close()
    assert any_gpu.live == 0


@pytest.mark.parametrize(
    'function',
    ['cudaStreamBeginCapture', 'cudaStreamEndCapture', 'cudaGraphInstantiate', 'cudaGraphLaunch'],
)
def test_a_cuda_error_while_recording_is_no_reason_to_stop(
    engine_path: Path, tensorrt: FakeTensorRt, function: str
) -> None:
    tensorrt.cuda.fail(function, Error.cudaErrorStreamCaptureUnsupported)
    backend = load(engine_path)
    assert not backend.uses_graph
    assert_answers(backend)
    backend.close()
    assert tensorrt.cuda.live == 0


def test_a_device_lost_while_recording_is_an_error(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.cuda.fail('cudaGraphLaunch', Error.cudaErrorIllegalAddress, sticky=True)
    with pytest.raises(DeviceLostError, match='cudaErrorIllegalAddress'):
        load(engine_path)
    assert tensorrt.alive == []


@pytest.mark.parametrize(('change', 'is_used'), [(0.0, True), (1e-4, True), (1.0, False)])
def test_a_recorded_answer_may_differ_by_the_order_of_additions_only(
    engine_path: Path, tensorrt: FakeTensorRt, change: float, is_used: bool
) -> None:
    runs = iter([0.0, change, 0.0, 0.0])
    tensorrt.answer = lambda x: {
        **tiny_answer(x),
        'semantic_logits': tiny_answer(x)['semantic_logits'] + np.float32(next(runs)),
    }
    assert load(engine_path).uses_graph == is_used


def test_whole_numbers_of_a_recorded_answer_may_not_differ(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    counts = iter([1, 2, 1])
    tensorrt.answer = lambda x: {**tiny_answer(x), 'count': np.array([next(counts)], np.int32)}
    assert not load(engine_path).uses_graph


# --- failures while running


def test_a_refused_run_costs_its_image_alone(engine_path: Path, tensorrt: FakeTensorRt) -> None:
    tensorrt.capture = 'refused'
    backend = load(engine_path)
    tensorrt.refuse_enqueue = 1
    with pytest.raises(ModelError, match='a kernel could not be launched'):
        backend.infer(image())
    calls = len(tensorrt.cuda.calls)
    assert_answers(backend)
    # Nothing is made anew; the copies to and from the device are those of the one image.
    assert 'context created' not in tensorrt.cuda.calls[calls:]
    assert tensorrt.cuda.calls[calls:].count('cudaMemcpyAsync') == 7


@pytest.mark.parametrize('function', ['cudaGraphLaunch', 'cudaStreamSynchronize'])
def test_a_passing_cuda_error_costs_its_image_alone(
    backend: TensorRtBackend, cuda: FakeCuda, function: str
) -> None:
    cuda.fail(function, Error.cudaErrorInvalidValue)
    with pytest.raises(ModelError, match='cudaErrorInvalidValue') as caught:
        backend.infer(image())
    assert not isinstance(caught.value, DeviceLostError)
    for seed in range(2):
        assert_answers(backend, seed)
    backend.close()
    assert cuda.live == 0


def test_a_device_that_is_lost_asks_for_a_new_process_and_is_left_alone(
    backend: TensorRtBackend, tensorrt: FakeTensorRt, caplog: pytest.LogCaptureFixture
) -> None:
    tensorrt.cuda.fail('cudaStreamSynchronize', Error.cudaErrorIllegalAddress, sticky=True)
    with pytest.raises(DeviceLostError, match='cudaErrorIllegalAddress.*end this process'):
        backend.infer(image())
    calls = len(tensorrt.cuda.calls)
    for _ in range(2):
        with pytest.raises(DeviceLostError, match='lost at an image before.*end this process'):
            backend.infer(image())
    assert len(tensorrt.cuda.calls) == calls
    backend.close()
    assert tensorrt.alive == []
    assert 'does not recover' in caplog.text


# --- refusals at the start


def test_an_engine_that_the_library_does_not_take_is_told_with_its_reason(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.refuse_content = True
    with pytest.raises(ModelError, match='magicTag.*build it again'):
        load(engine_path)
    assert tensorrt.alive == [] and tensorrt.cuda.live == 0


def test_a_stale_engine_is_never_deserialised(tmp_path: Path, tensorrt: FakeTensorRt) -> None:
    path = write_tiny_engine(tmp_path, tensorrt='11.4.0', cuda_driver='14.0')
    with pytest.raises(StaleEngineError, match='11.4.0') as caught:
        load(path)
    assert len(caught.value.problems) == 2
    assert 'runtime created' not in tensorrt.cuda.calls


@pytest.mark.parametrize('content', [b'', b'a fake engine of the tiny mod'])
def test_a_truncated_engine_is_never_deserialised(
    engine_path: Path, tensorrt: FakeTensorRt, content: bytes
) -> None:
    engine_path.write_bytes(content)
    with pytest.raises(ModelError, match=f'{len(content)} bytes.*truncated or altered'):
        load(engine_path)
    assert 'runtime created' not in tensorrt.cuda.calls


def test_an_engine_of_several_cameras_answers_for_each(
    tmp_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.tensors = tiny_tensors(3)
    path = write_tiny_engine(tmp_path, cameras=3)
    single = load(path)
    assert PanopticPipeline(single, ModelManifest.load(path)).max_batch == single.cameras == 3
    images = [np.full((64, 96, 3), value, np.uint8) for value in (2, 7, 11)]
    answers = single.infer_batch(images)
    for image, answer in zip(images, answers, strict=True):
        wanted = tiny_answer(image[None])
        for name in ('semantic_logits', 'boxes', 'scores', 'mask_logits'):
            np.testing.assert_array_equal(getattr(answer, name), wanted[name][0])
        np.testing.assert_array_equal(single.infer(image).semantic_logits, answer.semantic_logits)
    assert len(single.infer_batch(images[:2])) == 2
    single.close()


@pytest.mark.parametrize(
    ('before', 'after', 'expected'),
    [(5000, 1500, 3500), (1500, 1500, 0), (1500, 5000, 0)],
    ids=['taken', 'nothing', 'freed by another process'],
)
def test_it_says_what_it_took_of_the_gpus_memory(
    engine_path: Path, tensorrt: FakeTensorRt, monkeypatch, before: int, after: int, expected: int
) -> None:
    sizes = iter([before, after])
    monkeypatch.setattr(CudaRuntime, 'free_memory', lambda runtime: next(sizes))
    backend = load(engine_path)
    assert backend.device_memory_bytes == expected
    backend.close()


def test_a_device_lost_after_loading_frees_the_engine(
    engine_path: Path, tensorrt: FakeTensorRt, cuda: FakeCuda, monkeypatch
) -> None:
    calls = []

    def free_memory(runtime: CudaRuntime) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise CudaError('cudaMemGetInfo', 'cudaErrorDevicesUnavailable', 'gone')
        return 5000

    monkeypatch.setattr(CudaRuntime, 'free_memory', free_memory)
    with pytest.raises(ModelError, match='gone'):
        load(engine_path)
    assert cuda.live == 0


@pytest.mark.parametrize('count', [0, 4])
def test_no_images_and_too_many_are_refused(
    tmp_path: Path, tensorrt: FakeTensorRt, count: int
) -> None:
    tensorrt.tensors = tiny_tensors(3)
    backend = load(write_tiny_engine(tmp_path, cameras=3))
    with pytest.raises(ParameterError, match=f'{count} images at once, expected 1 to 3'):
        backend.infer_batch([np.zeros((64, 96, 3), np.uint8)] * count)
    backend.close()


def test_an_engine_for_another_number_of_cameras_than_its_record_says_is_refused(
    tmp_path: Path, tensorrt: FakeTensorRt
) -> None:
    with pytest.raises(ManifestError, match='image'):
        load(write_tiny_engine(tmp_path, cameras=4))


def test_a_missing_engine_or_record_is_named(engine_path: Path, tensorrt: FakeTensorRt) -> None:
    manifest = ModelManifest.load(engine_path)
    engine_path.unlink()
    with pytest.raises(ModelError, match='model.engine.*cannot be read'):
        TensorRtBackend(engine_path, manifest, trial_timeout_s=None)
    engine_path.with_name('model.engine.json').unlink()
    with pytest.raises(ModelError, match='model.engine.json.*cannot be read'):
        TensorRtBackend(engine_path, manifest, trial_timeout_s=None)


OUT = TensorIOMode.OUTPUT


@pytest.mark.parametrize(
    ('name', 'entry', 'field'),
    [
        ('image', (TensorIOMode.INPUT, (1, 96, 64, 3), DataType.UINT8), 'input'),
        ('image', (TensorIOMode.INPUT, (-1, 64, 96, 3), DataType.UINT8), 'input'),
        ('image', (TensorIOMode.INPUT, (1, 64, 96, 3), DataType.FLOAT), 'input'),
        ('image', None, 'input'),
        ('extra', (TensorIOMode.INPUT, (1,), DataType.INT32), 'input'),
        ('count', None, 'outputs.count'),
        ('count', (OUT, (1,), DataType.INT8), 'outputs.count'),
        ('boxes', (OUT, (1, 5, 4), DataType.FLOAT), 'outputs.boxes'),
        ('scores', (OUT, (1, 4), DataType.HALF), 'outputs.scores'),
    ],
)
def test_engines_that_do_not_fit_the_manifest_are_refused(
    engine_path: Path, tensorrt: FakeTensorRt, name: str, entry: tuple | None, field: str
) -> None:
    tensorrt.tensors.pop(name, None)
    if entry is not None:
        tensorrt.tensors[name] = entry
    with pytest.raises(ManifestError) as caught:
        load(engine_path)
    assert caught.value.field == field
    assert tensorrt.alive == [] and tensorrt.cuda.live == 0


@pytest.mark.parametrize('function', ['cudaHostAlloc', 'cudaMalloc', 'cudaStreamCreateWithFlags'])
@pytest.mark.parametrize('after', [0, 3])
def test_too_little_memory_is_told_and_leaves_nothing_behind(
    engine_path: Path, tensorrt: FakeTensorRt, function: str, after: int
) -> None:
    tensorrt.cuda.fail(function, Error.cudaErrorMemoryAllocation, after=after)
    if (function, after) == ('cudaStreamCreateWithFlags', 3):
        load(engine_path).close()  # there is only one stream
    else:
        with pytest.raises(CudaError, match='end other programs on the GPU'):
            load(engine_path)
    assert tensorrt.alive == [] and tensorrt.cuda.live == 0


def test_no_memory_for_a_context_is_told_with_the_reason(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.refuse_context = 1
    with pytest.raises(ModelError, match='no scratch memory'):
        load(engine_path)
    assert tensorrt.alive == [] and tensorrt.cuda.live == 0


@pytest.mark.parametrize(
    ('module', 'package'), [('tensorrt', 'tensorrt-cu13'), ('cuda.bindings', 'cuda-bindings')]
)
def test_a_missing_library_is_named_with_what_to_install(
    engine_path: Path,
    tensorrt: FakeTensorRt,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelError, match=f'install.*{package}'):
        load(engine_path)


def test_a_computer_without_driver_or_gpu_is_told(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    tensorrt.cuda.fail('cudaGetDeviceProperties', Error.cudaErrorNoDevice)
    with pytest.raises(CudaError, match='cudaErrorNoDevice.*nvidia-smi'):
        load(engine_path)
    tensorrt.cuda.driver = 0
    with pytest.raises(ModelError, match='no NVIDIA driver'):
        load(engine_path)
