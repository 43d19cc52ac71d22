# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choosing a backend by name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.fake_tensorrt import FakeTensorRt
from tests.fakes.tiny_engine import write_tiny_engine
from tests.fakes.tiny_model import INPUT_SIZE, write_tiny_model
from upsnet_ros.backends.select import BACKENDS, create_backend
from upsnet_ros.core.errors import ModelError, ParameterError, StaleEngineError
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline


@pytest.mark.parametrize('name', ['auto', 'onnxruntime'])
def test_onnx_files_run_in_onnx_runtime(tmp_path: Path, name: str) -> None:
    path = write_tiny_model(tmp_path)
    backend = create_backend(path, ModelManifest.load(path), name=name, num_threads=1)
    assert (backend.name, backend.input_size) == ('onnxruntime', INPUT_SIZE)


@pytest.mark.parametrize('name', ['auto', 'tensorrt'])
def test_engines_run_in_tensorrt(
    engine_path: Path, child_libraries: Path, tensorrt: FakeTensorRt, name: str
) -> None:
    backend = create_backend(str(engine_path), ModelManifest.load(engine_path), name=name)
    assert (backend.name, backend.input_size) == ('tensorrt', INPUT_SIZE)
    backend.close()


def test_all_names_are_told() -> None:
    assert BACKENDS == ('auto', 'onnxruntime', 'tensorrt')


def test_onnx_runtime_runs_no_engine_and_the_onnx_file_is_named(engine_path: Path) -> None:
    with pytest.raises(ParameterError, match=f"'{engine_path.with_suffix('.onnx')}' as model"):
        create_backend(engine_path, ModelManifest.load(engine_path), name='onnxruntime')


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
