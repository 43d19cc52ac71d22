# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choosing a backend by name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.fakes.fake_tensorrt import FakeTensorRt
from tests.fakes.tiny_engine import write_tiny_engine
from tests.fakes.tiny_model import INPUT_SIZE, tiny_graph, write_tiny_model
from upsnet_ros.backends import openvino_backend
from upsnet_ros.backends.backend import Backend
from upsnet_ros.backends.openvino_backend import precisions_of
from upsnet_ros.backends.select import BACKENDS, create_backend
from upsnet_ros.core.errors import ModelError, ParameterError, StaleEngineError
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


def create(path: Path, **options) -> Backend:
    return create_backend(path, ModelManifest.load(path), **options)


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO is not installed."""
    monkeypatch.delitem(sys.modules, 'upsnet_ros.backends.openvino_backend', raising=False)
    monkeypatch.setitem(sys.modules, 'openvino', None)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('auto', 'openvino'), ('openvino', 'openvino'), ('onnxruntime', 'onnxruntime')],
)
def test_onnx_files_run_in_openvino_unless_another_is_named(
    model_path: Path, name: str, expected: str
) -> None:
    backend = create(model_path, name=name, num_threads=1)
    assert (backend.name, backend.input_size) == (expected, INPUT_SIZE)


def test_without_openvino_auto_is_onnx_runtime_and_the_log_says_why(
    model_path: Path, no_openvino: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    assert create(model_path).name == 'onnxruntime'
    (message,) = caplog.messages
    assert 'runs in ONNX Runtime' in message and 'install the Python package openvino' in message
    with pytest.raises(ModelError, match='install the Python package openvino'):
        create(model_path, name='openvino')


def test_what_openvino_does_not_take_runs_in_onnx_runtime(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_graph()
    text = onnx.helper.make_node('RegexFullMatch', ['words'], ['is_word'], pattern='x')
    words = onnx.helper.make_tensor('words', onnx.TensorProto.STRING, [1], [b'x'])
    model.graph.node.append(text)
    model.graph.initializer.append(words)
    model.graph.output.append(onnx.helper.make_tensor_value_info('is_word', 9, [1]))
    model.opset_import[0].version = 20
    path = write_tiny_model(tmp_path, model)
    assert create(path).name == 'onnxruntime'
    (message,) = caplog.messages
    assert message.startswith('the network runs in ONNX Runtime') and 'RegexFullMatch' in message
    narrow = [{'precision': name} for name in precisions_of('cpu') if name != 'fp32']
    for options in ({'name': 'openvino'}, *narrow):
        with pytest.raises(ModelError, match="RegexFullMatch.*use backend 'onnxruntime'"):
            create(path, **options)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'precision': 'int8'}, "precision is 'int8'.*auto, fp32, bf16, fp16"),
        ({'device': 'gpu.7'}, "device is 'gpu.7'.*auto, cpu"),
        ({'name': 'onnxruntime', 'device': 'gpu'}, "device is 'gpu'.*'cpu', or 'cuda'"),
        ({'device': 'cuda'}, "device is 'cuda'.*GPU build of ONNX Runtime"),
        ({'name': 'onnxruntime', 'precision': 'bf16'}, "precision is 'bf16'.*openvino"),
        ({'name': 'openvino', 'num_threads': -1}, 'num_threads is -1'),
    ],
)
def test_what_this_computer_cannot_do_is_refused(
    model_path: Path, options: dict, words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        create(model_path, **options)


def test_a_device_that_openvino_alone_has_is_refused_with_its_reason(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_driver(*_: object, **options: object) -> None:
        raise ModelError(f'{options["device"]} has no driver')

    monkeypatch.setattr(openvino_backend, 'OpenVinoBackend', no_driver)
    assert create(model_path).name == 'onnxruntime'
    with pytest.raises(ModelError, match='gpu has no driver'):
        create(model_path, device='gpu')


def test_a_precision_that_the_processor_lacks_is_refused(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_backend, 'precisions_of', lambda device: ['fp32'])
    assert create(model_path).precision == 'fp32'
    with pytest.raises(ParameterError, match="precision is 'bf16', expected one of auto, fp32"):
        create(model_path, precision='bf16')


@pytest.mark.parametrize(
    'options', [{'precision': 'fp32'}, {'precision': 'bf16'}, {'device': 'cpu'}]
)
def test_an_engine_keeps_its_precision_and_its_gpu(
    engine_path: Path, child_libraries: Path, tensorrt: FakeTensorRt, options: dict
) -> None:
    with pytest.raises(ParameterError, match=f'{list(options.values())[0]}.*expected auto or'):
        create(engine_path, **options)
    assert tensorrt.alive == []
    create(engine_path, device='cuda', precision='fp16').close()


@pytest.mark.parametrize('name', ['auto', 'tensorrt'])
def test_engines_run_in_tensorrt(
    engine_path: Path, child_libraries: Path, tensorrt: FakeTensorRt, name: str
) -> None:
    backend = create_backend(str(engine_path), ModelManifest.load(engine_path), name=name)
    assert (backend.name, backend.input_size) == ('tensorrt', INPUT_SIZE)
    backend.close()


def test_all_names_are_told() -> None:
    assert BACKENDS == ('auto', 'onnxruntime', 'openvino', 'tensorrt')


@pytest.mark.parametrize('name', ['onnxruntime', 'openvino'])
def test_an_engine_runs_in_tensorrt_alone_and_the_onnx_file_is_named(
    engine_path: Path, name: str
) -> None:
    with pytest.raises(ParameterError, match=f"'{engine_path.with_suffix('.onnx')}' as model"):
        create_backend(engine_path, ModelManifest.load(engine_path), name=name)


def test_tensorrt_runs_no_onnx_file_and_the_engine_beside_it_is_named(engine_path: Path) -> None:
    path = engine_path.with_suffix('.onnx')
    with pytest.raises(ParameterError, match=f"use the engine '{engine_path}'"):
        create_backend(path, ModelManifest.load(path), name='tensorrt')
    engine_path.unlink()
    with pytest.raises(ParameterError, match=f'--model {path} --output {engine_path}'):
        create_backend(path, ModelManifest.load(path), name='tensorrt')


def test_a_stale_engine_is_refused_unless_its_onnx_file_shall_run(
    tmp_path: Path, tensorrt: FakeTensorRt, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tiny_engine(tmp_path, tensorrt='11.4.0')
    manifest = ModelManifest.load(path)
    with pytest.raises(StaleEngineError, match='11.4.0'):
        create_backend(path, manifest)
    with create_pipeline(path) as pipeline:
        assert pipeline.backend.name == 'onnxruntime' and pipeline.manifest == manifest
        pipeline.warm_up(1)
    assert '11.4.0' in caplog.text and 'runs in ONNX Runtime' in caplog.text


def test_the_whole_way_gives_the_labels_of_the_onnx_file(
    engine_path: Path, child_libraries: Path, tensorrt: FakeTensorRt
) -> None:
    picture = np.random.default_rng(0).integers(0, 19, (60, 90, 3), np.uint8)
    with PanopticPipeline.load(engine_path) as pipeline:
        got = pipeline.process(picture).panoptic
    with PanopticPipeline.load(engine_path.with_suffix('.onnx'), num_threads=1) as pipeline:
        wanted = pipeline.process(picture).panoptic
    np.testing.assert_array_equal(got.label_image, wanted.label_image)
    assert got.instances == wanted.instances != ()
    assert tensorrt.alive == []


def create_pipeline(path: Path) -> PanopticPipeline:
    return PanopticPipeline.load(path, num_threads=1, stale_engine='onnxruntime')


def test_a_broken_engine_is_refused_whatever_is_said_of_stale_ones(
    engine_path: Path, tensorrt: FakeTensorRt
) -> None:
    engine_path.write_bytes(b'half')
    with pytest.raises(ModelError, match='truncated'):
        create_pipeline(engine_path)


def test_an_onnx_file_that_was_altered_is_not_run_in_place_of_a_stale_engine(
    tmp_path: Path, tensorrt: FakeTensorRt
) -> None:
    path = write_tiny_engine(tmp_path, tensorrt='11.4.0')
    path.with_suffix('.onnx').write_bytes(b'other')
    with pytest.raises(ModelError, match='altered'):
        create_pipeline(path)


def test_other_answers_to_a_stale_engine_are_refused(engine_path: Path) -> None:
    with pytest.raises(ParameterError, match="'ignore'.*refuse, onnxruntime"):
        create_backend(engine_path, ModelManifest.load(engine_path), stale_engine='ignore')


def test_labels_are_left_to_the_processor_where_that_is_asked_for(
    engine_path: Path,
    child_libraries: Path,
    tensorrt: FakeTensorRt,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trials = ['', 'too old a driver', '']
    monkeypatch.setattr(
        'upsnet_ros.backends.tensorrt_backend.run_trial',
        lambda command, timeout_s: trials.pop(0),
    )
    manifest = ModelManifest.load(engine_path)
    for labels_on, can_label in (('cpu', False), ('cpu', False), ('auto', True)):
        backend = create_backend(engine_path, manifest, labels_on=labels_on)
        assert backend.can_label == can_label
        backend.close()
    assert 'by the processor' not in caplog.text  # which is what was asked for
    with pytest.raises(ParameterError, match="labels_on is 'gpu', expected one of auto, cpu"):
        create_backend(engine_path, manifest, labels_on='gpu')


def test_unknown_names_are_refused_with_those_there_are(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path)
    with pytest.raises(ParameterError, match="'caffe'.*auto, onnxruntime"):
        create_backend(path, ModelManifest.load(path), name='caffe')


def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny_model(tmp_path)
    manifest = ModelManifest.load(path)
    monkeypatch.delitem(sys.modules, 'upsnet_ros.backends.onnx_backend', raising=False)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ModelError, match='install the Python package onnxruntime'):
        create_backend(path, manifest, name='onnxruntime')
